// CRC-32C (Castagnoli): the checksum of stored batches. Two ways, both from published work:
//
// * Long input is shortened first, by a multiple of the polynomial with few terms: x^209 + x^144 +
//   x^54 + x^39 + x^14 + 1, the shortest with six. Its 64th power is a multiple too, and has the
//   same terms with exponents 64 times as high (squares have no mixed terms in this arithmetic):
//   so a term is a distance in 8-byte words, and a word drops out when it is added to five later
//   ones. No tables, no shifts; three times as fast. (The idea: Russell, "Chorba: A novel CRC32
//   implementation", 2024.)
// * What is left goes through slicing-by-16 (Kounavis and Berry, "A Systematic Approach to Building
//   High Performance, Software-based, CRC Generators", Intel 2005): of sixteen look-ups per sixteen
//   bytes only four wait for those before. The tables have a fixed place, so that a look-up is a
//   shift, a mask and a load with a constant offset.
import { TABLES } from "./layout";

const POLYNOMIAL: u32 = 0x82f63b78;
/** Bytes of one table; table k holds the checksum of a byte with k zero bytes behind it. */
const TABLE: usize = 1024;

/** Where a word that drops out is added, in bytes behind it: 209 minus each exponent, in words. */
const FIRST: usize = (209 - 144) * 8;
const SECOND: usize = (209 - 54) * 8;
const THIRD: usize = (209 - 39) * 8;
const FOURTH: usize = (209 - 14) * 8;
const FIFTH: usize = 209 * 8;
/** Below this the tables alone are faster: FIFTH bytes go through them anyway. */
const SHORTEN_MIN: u32 = 4096;

/** Fills the tables: once, before the first `crc32c`. */
export function makeTables(): void {
  for (let byte: usize = 0; byte < 256; byte++) {
    let crc = <u32>byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * POLYNOMIAL);
    store<u32>(byte << 2, crc, TABLES);
  }
  for (let at: usize = TABLE; at < 16 * TABLE; at += 4) {
    const previous = load<u32>(at - TABLE + TABLES);
    store<u32>(at, (previous >> 8) ^ load<u32>(first(previous), TABLES), TABLES);
  }
}

/**
 * Checksum state after `length` bytes at `start`. The bytes are used up: they are others afterwards.
 *
 * @param start BYTES, before which there are BYTES_MARGIN zero bytes.
 * @param state Of the bytes before: all ones at the beginning. The checksum is the complement of
 *   the last state.
 */
export function crc32c(start: u32, length: u32, state: u32): u32 {
  if (length < SHORTEN_MIN) return sliced(<usize>start, length, state);
  store<u32>(<usize>start, load<u32>(<usize>start) ^ state);
  const dropped = (length - <u32>FIFTH) & ~7;
  shorten(<usize>start, <usize>(start + dropped));
  return sliced(<usize>(start + dropped), length - dropped, 0);
}

/**
 * Adds each word of [start, end) to the five words behind it that the polynomial's multiple names.
 * Seen from the later word: it fetches what those before have become. Nothing is before `start`.
 */
function shorten(start: usize, end: usize): void {
  let at = start - FIFTH;
  for (const last = end - FIFTH; at < last; at += 8) {
    const near = load<u64>(at, FIFTH) ^ load<u64>(at, FIFTH - FIRST);
    const middle = load<u64>(at, FIFTH - SECOND) ^ load<u64>(at, FIFTH - THIRD);
    const far = load<u64>(at, FIFTH - FOURTH) ^ load<u64>(at);
    store<u64>(at, near ^ middle ^ far, FIFTH);
  }
  // The words from `end` on stay; they fetch from those before `end` only.
  fetch(end, FIRST);
  fetch(end, SECOND);
  fetch(end, THIRD);
  fetch(end, FOURTH);
  fetch(end, FIFTH);
}

function fetch(from: usize, distance: usize): void {
  for (let at = from, end = from + distance; at < end; at += 8) {
    store<u64>(at, load<u64>(at) ^ load<u64>(at - distance));
  }
}

function sliced(start: usize, length: u32, state: u32): u32 {
  let crc = state;
  let at = start;
  const end = at + <usize>length;
  const wordsEnd = at + <usize>(length & ~15);
  for (; at < wordsEnd; at += 16) {
    const a = load<u32>(at) ^ crc;
    const b = load<u32>(at, 4);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    const rest =
      load<u32>(first(b), TABLES + 11 * TABLE) ^
      load<u32>(second(b), TABLES + 10 * TABLE) ^
      (load<u32>(third(b), TABLES + 9 * TABLE) ^ load<u32>(fourth(b), TABLES + 8 * TABLE)) ^
      (load<u32>(first(c), TABLES + 7 * TABLE) ^
        load<u32>(second(c), TABLES + 6 * TABLE) ^
        (load<u32>(third(c), TABLES + 5 * TABLE) ^ load<u32>(fourth(c), TABLES + 4 * TABLE))) ^
      (load<u32>(first(d), TABLES + 3 * TABLE) ^
        load<u32>(second(d), TABLES + 2 * TABLE) ^
        (load<u32>(third(d), TABLES + TABLE) ^ load<u32>(fourth(d), TABLES)));
    crc =
      rest ^
      (load<u32>(first(a), TABLES + 15 * TABLE) ^
        load<u32>(second(a), TABLES + 14 * TABLE) ^
        (load<u32>(third(a), TABLES + 13 * TABLE) ^ load<u32>(fourth(a), TABLES + 12 * TABLE)));
  }
  for (; at < end; at++) crc = (crc >> 8) ^ load<u32>(first(crc ^ <u32>load<u8>(at)), TABLES);
  return crc;
}

// A byte of a word as a distance into a table.

function first(word: u32): usize {
  return (word << 2) & 0x3fc;
}

function second(word: u32): usize {
  return (word >> 6) & 0x3fc;
}

function third(word: u32): usize {
  return (word >> 14) & 0x3fc;
}

function fourth(word: u32): usize {
  return (word >> 22) & 0x3fc;
}
