// Balanced placement: largest key group first onto the least-loaded bin (LPT; Graham, "Bounds on
// multiprocessing timing anomalies", 1969). Ties go to the first offset and to the lowest bin, so
// the result is deterministic.

import { insert } from "./group";
import {
  BIN,
  COUNT,
  column,
  ENTRY_LANE,
  GROUP,
  HEAP,
  LANE,
  LOAD,
  ORDER,
  REFUSED,
  SIZE,
  SLOT,
  table,
  UNPLACED,
} from "./layout";
import { place } from "./reduce";

/**
 * A heap cell is load * 2^16 + bin: comparing cells compares loads, then bins. Bins stay below
 * 2^16.
 */
const BIN_BITS: u64 = 16;

/**
 * Places the batch on `binCount` bins whose loads stand in the LOAD column. A key in flight stays
 * on its bin and its messages add to that bin's load before any other group is placed.
 *
 * @returns Number of non-empty bins, or REFUSED when a key in flight lies on no bin below
 *   `binCount`.
 */
export function pack(messageCount: u32, binCount: u32): u32 {
  const groupCount = insert(messageCount, false);
  const largest = addKeptLoads(groupCount, binCount);
  if (largest === REFUSED) return REFUSED;
  const newCount = sortNewGroups(groupCount, largest);
  if (newCount > 0) {
    buildHeap(binCount);
    placeNewGroups(newCount, binCount);
  }
  const bins = column(BIN);
  const groups = column(GROUP);
  const lanes = column(LANE);
  for (let i: usize = 0, end = (<usize>messageCount) << 2; i < end; i += 4) {
    store<u32>(bins + i, load<u32>(lanes + ((<usize>load<u32>(groups + i)) << 2)));
  }
  return place(messageCount, binCount);
}

/** Returns the size of the largest key group without a bin; 0 when there is none. */
function addKeptLoads(groupCount: u32, binCount: u32): u32 {
  const lanes = column(LANE);
  const sizes = column(SIZE);
  const loads = column(LOAD);
  let largest: u32 = 0;
  for (let g: usize = 0, end = (<usize>groupCount) << 2; g < end; g += 4) {
    const size = load<u32>(sizes + g);
    const lane = load<u32>(lanes + g);
    if (lane === UNPLACED) {
      if (size > largest) largest = size;
      continue;
    }
    if (lane >= binCount) return REFUSED;
    const loadPtr = loads + ((<usize>lane) << 2);
    store<u32>(loadPtr, load<u32>(loadPtr) + size);
  }
  return largest;
}

/**
 * Counting sort by size, descending and stable, of the key groups without a bin. Result in the
 * ORDER column.
 */
function sortNewGroups(groupCount: u32, largest: u32): u32 {
  const lanes = column(LANE);
  const sizes = column(SIZE);
  const counts = column(COUNT);
  const sorted = column(ORDER);
  const groupsEnd = (<usize>groupCount) << 2;
  memory.fill(counts, 0, (<usize>largest + 1) << 2);
  for (let g: usize = 0; g < groupsEnd; g += 4) {
    if (load<u32>(lanes + g) !== UNPLACED) continue;
    const count = counts + ((<usize>load<u32>(sizes + g)) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  let total: u32 = 0;
  for (let size = largest; size > 0; size--) {
    const count = counts + ((<usize>size) << 2);
    const groupsOfSize = load<u32>(count);
    store<u32>(count, total);
    total += groupsOfSize;
  }
  for (let g: usize = 0; g < groupsEnd; g += 4) {
    if (load<u32>(lanes + g) !== UNPLACED) continue;
    const cursor = counts + ((<usize>load<u32>(sizes + g)) << 2);
    const position = load<u32>(cursor);
    store<u32>(sorted + ((<usize>position) << 2), <u32>(g >> 2));
    store<u32>(cursor, position + 1);
  }
  return total;
}

function buildHeap(binCount: u32): void {
  const loads = column(LOAD);
  const heap = column(HEAP);
  for (let bin: u32 = 0; bin < binCount; bin++) {
    const cell = ((<u64>load<u32>(loads + ((<usize>bin) << 2))) << BIN_BITS) | <u64>bin;
    store<u64>(heap + ((<usize>bin) << 3), cell);
  }
  for (let parent = binCount >> 1; parent > 0; parent--) {
    const at = parent - 1;
    sink(heap, binCount, at, load<u64>(heap + ((<usize>at) << 3)));
  }
}

/** Puts `cell` where it belongs at or below index `from`, whose old cell is overwritten. */
function sink(heap: usize, binCount: u32, from: u32, cell: u64): void {
  let at = from;
  let child = (at << 1) + 1;
  while (child < binCount) {
    let smaller = load<u64>(heap + ((<usize>child) << 3));
    if (child + 1 < binCount) {
      const right = load<u64>(heap + ((<usize>(child + 1)) << 3));
      child += <u32>(right < smaller);
      smaller = min<u64>(right, smaller);
    }
    if (cell < smaller) break;
    store<u64>(heap + ((<usize>at) << 3), smaller);
    at = child;
    child = (at << 1) + 1;
  }
  store<u64>(heap + ((<usize>at) << 3), cell);
}

/** Gives each sorted key group the bin at the top of the heap, and remembers it in the table. */
function placeNewGroups(newCount: u32, binCount: u32): void {
  const sorted = column(ORDER);
  const lanes = column(LANE);
  const sizes = column(SIZE);
  const slots = column(SLOT);
  const heap = column(HEAP);
  const entries = table();
  for (let i: usize = 0, end = (<usize>newCount) << 2; i < end; i += 4) {
    const g = (<usize>load<u32>(sorted + i)) << 2;
    const least = load<u64>(heap);
    const bin = <u32>least & 0xffff;
    store<u32>(lanes + g, bin);
    store<u32>(entries + <usize>load<u32>(slots + g), bin, ENTRY_LANE);
    sink(heap, binCount, 0, least + ((<u64>load<u32>(sizes + g)) << BIN_BITS));
  }
}
