/**
 * CRC-32C (Castagnoli), the checksum of the embedded log: in the kernel, which is twice as fast, and
 * for a few bytes, or without WebAssembly, here.
 *
 * Here: slicing-by-8 (Kounavis and Berry, Intel 2005) over 32-bit word reads: eight table look-ups per
 * eight bytes, two word loads instead of eight byte loads.
 */
import { rawKernel } from "../wasm/raw-kernel.ts";

const POLYNOMIAL = 0x82f63b78;
/** Below this the set-up of a word view costs more than it saves. */
const WORD_MIN_BYTES = 64;
/** Below this the copy into the kernel costs more than it saves, as measured on Node, Bun and Deno. */
const KERNEL_MIN_BYTES = 128;

/** Eight tables of 256 words, one after the other. */
const TABLES: Int32Array = makeTables();

/** Word reads need the platform's order to be the log's. */
const LITTLE_ENDIAN: boolean = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const previous = tables[at - 256]!;
    tables[at] = (previous >>> 8) ^ tables[previous & 0xff]!;
  }
  return tables;
}

function updateBytes(crc: number, bytes: Uint8Array, start: number, end: number): number {
  let state = crc;
  for (let at = start; at < end; at++) {
    state = (state >>> 8) ^ TABLES[(state ^ bytes[at]!) & 0xff]!;
  }
  return state;
}

function updateWords(crc: number, words: Int32Array): number {
  const t = TABLES;
  let state = crc;
  for (let at = 0; at < words.length; at += 2) {
    const low = words[at]! ^ state;
    const high = words[at + 1]!;
    state =
      t[1792 + (low & 0xff)]! ^
      t[1536 + ((low >>> 8) & 0xff)]! ^
      t[1280 + ((low >>> 16) & 0xff)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + (high & 0xff)]! ^
      t[512 + ((high >>> 8) & 0xff)]! ^
      t[256 + ((high >>> 16) & 0xff)]! ^
      t[high >>> 24]!;
  }
  return state;
}

/**
 * Checksum of `bytes[start, end)`.
 *
 * @returns Unsigned 32-bit integer. O(length), one small view.
 * @example crc32c(new TextEncoder().encode("123456789")) === 0xe3069283
 */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const kernel = end - start < KERNEL_MIN_BYTES ? null : rawKernel();
  return kernel === null ? crc32cTwin(bytes, start, end) : kernel.crc32c(bytes, start, end);
}

/** {@link crc32c} without the kernel. */
export function crc32cTwin(bytes: Uint8Array, start: number, end: number): number {
  let state = -1;
  let at = start;
  if (LITTLE_ENDIAN && end - start >= WORD_MIN_BYTES) {
    const aligned = start + (-(bytes.byteOffset + start) & 3);
    state = updateBytes(state, bytes, start, aligned);
    const wordCount = ((end - aligned) >>> 3) << 1;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, wordCount);
    state = updateWords(state, words);
    at = aligned + wordCount * 4;
  }
  return ~updateBytes(state, bytes, at, end) >>> 0;
}
