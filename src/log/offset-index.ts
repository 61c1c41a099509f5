/**
 * Sparse index of one segment: relative offset → position of the batch that begins there, as an
 * index file (index-file.ts).
 *
 * ```
 * magic "HRX1"     entry, 8 bytes:  0 u32 relative offset · 4 u32 position
 * ```
 * The active segment's index lives in memory only.
 */
import type { Buffer } from "node:buffer";
import { decodeIndexFile, encodeIndexFile, grown, type SegmentSummary } from "./index-file.ts";
import { readU32, writeU32 } from "./integers.ts";

export const INDEX_ENTRY_BYTES = 8;
const KIND = { magic: 0x31585248, entryBytes: INDEX_ENTRY_BYTES };
/** Bytes of log per entry, at least. */
const SPACING_BYTES = 4096;

/** Entries ascend strictly in both columns. */
export class OffsetIndex {
  #relative: Uint32Array = new Uint32Array(64);
  #position: Uint32Array = new Uint32Array(64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Notes the batch at `position` when the last entry is far enough away. @returns true if so. */
  add(relativeOffset: number, position: number): boolean {
    const last = this.#count - 1;
    if (last >= 0 && position - this.#position[last]! < SPACING_BYTES) return false;
    this.#push(relativeOffset, position);
    return true;
  }

  /**
   * Position of the last noted batch that begins at or below the offset; 0 when there is none.
   * O(log count).
   */
  floor(relativeOffset: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#relative[middle]! <= relativeOffset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#position[low - 1]!;
  }

  encode(baseOffset: number, summary: SegmentSummary): Buffer {
    const size = { baseOffset, count: this.#count };
    return encodeIndexFile(KIND, size, summary, (bytes, at, entry) => {
      writeU32(bytes, at, this.#relative[entry]!);
      writeU32(bytes, at + 4, this.#position[entry]!);
    });
  }

  /** @returns undefined when anything does not fit: the caller rebuilds. */
  static decode(
    bytes: Uint8Array,
    baseOffset: number,
  ): { index: OffsetIndex; summary: SegmentSummary } | undefined {
    const index = new OffsetIndex();
    const summary = decodeIndexFile(bytes, KIND, baseOffset, (at) => {
      index.#push(readU32(bytes, at), readU32(bytes, at + 4));
    });
    return summary && { index, summary };
  }

  #push(relativeOffset: number, position: number): void {
    if (this.#count === this.#relative.length) {
      this.#relative = grown(this.#relative);
      this.#position = grown(this.#position);
    }
    this.#relative[this.#count] = relativeOffset;
    this.#position[this.#count] = position;
    this.#count++;
  }
}
