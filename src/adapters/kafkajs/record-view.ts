/** A batch of kafkajs messages as headrace reads it: by index, in place. */
import { headerList } from "../../header-list.ts";
import type { HeldMemory } from "../../held-memory.ts";
import type { RecordBatch } from "../../source/source.ts";
import type { MessageHeaders } from "../../types.ts";
import type { ClientMessage, HeaderValue } from "./client.ts";

/** Charged for the object of one decoded record (rule F2). */
const RECORD_OVERHEAD_BYTES = 512;
/** Charged for the name and the array slot of one header. */
const HEADER_OVERHEAD_BYTES = 32;
const MAX_DELTA = 0xffff_ffff;
/** Records of one batch: few enough to stay in a processor's cache while they are hashed, placed and handled. */
const MAX_VIEW_RECORDS = 1024;

/** What the records of a batch are views of. */
type Held = Pick<HeldMemory, "hold" | "release">;

const NO_HEADERS = headerList([]);
const NO_BYTES = new Uint8Array(0);
const encoder = new TextEncoder();

function headerBytes(value: HeaderValue): Uint8Array {
  if (value === null) return NO_BYTES;
  return typeof value === "string" ? encoder.encode(value) : value;
}

function headersOf(message: ClientMessage): MessageHeaders {
  const pairs: (readonly [string, Uint8Array])[] = [];
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    if (value === undefined) continue;
    if (!Array.isArray(value)) pairs.push([name, headerBytes(value as HeaderValue)]);
    else for (const one of value as readonly HeaderValue[]) pairs.push([name, headerBytes(one)]);
  }
  return pairs.length === 0 ? NO_HEADERS : headerList(pairs);
}

function headersLength(headers: NonNullable<ClientMessage["headers"]>): number {
  let bytes = 0;
  for (const name in headers) {
    const value = headers[name];
    if (value === null || value === undefined) continue;
    if (!Array.isArray(value)) bytes += (value as Uint8Array).length + HEADER_OVERHEAD_BYTES;
    else for (const one of value) bytes += (one?.length ?? 0) + HEADER_OVERHEAD_BYTES;
  }
  return bytes;
}

function memoryOf(messages: readonly ClientMessage[], start: number, end: number): number {
  let bytes = (end - start) * RECORD_OVERHEAD_BYTES;
  for (let index = start; index < end; index++) {
    const { key, value, headers } = messages[index] as ClientMessage;
    if (key !== null) bytes += key.length;
    if (value !== null) bytes += value.length;
    if (headers !== undefined) bytes += headersLength(headers);
  }
  return bytes;
}

function offsetAt(messages: readonly ClientMessage[], index: number): number {
  return Number((messages[index] as ClientMessage).offset);
}

/**
 * Index of the first message at or above the offset; `messages.length` when there is none. O(log
 * n).
 */
export function indexOfOffset(messages: readonly ClientMessage[], offset: number): number {
  if (messages.length === 0 || offsetAt(messages, 0) >= offset) return 0;
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsetAt(messages, middle) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Views over messages[start, end), nothing copied. Offsets are converted for the first and the last
 * message only, unless the log has holes there.
 */
class MessageView implements RecordBatch {
  readonly count: number;
  readonly baseOffset: number;
  readonly offsetDeltas: Uint32Array | null;
  readonly byteLength: number;
  readonly #messages: readonly ClientMessage[];
  readonly #start: number;
  #memory: Held | undefined;

  constructor(
    messages: readonly ClientMessage[],
    start: number,
    end: number,
    memory: Held | undefined,
  ) {
    this.#messages = messages;
    this.#memory = memory;
    memory?.hold();
    this.#start = start;
    this.count = end - start;
    this.baseOffset = offsetAt(messages, start);
    const dense = offsetAt(messages, end - 1) - this.baseOffset === this.count - 1;
    this.offsetDeltas = dense ? null : this.#deltas();
    this.byteLength = memoryOf(messages, start, end);
  }

  #deltas(): Uint32Array {
    const deltas = new Uint32Array(this.count);
    for (let index = 0; index < this.count; index++) {
      deltas[index] = offsetAt(this.#messages, this.#start + index) - this.baseOffset;
    }
    return deltas;
  }

  #at(index: number): ClientMessage {
    return this.#messages[this.#start + index] as ClientMessage;
  }

  keyAt(index: number): Uint8Array | null {
    return this.#at(index).key;
  }

  valueAt(index: number): Uint8Array | null {
    return this.#at(index).value;
  }

  timestampAt(index: number): number {
    return Number(this.#at(index).timestamp);
  }

  headersAt(index: number): MessageHeaders {
    return headersOf(this.#at(index));
  }

  release(): void {
    this.#memory?.release();
    this.#memory = undefined;
  }

  keep(): void {
    this.#memory = undefined;
  }
}

/** A part of a fetch. */
export interface RecordView {
  readonly records: RecordBatch;
  /** The offset behind its last record; null for the last part, behind which markers may lie. */
  readonly endOffset: number | null;
}

/**
 * Record batches over messages[start…], in order: of at most 1024 records, and of offsets less than 2³² apart. Each
 * is made when it is asked for, so that its records are still in the cache when they are handled.
 *
 * @param memory What the messages are views of, where it may be used again: each batch holds it until it is released.
 */
export function* recordViews(
  messages: readonly ClientMessage[],
  start: number,
  memory?: Held,
): Generator<RecordView> {
  for (let from = start; from < messages.length; ) {
    const reach = offsetAt(messages, from) + MAX_DELTA;
    const last = Math.min(messages.length, from + MAX_VIEW_RECORDS);
    const whole = offsetAt(messages, last - 1) <= reach;
    const end = whole ? last : indexOfOffset(messages, reach + 1);
    const endOffset = end === messages.length ? null : offsetAt(messages, end - 1) + 1;
    yield { records: new MessageView(messages, from, end, memory), endOffset };
    from = end;
  }
}
