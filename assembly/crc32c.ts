// CRC-32C (Castagnoli): the checksum of stored batches.
//
// Slicing-by-16 (Kounavis and Berry, "A Systematic Approach to Building High Performance,
// Software-based, CRC Generators", Intel 2005): of sixteen look-ups per sixteen bytes only four
// wait for those before. The tables have a fixed place, so that a look-up is a shift, a mask and a
// load with a constant offset.
import { TABLES } from "./layout";

const POLYNOMIAL: u32 = 0x82f63b78;
/** Bytes of one table; table k holds the checksum of a byte with k zero bytes behind it. */
const TABLE: usize = 1024;

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
 * Checksum state after `length` bytes at `start`.
 *
 * @param state Of the bytes before: all ones at the beginning. The checksum is the complement of
 *   the last state.
 */
export function crc32c(start: u32, length: u32, state: u32): u32 {
  let crc = state;
  let at = <usize>start;
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
