// Memory map of the kernel. src/wasm/layout.ts is its mirror: change both and raise ABI_VERSION.
//
// JavaScript owns the layout: it sizes the regions, grows the memory before a call, writes the
// header and moves the table. The kernel allocates nothing. One memory belongs to one lease of one
// partition.
//
//   byte 0        HEADER   8 words, rest reserved
//   byte 64       TABLES   16 tables of 256 words for checksums, made when they are first needed
//   byte 16448    COLUMNS  12 columns of `rows` words, each followed by 16 words of slack
//                   0 HASH   in   key hash per message
//                   1 BIN    in   bin per message (place); scratch of reduce and pack
//                   2 GROUP       key group per message                | out: frames (frames)
//                   3 LANE   out  lane per group
//                   4 START  out  first index into ORDER per group, and one past the last group
//                   5 ORDER  out  message indexes, group after group   | in: finished (finish)
//                   6 SLOT        table entry per key group, as bytes  | in: key start (hashes)
//                   7 SIZE        messages per key group               | in: key end (hashes)
//                   8 COUNT       counters of the counting sorts
//                   9 LOAD   in   load per bin (pack)
//                  10 HEAP        `rows` f64-sized cells: columns 10 and 11
//   FREE_LANES    stack of lane ids given back, capacity / 2 words
//   TABLE         key groups in flight, `capacity` (a power of two) entries of 4
//                   words, at most half of them used:
//                   hash | count (0: empty) | lane | key group in the current batch
//   MARGIN        1,728 zero bytes, which crc32c takes for the words before the first
//   BYTES         what hash functions, frames and crc32c
//                 read, then 16 bytes of slack
//
// `rows` is at least the number of messages and the number of bins, and a multiple of 16.

/** Raised with every change of the map or of a signature. */
const ABI_VERSION: u32 = 2;

export function abiVersion(): u32 {
  return ABI_VERSION;
}

// Header words, as byte addresses. Written by JavaScript when it lays out the memory ...
const STRIDE: usize = 0; // bytes from one column to the next
const TABLE: usize = 4;
const TABLE_SHIFT: usize = 8; // 32 - log2(capacity)
const FREE_LANES: usize = 12;
// ... and by the kernel and its twin in turn.
const KEYS_IN_FLIGHT: usize = 16;
const LANES_MADE: usize = 20; // lane ids ever taken, in use or on the stack
const FREE_COUNT: usize = 24; // lane ids on the stack

/** Fixed, so that look-ups need no base. */
export const TABLES: usize = 64;
const COLUMNS: usize = 16448;

/** Hash of a message without a key: any constant, "null" in ASCII. */
export const NULL_KEY_HASH: u32 = 0x6e756c6c;
/** Key start that says: no key. */
export const NULL_KEY_START: u32 = 0xffffffff;
/** What an export returns when its input breaks the contract. */
export const REFUSED: u32 = 0xffffffff;
/** Lane of a key group that `pack` has not placed yet. */
export const UNPLACED: u32 = 0xffffffff;

/** Bytes of one table entry, and the places inside it. */
export const ENTRY: usize = 16;
export const ENTRY_HASH: usize = 0;
export const ENTRY_COUNT: usize = 4;
export const ENTRY_LANE: usize = 8;
export const ENTRY_GROUP: usize = 12;

export const HASH: usize = 0;
export const BIN: usize = 1;
export const GROUP: usize = 2;
export const LANE: usize = 3;
export const START: usize = 4;
export const ORDER: usize = 5;
export const SLOT: usize = 6;
export const SIZE: usize = 7;
export const COUNT: usize = 8;
export const LOAD: usize = 9;
export const HEAP: usize = 10;

export function column(index: usize): usize {
  return COLUMNS + index * <usize>load<u32>(STRIDE);
}

export function table(): usize {
  return <usize>load<u32>(TABLE);
}

export function tableShift(): u32 {
  return load<u32>(TABLE_SHIFT);
}

/** Mask that wraps a byte distance from the start of the table. */
export function tableMask(shift: u32): usize {
  return (ENTRY << (<usize>(32 - shift))) - ENTRY;
}

/**
 * Where the search for a hash begins, in bytes from the start of the table. Fibonacci hashing
 * (Knuth, TAOCP 6.4): the table stays short of clusters even for hashes that agree in their low
 * bits, as murmur2 modulo partitions does.
 */
export function home(hash: u32, shift: u32): usize {
  return (<usize>((hash * 0x9e3779b1) >> shift)) << 4;
}

export function keysInFlight(): u32 {
  return load<u32>(KEYS_IN_FLIGHT);
}

export function setKeysInFlight(value: u32): void {
  store<u32>(KEYS_IN_FLIGHT, value);
}

/** Takes a lane id: the one given back last, else a new one. */
export function takeLane(): u32 {
  const free = load<u32>(FREE_COUNT);
  if (free > 0) {
    store<u32>(FREE_COUNT, free - 1);
    return load<u32>(<usize>load<u32>(FREE_LANES) + ((<usize>(free - 1)) << 2));
  }
  const lane = load<u32>(LANES_MADE);
  store<u32>(LANES_MADE, lane + 1);
  return lane;
}

export function giveLaneBack(lane: u32): void {
  const free = load<u32>(FREE_COUNT);
  store<u32>(<usize>load<u32>(FREE_LANES) + ((<usize>free) << 2), lane);
  store<u32>(FREE_COUNT, free + 1);
}
