import type { Buffer } from "node:buffer";
import { CorruptLogError } from "../errors.ts";
import type { RecordBatch } from "../source/source.ts";
import type { MessageHeaders } from "../types.ts";
import { BATCH_HEADER_BYTES, FLAG_NULL_VALUE, FRAME_HEADER_BYTES, NO_KEY } from "./format.ts";
import { readI64, readU16, readU32 } from "./integers.ts";
import { RawHeaders } from "./raw-headers.ts";
import type { StoredBatch } from "./read-batches.ts";

const NULL_KEY = 0xffffffff;

/**
 * The records of one stored batch, read in place: one pass notes where frames and keys lie, views
 * are made on demand.
 */
export class RawRecords implements RecordBatch {
  readonly count: number;
  readonly baseOffset: number;
  readonly offsetDeltas: null = null;
  readonly byteLength: number;
  readonly rawKeys: {
    readonly bytes: Uint8Array;
    readonly starts: Uint32Array;
    readonly ends: Uint32Array;
  };
  readonly #bytes: Buffer;
  readonly #frames: Uint32Array;

  /**
   * @param fromOffset Records below it are left out; it must lie inside the batch.
   * @throws {CorruptLogError} When the frames do not fill the batch exactly.
   */
  constructor(batch: StoredBatch, fromOffset: number = batch.baseOffset) {
    const skipped = fromOffset - batch.baseOffset;
    this.count = batch.count - skipped;
    this.baseOffset = fromOffset;
    this.byteLength = batch.bytes.length;
    this.#bytes = batch.bytes;
    this.#frames = new Uint32Array(this.count);
    const starts = new Uint32Array(this.count);
    const ends = new Uint32Array(this.count);
    this.rawKeys = { bytes: batch.bytes, starts, ends };
    let at = BATCH_HEADER_BYTES;
    for (let index = -skipped; index < this.count; index++) {
      const next = frameEnd(batch, at, index + skipped);
      if (index >= 0) {
        const keyBytes = readU16(batch.bytes, at + 32);
        this.#frames[index] = at;
        starts[index] = keyBytes === NO_KEY ? NULL_KEY : at + FRAME_HEADER_BYTES;
        ends[index] = keyBytes === NO_KEY ? NULL_KEY : at + FRAME_HEADER_BYTES + keyBytes;
      }
      at = next;
    }
    if (at !== batch.bytes.length) throw badFrame(batch, batch.count);
  }

  keyAt(index: number): Uint8Array | null {
    const start = this.rawKeys.starts[index]!;
    return start === NULL_KEY ? null : this.#bytes.subarray(start, this.rawKeys.ends[index]!);
  }

  valueAt(index: number): Uint8Array | null {
    const frame = this.#frames[index]!;
    if (readU16(this.#bytes, frame + 34) & FLAG_NULL_VALUE) return null;
    return this.#bytes.subarray(this.#headersEnd(frame), frame + readU32(this.#bytes, frame));
  }

  timestampAt(index: number): number {
    return Math.floor(readI64(this.#bytes, this.#frames[index]! + 8) / 1000);
  }

  headersAt(index: number): MessageHeaders {
    const frame = this.#frames[index]!;
    const end = this.#headersEnd(frame);
    return new RawHeaders(this.#bytes, end - readU32(this.#bytes, frame + 36), end);
  }

  #headersEnd(frame: number): number {
    const keyBytes = readU16(this.#bytes, frame + 32);
    const body = frame + FRAME_HEADER_BYTES + (keyBytes === NO_KEY ? 0 : keyBytes);
    return body + readU32(this.#bytes, frame + 36);
  }
}

/** Where the frame at `at` ends, all its lengths checked. */
function frameEnd(batch: StoredBatch, at: number, index: number): number {
  const { bytes } = batch;
  if (at + FRAME_HEADER_BYTES > bytes.length) throw badFrame(batch, index);
  const end = at + readU32(bytes, at);
  const keyBytes = readU16(bytes, at + 32);
  const least = FRAME_HEADER_BYTES + (keyBytes === NO_KEY ? 0 : keyBytes) + readU32(bytes, at + 36);
  const fits = at + least <= end && end <= bytes.length;
  if (!fits || readU32(bytes, at + 4) !== index) throw badFrame(batch, index);
  return end;
}

function badFrame(batch: StoredBatch, index: number): CorruptLogError {
  return new CorruptLogError(
    "Cannot read a batch as its frames must fill it exactly: " +
      `received a bad frame ${index} in the batch at offset ${batch.baseOffset}`,
  );
}
