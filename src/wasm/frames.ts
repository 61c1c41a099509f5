/**
 * The frames of a stored batch in TypeScript: exactly what assembly/frames.ts does. Its oracle in
 * tests, its stand-in where WebAssembly is missing, and the cheaper one for small batches.
 */
import { murmur3Range, NULL_KEY_HASH } from "./hash.ts";

// The layout of a frame is drawn in assembly/frames.ts, the mirror of these.
/** Bytes of a frame before its key. */
export const FRAME_HEADER_BYTES = 40;
/** A key length that says: no key. */
export const NO_KEY = 0xffff;
/** Where a frame names its number, its key's length and its headers' length. */
const NUMBER = 4;
const KEY_LENGTH = 32;
const HEADERS_LENGTH = 36;
/** The length of a header's name, and that of its value. */
const HEADER_LENGTHS_BYTES = 6;

/** Where the frames of a batch lie, and the hashes of their keys. */
export interface Frames {
  /** Distances from the batch's first byte. */
  readonly positions: Uint32Array;
  /** MurmurHash3 of each key; NULL_KEY_HASH without one. */
  readonly keyHashes: Uint32Array;
}

/** Columns for so many frames. */
export function emptyFrames(frameCount: number): Frames {
  return {
    positions: new Uint32Array(frameCount),
    keyHashes: new Uint32Array(frameCount),
  };
}

/**
 * Reads the frames that fill `bytes[from, end)` exactly, all lengths checked.
 *
 * @param into Columns with one cell per frame.
 * @returns -1, or the number of the first bad frame; the frame count when bytes are left over.
 */
export function readFramesTwin(
  bytes: Uint8Array,
  from: number,
  seed: number,
  into: Frames,
): number {
  const { positions, keyHashes } = into;
  const frameCount = positions.length;
  let at = from;
  for (let i = 0; i < frameCount; i++) {
    if (at + FRAME_HEADER_BYTES > bytes.length) return i;
    const end = at + u32(bytes, at);
    const keyField = u16(bytes, at + KEY_LENGTH);
    const key = at + FRAME_HEADER_BYTES;
    const keyEnd = keyField === NO_KEY ? key : key + keyField;
    const headersEnd = keyEnd + u32(bytes, at + HEADERS_LENGTH);
    if (headersEnd > end || end > bytes.length || u32(bytes, at + NUMBER) !== i) return i;
    if (!headersFit(bytes, keyEnd, headersEnd)) return i;
    positions[i] = at;
    keyHashes[i] = keyField === NO_KEY ? NULL_KEY_HASH : murmur3Range(bytes, key, keyEnd, seed);
    at = end;
  }
  return at === bytes.length ? -1 : frameCount;
}

/** Whether names and values fill the headers exactly. */
function headersFit(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at + HEADER_LENGTHS_BYTES <= end) {
    const nameEnd = at + 2 + u16(bytes, at);
    if (nameEnd + 4 > end) return false;
    at = nameEnd + 4 + u32(bytes, nameEnd);
  }
  return at === end;
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;
}
