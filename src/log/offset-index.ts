/**
 * Sparse index of one segment: relative offset → position of the batch that begins there.
 *
 * ```
 * header, 16 bytes            entry, 8 bytes            footer, 48 bytes (sealed segments)
 *  0 u32 magic "HRX1"          0 u32 relative offset     0 u32 magic "HRXF"
 *  4 u64 base offset           4 u32 position            4 u32 entry count
 * 12 u32 CRC of 0…11                                     8 u64 next offset
 *                                                       16 u64 bytes of the .log
 *                                                       24 i64 last append time, µs
 *                                                       32 i64 highest event time, µs
 *                                                       40 u32 zero
 *                                                       44 u32 CRC of all before it
 * ```
 * Derived data: whatever does not fit is rebuilt from the `.log`. The active segment's index lives
 * in memory only.
 */
import { Buffer } from "node:buffer";
import { crc32c } from "./crc32c.ts";
import { readI64, readU32, readU64, write64, writeU32 } from "./integers.ts";

const INDEX_MAGIC = 0x31585248;
const FOOTER_MAGIC = 0x46585248;
export const INDEX_HEADER_BYTES = 16;
export const INDEX_ENTRY_BYTES = 8;
const FOOTER_BYTES = 48;
/** Bytes of log per entry, at least. */
const SPACING_BYTES = 4096;

/** What a sealed segment's index says about its `.log`. */
export interface SegmentSummary {
  readonly nextOffset: number;
  readonly logBytes: number;
  readonly lastAppendTimeUs: number;
  readonly maxEventTimeUs: number;
}

/** Entries ascend strictly in both columns. */
export class OffsetIndex {
  #relative: Uint32Array = new Uint32Array(64);
  #position: Uint32Array = new Uint32Array(64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Notes the batch at `position` when the last entry is far enough away. */
  add(relativeOffset: number, position: number): void {
    const last = this.#count - 1;
    if (last >= 0 && position - this.#position[last]! < SPACING_BYTES) return;
    this.#push(relativeOffset, position);
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
    const footer = INDEX_HEADER_BYTES + this.#count * INDEX_ENTRY_BYTES;
    const bytes = Buffer.alloc(footer + FOOTER_BYTES);
    writeU32(bytes, 0, INDEX_MAGIC);
    write64(bytes, 4, baseOffset);
    writeU32(bytes, 12, crc32c(bytes, 0, 12));
    for (let entry = 0; entry < this.#count; entry++) {
      const at = INDEX_HEADER_BYTES + entry * INDEX_ENTRY_BYTES;
      writeU32(bytes, at, this.#relative[entry]!);
      writeU32(bytes, at + 4, this.#position[entry]!);
    }
    writeU32(bytes, footer, FOOTER_MAGIC);
    writeU32(bytes, footer + 4, this.#count);
    write64(bytes, footer + 8, summary.nextOffset);
    write64(bytes, footer + 16, summary.logBytes);
    write64(bytes, footer + 24, summary.lastAppendTimeUs);
    write64(bytes, footer + 32, summary.maxEventTimeUs);
    writeU32(bytes, footer + 44, crc32c(bytes, 0, footer + 44));
    return bytes;
  }

  /** @returns undefined when anything does not fit: the caller rebuilds. */
  static decode(
    bytes: Uint8Array,
    baseOffset: number,
  ): { index: OffsetIndex; summary: SegmentSummary } | undefined {
    const footer = bytes.length - FOOTER_BYTES;
    if (footer < INDEX_HEADER_BYTES || readU32(bytes, footer) !== FOOTER_MAGIC) return undefined;
    if (readU32(bytes, footer + 44) !== crc32c(bytes, 0, footer + 44)) return undefined;
    if (readU32(bytes, 0) !== INDEX_MAGIC || readU64(bytes, 4) !== baseOffset) return undefined;
    const count = readU32(bytes, footer + 4);
    if (INDEX_HEADER_BYTES + count * INDEX_ENTRY_BYTES !== footer) return undefined;
    const index = new OffsetIndex();
    for (let at = INDEX_HEADER_BYTES; at < footer; at += INDEX_ENTRY_BYTES) {
      index.#push(readU32(bytes, at), readU32(bytes, at + 4));
    }
    const summary = {
      nextOffset: readU64(bytes, footer + 8),
      logBytes: readU64(bytes, footer + 16),
      lastAppendTimeUs: readI64(bytes, footer + 24),
      maxEventTimeUs: readI64(bytes, footer + 32),
    };
    return { index, summary };
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

function grown(column: Uint32Array): Uint32Array {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}
