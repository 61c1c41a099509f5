import { DeserializeError } from "./errors.ts";
import { PolledBatch } from "./polled-batch.ts";
import type { RecordBatch } from "./source/source.ts";
import type { Message, MessageHeaders } from "./types.ts";

const decoder: TextDecoder = new TextDecoder();
const NOT_MADE: unique symbol = Symbol("payload not made");

/** A message as a view of (batch, index): the one object that headrace makes per message (H3). */
export class MessageView<T = unknown> implements Message<T> {
  readonly #batch: PolledBatch;
  readonly #index: number;
  #payload: unknown = NOT_MADE;

  constructor(batch: PolledBatch, index: number) {
    this.#batch = batch;
    this.#index = index;
  }

  /** Where a message comes from; undefined for an object that is not a view. */
  static origin(message: object): { batch: PolledBatch; index: number } | undefined {
    if (!(#batch in message)) return undefined;
    return { batch: message.#batch, index: message.#index };
  }

  get topic(): string {
    return this.#batch.topic;
  }
  get partition(): number {
    return this.#batch.partition;
  }
  get offset(): number {
    return this.#batch.offsetAt(this.#index);
  }
  get timestamp(): number {
    return this.#batch.records.timestampAt(this.#index);
  }
  get key(): Uint8Array | null {
    return this.#batch.records.keyAt(this.#index);
  }
  get value(): Uint8Array | null {
    return this.#batch.records.valueAt(this.#index);
  }
  get headers(): MessageHeaders {
    return this.#batch.records.headersAt(this.#index);
  }

  get payload(): T {
    if (this.#payload === NOT_MADE) this.#payload = this.#deserialize();
    return this.#payload as T;
  }

  keyText(): string | null {
    const key = this.key;
    return key === null ? null : decoder.decode(key);
  }
  text(): string | null {
    const value = this.value;
    return value === null ? null : decoder.decode(value);
  }
  json<V = T>(): V {
    const text = this.text();
    return (text === null ? null : JSON.parse(text)) as V;
  }

  detach(): Message<T> {
    const { owner, baseOffset, nextOffset, deserializer, polledAtMs, highWatermark } = this.#batch;
    const records = copyOfOne(this.#batch.records, this.#index, baseOffset, this.offset);
    const batch = { lease: this.#batch.lease, records, nextOffset, highWatermark };
    const copy = new PolledBatch(owner, batch, deserializer, polledAtMs);
    copy.placeLike(this.#batch, this.#index);
    return new MessageView<T>(copy, 0);
  }

  #deserialize(): unknown {
    const { deserializer } = this.#batch;
    if (deserializer === null) return this.value;
    try {
      return deserializer(this.value, this);
    } catch (cause) {
      const where = `${this.topic}#${this.partition}@${this.offset}`;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new DeserializeError(`Cannot read the payload of ${where} as ${why}`, { cause });
    }
  }
}

function copyOfOne(
  records: RecordBatch,
  index: number,
  baseOffset: number,
  offset: number,
): RecordBatch {
  const copy = (bytes: Uint8Array | null): Uint8Array | null => {
    if (bytes === null) return null;
    // slice() of a Buffer is a view; of() of the same class keeps `Buffer`s `Buffer`s.
    const own = bytes.constructor as unknown as { from(bytes: Uint8Array): Uint8Array };
    return own.from(bytes);
  };
  const key = copy(records.keyAt(index));
  const value = copy(records.valueAt(index));
  const timestamp = records.timestampAt(index);
  const pairs = records
    .headersAt(index)
    .entries()
    .map(([name, bytes]) => [name, copy(bytes)!] as const);
  const first = (name: string): Uint8Array | null => pairs.find(([n]) => n === name)?.[1] ?? null;
  const headers: MessageHeaders = {
    get: first,
    text: (name) => {
      const bytes = first(name);
      return bytes === null ? null : decoder.decode(bytes);
    },
    has: (name) => first(name) !== null,
    entries: () => pairs,
  };
  return {
    count: 1,
    baseOffset,
    offsetDeltas: Uint32Array.of(offset - baseOffset),
    byteLength: records.byteLength / records.count,
    keyAt: () => key,
    valueAt: () => value,
    timestampAt: () => timestamp,
    headersAt: () => headers,
  };
}
