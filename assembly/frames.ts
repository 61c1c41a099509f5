// Walks the frames of a stored batch: one call checks every length, notes where the frames lie, and
// hashes their keys in place. A key begins 40 bytes after its frame.
//
//   frame   0 u32 length, these 40 bytes included   32 u16 key length, 0xffff = no key
//           4 u32 number in the batch               36 u32 headers length
//                                                   40     key, headers, value
//   header  0 u16 name length, name, u32 value length, value

import { murmur3Of } from "./hash";
import { column, GROUP, HASH, NULL_KEY_HASH } from "./layout";

const FRAME: usize = 40;
const NUMBER: usize = 4;
const KEY_LENGTH: usize = 32;
const HEADERS_LENGTH: usize = 36;
const NO_KEY: u32 = 0xffff;
/** Every frame is as it must be. */
const ALL_GOOD: u32 = 0xffffffff;

/**
 * Reads `frameCount` frames that fill the bytes from `from` to `length` exactly.
 *
 * Fills GROUP with the distance of each frame from `base` and HASH with the MurmurHash3 of its key.
 *
 * @param base Where the batch begins in memory.
 * @returns ALL_GOOD, or the number of the first bad frame; `frameCount` when bytes are left over.
 */
export function frames(frameCount: u32, base: u32, from: u32, length: u32, seed: u32): u32 {
  const positions = column(GROUP);
  const hashes = column(HASH);
  if (from > length) return 0;
  let at = from;
  for (let i: u32 = 0; i < frameCount; i++) {
    const frame = <usize>(base + at);
    // `at` never passes `length`, and no sum below leaves 33 bits.
    const room = length - at;
    if (room < <u32>FRAME) return i;
    const size = load<u32>(frame);
    const keyField = load<u16>(frame, KEY_LENGTH);
    const noKey = <u32>keyField === NO_KEY;
    const keyBytes = noKey ? 0 : <u32>keyField;
    const headersBytes = load<u32>(frame, HEADERS_LENGTH);
    const fixed = <u32>FRAME + keyBytes;
    if (size > room || <u64>fixed + <u64>headersBytes > <u64>size) return i;
    if (load<u32>(frame, NUMBER) !== i) return i;
    const key = frame + FRAME;
    if (headersBytes !== 0 && !headersFit(key + <usize>keyBytes, headersBytes)) return i;
    const cell = (<usize>i) << 2;
    store<u32>(positions + cell, at);
    store<u32>(hashes + cell, noKey ? NULL_KEY_HASH : murmur3Of(key, keyBytes, seed));
    at += size;
  }
  return at === length ? ALL_GOOD : frameCount;
}

/** Whether names and values fill the headers exactly. */
function headersFit(start: usize, length: u32): bool {
  let at: u32 = 0;
  while (length - at >= 6) {
    const nameEnd = <u64>at + 2 + <u64>load<u16>(start + <usize>at);
    if (nameEnd + 4 > <u64>length) return false;
    const valueEnd = nameEnd + 4 + <u64>load<u32>(start + <usize>nameEnd);
    if (valueEnd > <u64>length) return false;
    at = <u32>valueEnd;
  }
  return at === length;
}
