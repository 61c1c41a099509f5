/**
 * Sparse index of one segment: append time → relative offset of the first batch that has it, as an
 * index file (index-file.ts).
 *
 * ```
 * magic "HRT1"     entry, 12 bytes:  0 i64 append time, µs · 8 u32 relative offset
 * ```
 * Append times never decrease, so the time of an entry is the highest so far. The active segment's
 * index lives in memory only.
 */
import type { Buffer } from "node:buffer";
import { decodeIndexFile, encodeIndexFile, grown, type SegmentSummary } from "./index-file.ts";
import { readI64, readU32, write64, writeU32 } from "./integers.ts";

export const TIME_ENTRY_BYTES = 12;
const KIND = { magic: 0x31545248, entryBytes: TIME_ENTRY_BYTES };

/** Entries ascend strictly in both columns. */
export class TimeIndex {
  #timeUs: Float64Array = new Float64Array(64);
  #relative: Uint32Array = new Uint32Array(64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Notes a batch, unless the last entry has its time. */
  add(appendTimeUs: number, relativeOffset: number): void {
    const last = this.#count - 1;
    if (last >= 0 && this.#timeUs[last]! >= appendTimeUs) return;
    this.#push(appendTimeUs, relativeOffset);
  }

  /**
   * Relative offset of the last noted batch from before the time; 0 when there is none. The first
   * batch that is not from before it lies behind. O(log count).
   */
  before(timeUs: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#timeUs[middle]! < timeUs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#relative[low - 1]!;
  }

  encode(baseOffset: number, summary: SegmentSummary): Buffer {
    const size = { baseOffset, count: this.#count };
    return encodeIndexFile(KIND, size, summary, (bytes, at, entry) => {
      write64(bytes, at, this.#timeUs[entry]!);
      writeU32(bytes, at + 8, this.#relative[entry]!);
    });
  }

  /** @returns undefined when anything does not fit: the caller rebuilds. */
  static decode(
    bytes: Uint8Array,
    baseOffset: number,
  ): { index: TimeIndex; summary: SegmentSummary } | undefined {
    const index = new TimeIndex();
    const summary = decodeIndexFile(bytes, KIND, baseOffset, (at) => {
      index.#push(readI64(bytes, at), readU32(bytes, at + 8));
    });
    return summary && { index, summary };
  }

  #push(timeUs: number, relativeOffset: number): void {
    if (this.#count === this.#timeUs.length) {
      this.#timeUs = grown(this.#timeUs);
      this.#relative = grown(this.#relative);
    }
    this.#timeUs[this.#count] = timeUs;
    this.#relative[this.#count] = relativeOffset;
    this.#count++;
  }
}
