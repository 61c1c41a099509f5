/**
 * The file of an index of one segment: a header, entries of one size, and a footer once the segment
 * is sealed.
 *
 * ```
 * header, 16 bytes          entries          footer, 48 bytes
 *  0 u32 magic                                0 u32 magic "HRXF"
 *  4 u64 base offset                          4 u32 entry count
 * 12 u32 CRC of 0…11                          8 u64 next offset
 *                                            16 u64 bytes of the .log
 *                                            24 i64 last append time, µs
 *                                            32 i64 highest event time, µs
 *                                            40 u32 zero
 *                                            44 u32 CRC of all before it
 * ```
 * Derived data: whatever does not fit is rebuilt from the `.log`.
 */
import { Buffer } from "node:buffer";
import { crc32c } from "./crc32c.ts";
import { readI64, readU32, readU64, write64, writeU32 } from "./integers.ts";

const FOOTER_MAGIC = 0x46585248;
const FOOTER_BYTES = 48;
export const INDEX_HEADER_BYTES = 16;

/** What a sealed segment's index says about its `.log`. */
export interface SegmentSummary {
  readonly nextOffset: number;
  readonly logBytes: number;
  readonly lastAppendTimeUs: number;
  readonly maxEventTimeUs: number;
}

/** What tells one kind of index from another. */
export interface IndexKind {
  readonly magic: number;
  readonly entryBytes: number;
}

/** The whole file; `writeEntry` fills in entry after entry. */
export function encodeIndexFile(
  { magic, entryBytes }: IndexKind,
  { baseOffset, count }: { readonly baseOffset: number; readonly count: number },
  summary: SegmentSummary,
  writeEntry: (bytes: Buffer, at: number, entry: number) => void,
): Buffer {
  const footer = INDEX_HEADER_BYTES + count * entryBytes;
  const bytes = Buffer.alloc(footer + FOOTER_BYTES);
  writeU32(bytes, 0, magic);
  write64(bytes, 4, baseOffset);
  writeU32(bytes, 12, crc32c(bytes, 0, 12));
  for (let entry = 0; entry < count; entry++) {
    writeEntry(bytes, INDEX_HEADER_BYTES + entry * entryBytes, entry);
  }
  writeU32(bytes, footer, FOOTER_MAGIC);
  writeU32(bytes, footer + 4, count);
  write64(bytes, footer + 8, summary.nextOffset);
  write64(bytes, footer + 16, summary.logBytes);
  write64(bytes, footer + 24, summary.lastAppendTimeUs);
  write64(bytes, footer + 32, summary.maxEventTimeUs);
  writeU32(bytes, footer + 44, crc32c(bytes, 0, footer + 44));
  return bytes;
}

/**
 * Checks the file and shows its entries to `readEntry`.
 *
 * @returns undefined when anything does not fit: the caller rebuilds.
 */
export function decodeIndexFile(
  bytes: Uint8Array,
  { magic, entryBytes }: IndexKind,
  baseOffset: number,
  readEntry: (at: number) => void,
): SegmentSummary | undefined {
  const footer = bytes.length - FOOTER_BYTES;
  if (footer < INDEX_HEADER_BYTES || readU32(bytes, footer) !== FOOTER_MAGIC) return undefined;
  if (readU32(bytes, footer + 44) !== crc32c(bytes, 0, footer + 44)) return undefined;
  if (readU32(bytes, 0) !== magic || readU64(bytes, 4) !== baseOffset) return undefined;
  const count = readU32(bytes, footer + 4);
  if (INDEX_HEADER_BYTES + count * entryBytes !== footer) return undefined;
  for (let at = INDEX_HEADER_BYTES; at < footer; at += entryBytes) readEntry(at);
  return {
    nextOffset: readU64(bytes, footer + 8),
    logBytes: readU64(bytes, footer + 16),
    lastAppendTimeUs: readI64(bytes, footer + 24),
    maxEventTimeUs: readI64(bytes, footer + 32),
  };
}

/** A column with room for twice as many. */
export function grown<T extends Uint32Array | Float64Array>(column: T): T {
  const larger = new (column.constructor as new (length: number) => T)(column.length * 2);
  larger.set(column);
  return larger;
}
