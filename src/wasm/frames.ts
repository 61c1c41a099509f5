/**
 * The frames of stored batches in TypeScript: exactly what assembly/frames.ts does. Its oracle in
 * tests, its stand-in where WebAssembly is missing, and the cheaper one for small batches.
 */
import { murmur3Range, NULL_KEY_HASH } from "./hash.ts";

// The layout of batch and frame is drawn in assembly/frames.ts, the mirror of these.
/** Bytes of a batch before its first frame. */
export const BATCH_HEADER_BYTES = 64;
/** Where a batch names its length and its frame count. */
const BATCH_LENGTH = 12;
const BATCH_COUNT = 24;
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

/** Where frames lie, and the hashes of their keys. */
export interface Frames {
  /** Distances from the first byte. */
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
 * Reads the frames of batches that fill the bytes exactly, all lengths checked.
 *
 * @param into Columns with one cell per frame.
 * @returns -1, or the number of the first bad frame; a batch that is wrong as a whole, or bytes
 *   that are left over, count as the frame that would come next.
 */
export function readFramesTwin(bytes: Uint8Array, seed: number, into: Frames): number {
  const frameCount = into.positions.length;
  let done = 0;
  for (let at = 0; at < bytes.length; ) {
    if (at + BATCH_HEADER_BYTES > bytes.length) return done;
    const end = at + u32(bytes, at + BATCH_LENGTH);
    const count = u32(bytes, at + BATCH_COUNT);
    const start = at + BATCH_HEADER_BYTES;
    if (end < start || end > bytes.length || count > frameCount - done) return done;
    const good = readBatch({ bytes, start, end, count, done, seed }, into);
    if (good < count) return done + good;
    done += count;
    at = end;
    if (good > count) return done;
  }
  return done === frameCount ? -1 : done;
}

interface BatchPlace {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Frames of the batches before. */
  readonly done: number;
  readonly seed: number;
}

/** Frames of one batch. @returns How many are good; one more when they do not fill it. */
function readBatch({ bytes, start, end, count, done, seed }: BatchPlace, into: Frames): number {
  const { positions, keyHashes } = into;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + FRAME_HEADER_BYTES > end) return i;
    const frameEnd = at + u32(bytes, at);
    const keyField = u16(bytes, at + KEY_LENGTH);
    const key = at + FRAME_HEADER_BYTES;
    const keyEnd = keyField === NO_KEY ? key : key + keyField;
    const headersEnd = keyEnd + u32(bytes, at + HEADERS_LENGTH);
    if (headersEnd > frameEnd || frameEnd > end || u32(bytes, at + NUMBER) !== i) return i;
    if (!headersFit(bytes, keyEnd, headersEnd)) return i;
    positions[done + i] = at;
    keyHashes[done + i] =
      keyField === NO_KEY ? NULL_KEY_HASH : murmur3Range(bytes, key, keyEnd, seed);
    at = frameEnd;
  }
  return at === end ? count : count + 1;
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
