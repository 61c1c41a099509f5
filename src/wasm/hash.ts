/**
 * Hash functions over bytes and text, one key at a time.
 *
 * Algorithms: MurmurHash3 x86-32 and MurmurHash2 by Austin Appleby (public domain), xxHash32 by
 * Yann Collet (specification in xxhash_spec.md, BSD-2). The kernel has the same functions for whole
 * batches of raw keys.
 */

/**
 * Seed of headrace's own key hash: "head" in ASCII. Any constant that is not a seed of Kafka
 * clients would do.
 */
export const PARTITION_KEY_SEED = 0x68656164;

/**
 * Hash of a message without a key. A real key with this hash shares its key group, which is
 * harmless.
 */
export const NULL_KEY_HASH = 0x6e756c6c;

const M3_C1 = 0xcc9e2d51;
const M3_C2 = 0x1b873593;
const M3_ADD = 0xe6546b64;
const M3_F1 = 0x85ebca6b;
const M3_F2 = 0xc2b2ae35;

/** MurmurHash3 x86-32, unsigned. A loop of its own: see {@link hashKeys}. */
export function murmur3(bytes: Uint8Array, seed: number): number {
  const length = bytes.length;
  let h = seed | 0;
  // `last` is the last byte of a word.
  for (let last = 3; last < length; last += 4) {
    const word =
      bytes[last - 3]! | (bytes[last - 2]! << 8) | (bytes[last - 1]! << 16) | (bytes[last]! << 24);
    const k = Math.imul(word, M3_C1);
    h ^= Math.imul((k << 15) | (k >>> 17), M3_C2);
    h = (Math.imul((h << 13) | (h >>> 19), 5) + M3_ADD) | 0;
  }
  // What is left after the last word are the upper bytes of the last three. No branch on how many:
  // processors guess wrong for every second key. No byte mixes to 0.
  let rest = 0;
  if (length > 2) {
    rest = bytes[length - 3]! | (bytes[length - 2]! << 8) | (bytes[length - 1]! << 16);
    rest >>>= 24 - ((length & 3) << 3);
  } else if (length > 0) {
    rest = length > 1 ? bytes[0]! | (bytes[1]! << 8) : bytes[0]!;
  }
  const k = Math.imul(rest, M3_C1);
  h ^= Math.imul((k << 15) | (k >>> 17), M3_C2) ^ length;
  h = Math.imul(h ^ (h >>> 16), M3_F1);
  h = Math.imul(h ^ (h >>> 13), M3_F2);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Keys of a batch, by index. */
export interface KeySource {
  /** null: a message without a key. */
  keyAt(index: number): Uint8Array | null;
}

/**
 * Fills `column[0, count)` with {@link murmur3} of each key and {@link PARTITION_KEY_SEED};
 * {@link NULL_KEY_HASH} where there is none.
 *
 * Placing a batch of decoded messages spends most of its time here, so the hash stands in the loop:
 * JavaScriptCore inlines neither `murmur3` nor its parts, and takes half as long again for the
 * calls. O(bytes of all keys), no allocation.
 */
export function hashKeys(keys: KeySource, count: number, column: Uint32Array): void {
  for (let i = 0; i < count; i++) {
    const bytes = keys.keyAt(i);
    if (bytes === null) {
      column[i] = NULL_KEY_HASH;
      continue;
    }
    const length = bytes.length;
    let h = PARTITION_KEY_SEED;
    for (let last = 3; last < length; last += 4) {
      const word =
        bytes[last - 3]! |
        (bytes[last - 2]! << 8) |
        (bytes[last - 1]! << 16) |
        (bytes[last]! << 24);
      const k = Math.imul(word, M3_C1);
      h ^= Math.imul((k << 15) | (k >>> 17), M3_C2);
      h = (Math.imul((h << 13) | (h >>> 19), 5) + M3_ADD) | 0;
    }
    let rest = 0;
    if (length > 2) {
      rest = bytes[length - 3]! | (bytes[length - 2]! << 8) | (bytes[length - 1]! << 16);
      rest >>>= 24 - ((length & 3) << 3);
    } else if (length > 0) {
      rest = length > 1 ? bytes[0]! | (bytes[1]! << 8) : bytes[0]!;
    }
    const k = Math.imul(rest, M3_C1);
    h ^= Math.imul((k << 15) | (k >>> 17), M3_C2) ^ length;
    h = Math.imul(h ^ (h >>> 16), M3_F1);
    h = Math.imul(h ^ (h >>> 13), M3_F2);
    column[i] = h ^ (h >>> 16);
  }
}

/** Mixes the hashes in `column[0, count)` once more. Different ones stay different. */
export function remixHashes(column: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) column[i] = finishMurmur3(column[i]!);
}

/** {@link murmur3} of `bytes[start, end)`; no view is made. */
export function murmur3Range(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const length = end - start;
  const wordsEnd = start + (length & ~3);
  let h = seed | 0;
  let p = start;
  for (; p < wordsEnd; p += 4) {
    h ^= mixMurmur3(wordAt(bytes, p));
    h = (Math.imul((h << 13) | (h >>> 19), 5) + M3_ADD) | 0;
  }
  const left = length & 3;
  if (left !== 0) {
    let rest = bytes[p]!;
    if (left > 1) rest |= bytes[p + 1]! << 8;
    if (left > 2) rest |= bytes[p + 2]! << 16;
    h ^= mixMurmur3(rest);
  }
  return finishMurmur3(h ^ length);
}

/**
 * MurmurHash3 x86-32 of the text's UTF-8 bytes, unsigned. Allocates only when the text is not
 * ASCII.
 *
 * A lone surrogate counts as U+FFFD, as in every UTF-8 encoder.
 */
export function murmur3Text(text: string, seed: number): number {
  const length = text.length;
  const wordsEnd = length & ~3;
  let h = seed | 0;
  let p = 0;
  let all = 0;
  for (; p < wordsEnd; p += 4) {
    const a = text.charCodeAt(p);
    const b = text.charCodeAt(p + 1);
    const c = text.charCodeAt(p + 2);
    const d = text.charCodeAt(p + 3);
    all |= a | b | c | d;
    h ^= mixMurmur3(a | (b << 8) | (c << 16) | (d << 24));
    h = (Math.imul((h << 13) | (h >>> 19), 5) + M3_ADD) | 0;
  }
  let rest = 0;
  for (let shift = 0; p < length; p++, shift += 8) {
    const unit = text.charCodeAt(p);
    all |= unit;
    rest |= unit << shift;
  }
  // Past ASCII one unit is not one byte: what was computed is void.
  if (all > 0x7f) return murmur3(ENCODER.encode(text), seed);
  h ^= mixMurmur3(rest);
  return finishMurmur3(h ^ length);
}

const ENCODER: TextEncoder = new TextEncoder();

function mixMurmur3(word: number): number {
  const k = Math.imul(word, M3_C1);
  return Math.imul((k << 15) | (k >>> 17), M3_C2);
}

function finishMurmur3(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), M3_F1);
  h = Math.imul(h ^ (h >>> 13), M3_F2);
  return (h ^ (h >>> 16)) >>> 0;
}

const M2 = 0x5bd1e995;
/** The seed in Kafka's Utils.murmur2. */
const KAFKA_SEED = 0x9747b28c;

/**
 * MurmurHash2 as Kafka's Java client computes it, signed. Partition of a key: `(murmur2(key) &
 * 0x7fffffff) % n`.
 */
export function murmur2(bytes: Uint8Array): number {
  return murmur2Range(bytes, 0, bytes.length);
}

/** {@link murmur2} of `bytes[start, end)`. */
export function murmur2Range(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const wordsEnd = start + (length & ~3);
  let h = KAFKA_SEED ^ length;
  let p = start;
  for (; p < wordsEnd; p += 4) {
    const word = bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24);
    const k = Math.imul(word, M2);
    h = Math.imul(h, M2) ^ Math.imul(k ^ (k >>> 24), M2);
  }
  const left = length & 3;
  if (left !== 0) {
    if (left > 2) h ^= bytes[p + 2]! << 16;
    if (left > 1) h ^= bytes[p + 1]! << 8;
    h = Math.imul(h ^ bytes[p]!, M2);
  }
  h = Math.imul(h ^ (h >>> 13), M2);
  return h ^ (h >>> 15);
}

const X1 = 0x9e3779b1;
const X2 = 0x85ebca77;
const X3 = 0xc2b2ae3d;
const X4 = 0x27d4eb2f;
const X5 = 0x165667b1;

/** xxHash32, unsigned. Iggy's clients use it with seed 0. */
export function xxh32(bytes: Uint8Array, seed: number): number {
  return xxh32Range(bytes, 0, bytes.length, seed);
}

/** {@link xxh32} of `bytes[start, end)`. */
export function xxh32Range(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const length = end - start;
  let p = start;
  let h: number;
  if (length >= 16) {
    let a = (seed + X1 + X2) | 0;
    let b = (seed + X2) | 0;
    let c = seed | 0;
    let d = (seed - X1) | 0;
    for (const last = end - 16; p <= last; p += 16) {
      a = roundXxh32(a, wordAt(bytes, p));
      b = roundXxh32(b, wordAt(bytes, p + 4));
      c = roundXxh32(c, wordAt(bytes, p + 8));
      d = roundXxh32(d, wordAt(bytes, p + 12));
    }
    h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  } else {
    h = seed + X5;
  }
  h = (h + length) | 0;
  for (; p + 4 <= end; p += 4) {
    h = Math.imul(rotate((h + Math.imul(wordAt(bytes, p), X3)) | 0, 17), X4);
  }
  for (; p < end; p++) h = Math.imul(rotate((h + Math.imul(bytes[p]!, X5)) | 0, 11), X1);
  h = Math.imul(h ^ (h >>> 15), X2);
  h = Math.imul(h ^ (h >>> 13), X3);
  return (h ^ (h >>> 16)) >>> 0;
}

function roundXxh32(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, X2)) | 0, 13), X1);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
