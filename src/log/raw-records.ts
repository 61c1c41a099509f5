import type { Buffer } from "node:buffer";
import { CorruptLogError } from "../errors.ts";
import type { RecordBatch } from "../source/source.ts";
import type { MessageHeaders } from "../types.ts";
import { PARTITION_KEY_SEED } from "../wasm/hash.ts";
import { readFrames } from "../wasm/raw-kernel.ts";
import { FLAG_NULL_VALUE, FRAME_HEADER_BYTES, NO_KEY } from "./format.ts";
import { readI64, readU16, readU32 } from "./integers.ts";
import { RawHeaders } from "./raw-headers.ts";
import type { StoredBatch } from "./read-batches.ts";

/**
 * The records of one stored batch, or of a run of them (stored-run.ts), read in place: one call of
 * the kernel checks the frames, notes where they lie and hashes their keys; views are made on
 * demand.
 */
export class RawRecords implements RecordBatch {
  readonly count: number;
  readonly baseOffset: number;
  readonly offsetDeltas: null = null;
  readonly byteLength: number;
  readonly keyHashes: Uint32Array;
  readonly #bytes: Buffer;
  readonly #frames: Uint32Array;
  #released: (() => void) | null;

  /**
   * @param fromOffset Records below it are left out; below the batch's end.
   * @param released Its bytes may be overwritten from now on.
   * @throws {CorruptLogError} When frames do not fill their batch exactly.
   */
  constructor(
    batch: StoredBatch,
    fromOffset: number = batch.baseOffset,
    released: (() => void) | null = null,
  ) {
    const { bytes, count } = batch;
    const frames = readFrames(bytes, count, PARTITION_KEY_SEED);
    if (typeof frames === "number") throw badFrame(batch, frames);
    const skipped = Math.max(0, fromOffset - batch.baseOffset);
    this.count = count - skipped;
    this.baseOffset = batch.baseOffset + skipped;
    this.byteLength = bytes.length;
    this.#bytes = bytes;
    this.#released = released;
    this.#frames = skipped === 0 ? frames.positions : frames.positions.subarray(skipped);
    this.keyHashes = skipped === 0 ? frames.keyHashes : frames.keyHashes.subarray(skipped);
  }

  keyAt(index: number): Uint8Array | null {
    const frame = this.#frames[index]!;
    const keyBytes = readU16(this.#bytes, frame + 32);
    if (keyBytes === NO_KEY) return null;
    const start = frame + FRAME_HEADER_BYTES;
    return this.#bytes.subarray(start, start + keyBytes);
  }

  valueAt(index: number): Uint8Array | null {
    const frame = this.#frames[index]!;
    if (readU16(this.#bytes, frame + 34) & FLAG_NULL_VALUE) return null;
    return this.#bytes.subarray(this.#headersEnd(frame), frame + readU32(this.#bytes, frame));
  }

  timestampAt(index: number): number {
    return Math.floor(readI64(this.#bytes, this.#frames[index]! + 8) / 1000);
  }

  /** 16 bytes, zeros for none. */
  idAt(index: number): Uint8Array {
    const frame = this.#frames[index]!;
    return this.#bytes.subarray(frame + 16, frame + 32);
  }

  headersAt(index: number): MessageHeaders {
    const frame = this.#frames[index]!;
    const end = this.#headersEnd(frame);
    return new RawHeaders(this.#bytes, end - readU32(this.#bytes, frame + 36), end);
  }

  release(): void {
    this.#released?.();
    this.#released = null;
  }

  keep(): void {
    this.#released = null;
  }

  #headersEnd(frame: number): number {
    const keyBytes = readU16(this.#bytes, frame + 32);
    const body = frame + FRAME_HEADER_BYTES + (keyBytes === NO_KEY ? 0 : keyBytes);
    return body + readU32(this.#bytes, frame + 36);
  }
}

function badFrame(batch: StoredBatch, index: number): CorruptLogError {
  return new CorruptLogError(
    "Cannot read a batch as its frames must fill it exactly: " +
      `received a bad frame at offset ${batch.baseOffset + index}`,
  );
}
