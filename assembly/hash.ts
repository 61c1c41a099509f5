// Batch hashes of raw keys: one call hashes every key of a record batch in place.
//
// Algorithms: MurmurHash3 x86-32 and MurmurHash2 by Austin Appleby (public domain), the latter with
// Kafka's seed and as Kafka's Utils.murmur2 computes it; xxHash32 by Yann Collet (specification in
// xxhash_spec.md, BSD-2).
//
// Input: SLOT and SIZE columns hold start and end of each key, as distances from `base` (wrapping
// u32); a start of NULL_KEY_START is a message without a key. Output: HASH column.
import { column, HASH, NULL_KEY_HASH, NULL_KEY_START, SIZE, SLOT } from "./layout";

/** MurmurHash3 x86-32 of one key. */
export function murmur3Of(start: usize, length: u32, seed: u32): u32 {
  let h = seed;
  let p = start;
  const wordsEnd = start + <usize>(length & ~3);
  for (; p < wordsEnd; p += 4) {
    h ^= rotl<u32>(load<u32>(p) * 0xcc9e2d51, 15) * 0x1b873593;
    h = rotl<u32>(h, 13) * 5 + 0xe6546b64;
  }
  // Branch-free tail: reads up to 4 bytes past the key (the slack is there) and masks them; no
  // bytes mix to 0.
  const rest = load<u32>(p) & (((<u32>1) << ((length & 3) << 3)) - 1);
  h ^= rotl<u32>(rest * 0xcc9e2d51, 15) * 0x1b873593;
  h ^= length;
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

function murmur2Of(start: usize, length: u32): u32 {
  let h: u32 = 0x9747b28c ^ length;
  let p = start;
  const wordsEnd = start + <usize>(length & ~3);
  for (; p < wordsEnd; p += 4) {
    let k = load<u32>(p) * 0x5bd1e995;
    k = (k ^ (k >> 24)) * 0x5bd1e995;
    h = (h * 0x5bd1e995) ^ k;
  }
  const rest = load<u32>(p) & (((<u32>1) << ((length & 3) << 3)) - 1);
  h = select<u32>((h ^ rest) * 0x5bd1e995, h, (length & 3) !== 0);
  h = (h ^ (h >> 13)) * 0x5bd1e995;
  return h ^ (h >> 15);
}

function xxh32Of(start: usize, length: u32, seed: u32): u32 {
  let h: u32 = 0;
  let p = start;
  const end = start + <usize>length;
  if (length >= 16) {
    let a = seed + 0x9e3779b1 + 0x85ebca77;
    let b = seed + 0x85ebca77;
    let c = seed;
    let d = seed - 0x9e3779b1;
    for (const last = end - 16; p <= last; p += 16) {
      a = rotl<u32>(a + load<u32>(p) * 0x85ebca77, 13) * 0x9e3779b1;
      b = rotl<u32>(b + load<u32>(p, 4) * 0x85ebca77, 13) * 0x9e3779b1;
      c = rotl<u32>(c + load<u32>(p, 8) * 0x85ebca77, 13) * 0x9e3779b1;
      d = rotl<u32>(d + load<u32>(p, 12) * 0x85ebca77, 13) * 0x9e3779b1;
    }
    h = rotl<u32>(a, 1) + rotl<u32>(b, 7) + rotl<u32>(c, 12) + rotl<u32>(d, 18);
  } else {
    h = seed + 0x165667b1;
  }
  h += length;
  for (; p + 4 <= end; p += 4) h = rotl<u32>(h + load<u32>(p) * 0xc2b2ae3d, 17) * 0x27d4eb2f;
  for (; p < end; p++) h = rotl<u32>(h + <u32>load<u8>(p) * 0x165667b1, 11) * 0x9e3779b1;
  h = (h ^ (h >> 15)) * 0x85ebca77;
  h = (h ^ (h >> 13)) * 0xc2b2ae3d;
  return h ^ (h >> 16);
}

/** Fills the HASH column with MurmurHash3 x86-32. */
export function murmur3(messageCount: u32, base: u32, seed: u32): void {
  const hashes = column(HASH);
  const starts = column(SLOT);
  const ends = column(SIZE);
  for (let i: usize = 0, end = (<usize>messageCount) << 2; i < end; i += 4) {
    const from = load<u32>(starts + i);
    const length = load<u32>(ends + i) - from;
    const hash =
      from === NULL_KEY_START ? NULL_KEY_HASH : murmur3Of(<usize>(base + from), length, seed);
    store<u32>(hashes + i, hash);
  }
}

/** Fills the HASH column with Kafka's MurmurHash2; the seed is Kafka's own. */
export function murmur2(messageCount: u32, base: u32): void {
  const hashes = column(HASH);
  const starts = column(SLOT);
  const ends = column(SIZE);
  for (let i: usize = 0, end = (<usize>messageCount) << 2; i < end; i += 4) {
    const from = load<u32>(starts + i);
    const length = load<u32>(ends + i) - from;
    const hash = from === NULL_KEY_START ? NULL_KEY_HASH : murmur2Of(<usize>(base + from), length);
    store<u32>(hashes + i, hash);
  }
}

/** Fills the HASH column with xxHash32. */
export function xxh32(messageCount: u32, base: u32, seed: u32): void {
  const hashes = column(HASH);
  const starts = column(SLOT);
  const ends = column(SIZE);
  for (let i: usize = 0, end = (<usize>messageCount) << 2; i < end; i += 4) {
    const from = load<u32>(starts + i);
    const length = load<u32>(ends + i) - from;
    const hash =
      from === NULL_KEY_START ? NULL_KEY_HASH : xxh32Of(<usize>(base + from), length, seed);
    store<u32>(hashes + i, hash);
  }
}
