// Walks the frames of stored batches: one call checks every length, notes where the frames lie, and
// hashes their keys in place. A key begins 40 bytes after its frame.
//
//   batch   12 u32 length, these 64 bytes included   24 u32 frame count
//   frame   0 u32 length, these 40 bytes included    32 u16 key length, 0xffff = no key
//           4 u32 number in the batch                36 u32 headers length
//                                                    40     key, headers, value
//   header  0 u16 name length, name, u32 value length, value
import { murmur3Of } from "./hash";
import { column, GROUP, HASH, NULL_KEY_HASH } from "./layout";

const BATCH: u32 = 64;
const BATCH_LENGTH: usize = 12;
const BATCH_COUNT: usize = 24;
const FRAME: usize = 40;
const NUMBER: usize = 4;
const KEY_LENGTH: usize = 32;
const HEADERS_LENGTH: usize = 36;
const NO_KEY: u32 = 0xffff;
/** Every frame is as it must be. */
const ALL_GOOD: u32 = 0xffffffff;

/**
 * Reads `frameCount` frames of batches that fill `length` bytes exactly.
 *
 * Fills GROUP with the distance of each frame from `base` and HASH with the MurmurHash3 of its key.
 *
 * @param base Where the first batch begins in memory.
 * @returns ALL_GOOD, or the number of the first bad frame; a batch that is wrong as a whole, or
 *   bytes that are left over, count as the frame that would come next.
 */
export function frames(frameCount: u32, base: u32, length: u32, seed: u32): u32 {
  let done: u32 = 0;
  let at: u32 = 0;
  while (at < length) {
    const batch = <usize>(base + at);
    if (length - at < BATCH) return done;
    const size = load<u32>(batch, BATCH_LENGTH);
    const count = load<u32>(batch, BATCH_COUNT);
    if (size < BATCH || size > length - at || count > frameCount - done) return done;
    const good = framesOf(count, base, at + BATCH, at + size, done, seed);
    if (good < count) return done + good;
    done += count;
    at += size;
    if (good > count) return done;
  }
  return done === frameCount ? ALL_GOOD : done;
}

/** Frames of one batch. @returns How many are good; one more when they do not fill it. */
function framesOf(count: u32, base: u32, from: u32, end: u32, done: u32, seed: u32): u32 {
  const positions = column(GROUP) + ((<usize>done) << 2);
  const hashes = column(HASH) + ((<usize>done) << 2);
  let at = from;
  for (let i: u32 = 0; i < count; i++) {
    const frame = <usize>(base + at);
    // `at` never passes `end`, and no sum below leaves 33 bits.
    const room = end - at;
    if (room < <u32>FRAME) return i;
    const size = load<u32>(frame);
    const keyField = <u32>load<u16>(frame, KEY_LENGTH);
    const keyBytes = keyField === NO_KEY ? 0 : keyField;
    const headersBytes = load<u32>(frame, HEADERS_LENGTH);
    if (size > room || <u64>(<u32>FRAME + keyBytes) + <u64>headersBytes > <u64>size) return i;
    if (load<u32>(frame, NUMBER) !== i) return i;
    const key = frame + FRAME;
    if (headersBytes !== 0 && !headersFit(key + <usize>keyBytes, headersBytes)) return i;
    const hash = keyField === NO_KEY ? NULL_KEY_HASH : murmur3Of(key, keyBytes, seed);
    store<u32>(positions + ((<usize>i) << 2), at);
    store<u32>(hashes + ((<usize>i) << 2), hash);
    at += size;
  }
  return at === end ? count : count + 1;
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
