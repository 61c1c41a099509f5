import { Buffer } from "node:buffer";
import { LogError } from "../errors.ts";
import type { SinkRecord } from "../source/source.ts";
import { crc32c } from "./crc32c.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_VERSION,
  CHECKSUM_FROM,
  FLAG_NULL_VALUE,
  FRAME_HEADER_BYTES,
  MAX_BATCH_BYTES,
  MAX_KEY_BYTES,
  NO_KEY,
} from "./format.ts";

const ID_BYTES = 16;
const MAX_HEADER_NAME_BYTES = 0xffff;
const FIRST_BYTES: number = 1 << 16;
/** Up to this length a loop beats the call of `set()`. */
const LOOP_BYTES = 32;
const TWO_32 = 0x1_0000_0000;
/** Key length and flags are written as one word. */
const NULL_VALUE_WORD: number = FLAG_NULL_VALUE << 16;

/** What the partition knows about a batch to be written. */
export interface BatchPlace {
  readonly baseOffset: number;
  readonly writerEpoch: number;
  readonly topicEpoch: number;
  readonly appendTimeUs: number;
}

/** One batch among the bytes of a buffer. */
export interface EncodedBatch {
  readonly start: number;
  readonly end: number;
  readonly baseOffset: number;
  readonly count: number;
  readonly appendTimeUs: number;
  readonly maxEventTimeUs: number;
}

interface FramesEnd {
  readonly end: number;
  readonly maxEventTimeUs: number;
}

/**
 * Batches encoded (format.ts) one behind the other, to be written at once. `clear()` keeps the
 * memory for the next ones: nothing is allocated for each batch or record.
 */
export class BatchBuffer {
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #view: DataView = viewOf(this.#bytes);
  #used = 0;
  #messages = 0;
  readonly #batches: EncodedBatch[] = [];

  /** Holds the batches up to `used`; another one after the next `add()`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Bytes of all batches. */
  get used(): number {
    return this.#used;
  }

  /** Records of all batches. */
  get messages(): number {
    return this.#messages;
  }

  get batches(): readonly EncodedBatch[] {
    return this.#batches;
  }

  clear(): void {
    this.#used = 0;
    this.#messages = 0;
    this.#batches.length = 0;
  }

  /**
   * Adds one batch, checksum included.
   *
   * @param records At least one.
   * @throws {LogError} When a key, header name, id, timestamp or the whole breaks its limit; nothing
   * was added then. O(bytes).
   */
  add(records: readonly SinkRecord[], place: BatchPlace): EncodedBatch {
    const start = this.#used;
    const { end, maxEventTimeUs } = this.#writeFrames(records, start);
    const { baseOffset, appendTimeUs } = place;
    const count = records.length;
    const batch = { start, end, baseOffset, count, appendTimeUs, maxEventTimeUs };
    this.#writeHeader(batch, place);
    this.#used = end;
    this.#messages += count;
    this.#batches.push(batch);
    return batch;
  }

  /** Makes room up to `bytes`, and keeps what was written below `written`. */
  #reserve(bytes: number, written: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, written));
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }

  /**
   * Checks and writes one record after the other: a second pass over them would cost a quarter more.
   *
   * @returns End of the frames, and the highest event time, µs.
   */
  #writeFrames(records: readonly SinkRecord[], start: number): FramesEnd {
    const most = start + MAX_BATCH_BYTES;
    let at = start + BATCH_HEADER_BYTES;
    let maxEventTimeUs = Number.NEGATIVE_INFINITY;
    for (let delta = 0; delta < records.length; delta++) {
      const record = records[delta]!;
      const end = at + frameBytes(record);
      // It throws, with the length of the whole.
      if (end > most) batchBytes(records);
      this.#reserve(end, at);
      const timeUs = record.timestamp * 1000;
      if (timeUs > maxEventTimeUs) maxEventTimeUs = timeUs;
      this.#writeFrame(record, delta, at, end);
      at = end;
    }
    if (records.length === 0) batchBytes(records);
    return { end: at, maxEventTimeUs };
  }

  #writeFrame(record: SinkRecord, delta: number, at: number, end: number): void {
    const { key, value, id, headers, timestamp } = record;
    const bytes = this.#bytes;
    const view = this.#view;
    view.setUint32(at, end - at, true);
    view.setUint32(at + 4, delta, true);
    set64(view, at + 8, timestamp * 1000);
    if (id === null) zero16(view, at + 16);
    else bytes.set(id, at + 16);
    const nullWord = value === null ? NULL_VALUE_WORD : 0;
    view.setUint32(at + 32, (key === null ? NO_KEY : key.length) | nullWord, true);
    let body = at + FRAME_HEADER_BYTES;
    if (key !== null) body = copy(key, bytes, body);
    const headersAt = body;
    if (headers.length > 0) body = writeHeaders(headers, bytes, view, body);
    view.setUint32(at + 36, body - headersAt, true);
    if (value !== null) copy(value, bytes, body);
  }

  #writeHeader(batch: EncodedBatch, { writerEpoch, topicEpoch }: BatchPlace): void {
    const { start, end } = batch;
    const view = this.#view;
    view.setUint32(start, BATCH_MAGIC, true);
    // Version, attributes (none), header length.
    view.setUint32(start + 4, BATCH_VERSION | (BATCH_HEADER_BYTES << 16), true);
    view.setUint32(start + 12, end - start, true);
    set64(view, start + 16, batch.baseOffset);
    view.setUint32(start + 24, batch.count, true);
    view.setUint32(start + 28, writerEpoch, true);
    set64(view, start + 32, batch.appendTimeUs);
    set64(view, start + 40, batch.maxEventTimeUs);
    view.setUint32(start + 48, topicEpoch, true);
    this.#bytes.fill(0, start + 52, start + BATCH_HEADER_BYTES);
    view.setUint32(start + 8, crc32c(this.#bytes, start + CHECKSUM_FROM, end), true);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Signed or unsigned safe integer. */
function set64(view: DataView, at: number, value: number): void {
  const low = value >>> 0;
  view.setUint32(at, low, true);
  view.setInt32(at + 4, (value - low) / TWO_32, true);
}

function zero16(view: DataView, at: number): void {
  for (let word = at; word < at + ID_BYTES; word += 4) view.setUint32(word, 0, true);
}

/** @returns End of the copy. */
function copy(from: Uint8Array, to: Buffer, at: number): number {
  const { length } = from;
  if (length > LOOP_BYTES) to.set(from, at);
  else for (let byte = 0; byte < length; byte++) to[at + byte] = from[byte]!;
  return at + length;
}

/** @returns End of the headers. */
function writeHeaders(
  headers: SinkRecord["headers"],
  bytes: Buffer,
  view: DataView,
  start: number,
): number {
  let at = start;
  for (const [name, value] of headers) {
    const nameBytes = bytes.write(name, at + 2);
    view.setUint16(at, nameBytes, true);
    at += 2 + nameBytes;
    view.setUint32(at, value.length, true);
    at = copy(value, bytes, at + 4);
  }
  return at;
}

/**
 * Length of the whole batch.
 *
 * @throws {LogError} When one is broken.
 */
export function batchBytes(records: readonly SinkRecord[]): number {
  if (records.length === 0) throw limit("a batch must have at least one record", 0);
  let total = BATCH_HEADER_BYTES;
  for (const record of records) total += frameBytes(record);
  if (total > MAX_BATCH_BYTES) {
    throw limit(`a batch must not exceed ${MAX_BATCH_BYTES} bytes`, total);
  }
  return total;
}

function frameBytes({ key, value, id, headers, timestamp }: SinkRecord): number {
  const keyBytes = key === null ? 0 : key.length;
  if (keyBytes > MAX_KEY_BYTES) {
    throw limit(`a key must not exceed ${MAX_KEY_BYTES} bytes`, keyBytes);
  }
  if (id !== null && id.length !== ID_BYTES) throw limit("an id must have 16 bytes", id.length);
  if (!Number.isInteger(timestamp) || !Number.isSafeInteger(timestamp * 1000)) {
    throw limit("a timestamp must be integer milliseconds", timestamp);
  }
  const valueBytes = value === null ? 0 : value.length;
  const headerBytes = headers.length === 0 ? 0 : headersBytes(headers);
  return FRAME_HEADER_BYTES + keyBytes + headerBytes + valueBytes;
}

function headersBytes(headers: SinkRecord["headers"]): number {
  let total = 0;
  for (const [name, value] of headers) {
    const nameBytes = Buffer.byteLength(name);
    if (nameBytes > MAX_HEADER_NAME_BYTES) {
      throw limit(`a header name must not exceed ${MAX_HEADER_NAME_BYTES} bytes`, nameBytes);
    }
    total += 6 + nameBytes + value.length;
  }
  return total;
}

function limit(rule: string, received: unknown): LogError {
  return new LogError(`Cannot append as ${rule}: received ${received}`);
}
