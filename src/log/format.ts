/**
 * The bytes of a batch. Little-endian.
 *
 * ```
 * batch header, 64 bytes                         record frame, 40 bytes + body
 *  0 u32 magic "HRB1"                             0 u32 frame length, these 40 bytes included
 *  4 u8  version 1                                4 u32 offset delta
 *  5 u8  attributes: bits 0-2 codec,              8 i64 event time, µs
 *        bit 3 CRC-32 instead of CRC-32C         16     id, 16 bytes, zeros = none
 *  6 u16 header length 64                        32 u16 key length, 0xffff = no key
 *  8 u32 checksum of bytes 12…end                34 u16 flags: bit 0 null value
 * 12 u32 total length                            36 u32 headers length
 * 16 u64 base offset                             40     key, headers, value
 * 24 u32 record count, >= 1
 * 28 u32 writer epoch                            one header: u16 name length, name (UTF-8),
 * 32 i64 append time, µs, never decreasing                   u32 value length, value
 * 40 i64 highest event time, µs
 * 48 u32 topic epoch
 * 52     zero, 12 bytes
 * ```
 */

import { BATCH_HEADER_BYTES, FRAME_HEADER_BYTES } from "../wasm/frames.ts";
import { crc32c } from "./crc32c.ts";
import { readI64, readU16, readU32, readU64 } from "./integers.ts";

export { BATCH_HEADER_BYTES, FRAME_HEADER_BYTES, NO_KEY } from "../wasm/frames.ts";

/** "HRB1" as a little-endian word. */
export const BATCH_MAGIC = 0x31425248;
/** The same as it stands in a file. */
export const BATCH_MAGIC_BYTES: Uint8Array = new TextEncoder().encode("HRB1");
export const BATCH_VERSION = 1;
/** Where the checksummed part of a batch begins. */
export const CHECKSUM_FROM = 12;
export const MAX_KEY_BYTES = 0xfffe;
export const FLAG_NULL_VALUE = 1;
/** Largest batch that is written or believed. */
export const MAX_BATCH_BYTES: number = 128 * 1024 * 1024;

/** A batch header as read. Times in µs. */
export interface BatchHeader {
  readonly totalBytes: number;
  readonly baseOffset: number;
  readonly count: number;
  readonly writerEpoch: number;
  readonly appendTimeUs: number;
  readonly maxEventTimeUs: number;
}

/**
 * Reads a header and checks all that it says about itself.
 *
 * @param at Where the header begins; 64 bytes must be there.
 * @returns The header, or what is wrong with it.
 */
export function readBatchHeader(bytes: Uint8Array, at: number): BatchHeader | string {
  if (readU32(bytes, at) !== BATCH_MAGIC) return "no batch magic";
  if (bytes[at + 4] !== BATCH_VERSION) return `batch version ${bytes[at + 4]}`;
  if (bytes[at + 5] !== 0) return `batch attributes ${bytes[at + 5]}`;
  if (readU16(bytes, at + 6) !== BATCH_HEADER_BYTES) return "a wrong header length";
  for (let zero = at + 52; zero < at + BATCH_HEADER_BYTES; zero++) {
    if (bytes[zero] !== 0) return "reserved bytes that are not zero";
  }
  const totalBytes = readU32(bytes, at + 12);
  const baseOffset = readU64(bytes, at + 16);
  const count = readU32(bytes, at + 24);
  if (totalBytes > MAX_BATCH_BYTES) return `a batch of ${totalBytes} bytes`;
  if (count === 0 || totalBytes < BATCH_HEADER_BYTES + count * FRAME_HEADER_BYTES) {
    return `${count} records in ${totalBytes} bytes`;
  }
  if (!Number.isSafeInteger(baseOffset + count)) return "an offset above 2^53";
  return {
    totalBytes,
    baseOffset,
    count,
    writerEpoch: storedEpoch(bytes, at),
    appendTimeUs: readI64(bytes, at + 32),
    maxEventTimeUs: readI64(bytes, at + 40),
  };
}

/** Checksum that a batch's header names. */
export function storedChecksum(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 8);
}

/** Epoch of the writer that wrote a batch. */
export function storedEpoch(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 28);
}

/** True when the whole batch at `at` has the checksum that its header names. */
export function checksumHolds(bytes: Uint8Array, at: number, totalBytes: number): boolean {
  return crc32c(bytes, at + CHECKSUM_FROM, at + totalBytes) === storedChecksum(bytes, at);
}
