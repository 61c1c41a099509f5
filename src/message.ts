import { copyOfOne } from "./copied-records.ts";
import { PolledBatch } from "./polled-batch.ts";
import { readPayload } from "./read-payload.ts";
import type { RecordBatch } from "./source/source.ts";
import type { Message, MessageHeaders } from "./types.ts";

const decoder: TextDecoder = new TextDecoder();
const NOT_MADE: unique symbol = Symbol("payload not made");

/** A message as a view of (batch, index): the one object that headrace makes per message (H3). */
export class MessageView<T = unknown> implements Message<T> {
  readonly #batch: PolledBatch;
  #index: number;
  /** What it reads from; kept after its call, it keeps all of that alive. */
  #records: RecordBatch;
  #payload: unknown = NOT_MADE;

  constructor(batch: PolledBatch, index: number) {
    this.#batch = batch;
    this.#index = index;
    this.#records = batch.records;
    batch.shown = true;
  }

  /** Shows another message of the batch: for who looks at one after the other. */
  moveTo(index: number): void {
    this.#index = index;
    this.#payload = NOT_MADE;
  }

  /** Its batch was copied out (F2): reads the copies from now on. */
  rebase(): void {
    this.#records = this.#batch.records;
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
    return this.#records.timestampAt(this.#index);
  }
  get key(): Uint8Array | null {
    return this.#records.keyAt(this.#index);
  }
  get value(): Uint8Array | null {
    return this.#records.valueAt(this.#index);
  }
  get headers(): MessageHeaders {
    return this.#records.headersAt(this.#index);
  }

  get payload(): T {
    if (this.#payload === NOT_MADE) {
      this.#payload = readPayload(this.#batch.deserializer, this);
    }
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
    const { owner, nextOffset, deserializer, polledAtMs, highWatermark } = this.#batch;
    const records = copyOfOne(this.#records, this.#index);
    const batch = { lease: this.#batch.lease, records, nextOffset, highWatermark };
    const copy = new PolledBatch(owner, batch, deserializer, polledAtMs);
    copy.placeLike(this.#batch, this.#index);
    return new MessageView<T>(copy, 0);
  }
}
