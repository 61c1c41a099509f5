/**
 * The kernel's functions in TypeScript, over the kernel's own memory.
 *
 * Each function does exactly what its namesake in assembly/ does and leaves the same table behind,
 * so that batches may alternate between the two: small ones are cheaper here (H6). Also the oracle
 * of the kernel in tests, and all there is where WebAssembly is missing.
 */
import {
  ENTRY_WORDS,
  FREE_COUNT,
  KEYS_IN_FLIGHT,
  LANES_MADE,
  REFUSED,
  TABLE_SHIFT,
  UNPLACED,
} from "./layout.ts";
import { homeOf, type KernelMemory } from "./memory.ts";

/**
 * Takes `finished[start, end)` out of the table; see assembly/group.ts. Returns how many hashes
 * were not in flight.
 */
export function finish(
  memory: KernelMemory,
  finished: Uint32Array,
  start: number,
  end: number,
  recycle: boolean,
): number {
  const { header, table, freeLanes } = memory;
  const shift = header[TABLE_SHIFT]!;
  const mask = table.length - 1;
  let unknown = 0;
  let removed = 0;
  let freeCount = header[FREE_COUNT]!;
  for (let i = start; i < end; i++) {
    const hash = finished[i]!;
    let at = homeOf(hash, shift);
    let count = table[at + 1]!;
    while (count !== 0 && table[at] !== hash) {
      at = (at + ENTRY_WORDS) & mask;
      count = table[at + 1]!;
    }
    if (count > 1) {
      table[at + 1] = count - 1;
    } else if (count === 1) {
      if (recycle) freeLanes[freeCount++] = table[at + 2]!;
      remove(table, at, shift, mask);
      removed++;
    } else {
      unknown++;
    }
  }
  header[FREE_COUNT] = freeCount;
  header[KEYS_IN_FLIGHT] = header[KEYS_IN_FLIGHT]! - removed;
  return unknown;
}

function remove(table: Uint32Array, at: number, shift: number, mask: number): void {
  let hole = at;
  let next = (at + ENTRY_WORDS) & mask;
  while (table[next + 1] !== 0) {
    const wanted = homeOf(table[next]!, shift);
    if (((next - wanted) & mask) >= ((next - hole) & mask)) {
      table[hole] = table[next]!;
      table[hole + 1] = table[next + 1]!;
      table[hole + 2] = table[next + 2]!;
      table[hole + 3] = table[next + 3]!;
      hole = next;
    }
    next = (next + ENTRY_WORDS) & mask;
  }
  table[hole + 1] = 0;
}

/**
 * Puts the batch into the table and numbers its key groups; see assembly/group.ts. Returns the
 * number of key groups.
 */
function insert(memory: KernelMemory, messageCount: number, makeLanes: boolean): number {
  const { header, table, freeLanes, hashes, groups, lanes, slots, sizes } = memory;
  const shift = header[TABLE_SHIFT]!;
  const mask = table.length - 1;
  let groupCount = 0;
  let added = 0;
  let freeCount = header[FREE_COUNT]!;
  let lanesMade = header[LANES_MADE]!;
  for (let i = 0; i < messageCount; i++) {
    const hash = hashes[i]!;
    let at = homeOf(hash, shift);
    let count = table[at + 1]!;
    while (count !== 0 && table[at] !== hash) {
      at = (at + ENTRY_WORDS) & mask;
      count = table[at + 1]!;
    }
    let group = groupCount;
    if (count !== 0) {
      const seen = table[at + 3]!;
      // The kernel keeps byte distances in SLOT, the twin word distances: scratch of one call,
      // never shared.
      if (seen < groupCount && slots[seen] === at) group = seen;
    } else {
      table[at] = hash;
      let lane = UNPLACED;
      if (makeLanes) lane = freeCount > 0 ? freeLanes[--freeCount]! : lanesMade++;
      table[at + 2] = lane;
      added++;
    }
    table[at + 1] = count + 1;
    groups[i] = group;
    if (group === groupCount) {
      table[at + 3] = group;
      lanes[group] = table[at + 2]!;
      slots[group] = at;
      sizes[group] = 1;
      groupCount++;
    } else {
      sizes[group] = sizes[group]! + 1;
    }
  }
  header[FREE_COUNT] = freeCount;
  header[LANES_MADE] = lanesMade;
  header[KEYS_IN_FLIGHT] = header[KEYS_IN_FLIGHT]! + added;
  return groupCount;
}

/** Per-key placement; see assembly/group.ts. Returns the number of groups. */
export function group(memory: KernelMemory, messageCount: number): number {
  const groupCount = insert(memory, messageCount, true);
  const { groups, sizes, starts, counts, order } = memory;
  let total = 0;
  for (let g = 0; g < groupCount; g++) {
    starts[g] = total;
    counts[g] = total;
    total += sizes[g]!;
  }
  starts[groupCount] = total;
  scatter(groups, counts, order, messageCount);
  return groupCount;
}

function scatter(
  keys: Uint32Array,
  cursors: Uint32Array,
  order: Uint32Array,
  messageCount: number,
): void {
  for (let i = 0; i < messageCount; i++) {
    const key = keys[i]!;
    const position = cursors[key]!;
    order[position] = i;
    cursors[key] = position + 1;
  }
}

/**
 * CSR of the bin column; see assembly/reduce.ts. Returns the number of non-empty bins, or REFUSED.
 */
export function place(memory: KernelMemory, messageCount: number, binCount: number): number {
  const { bins, counts } = memory;
  for (let bin = 0; bin < binCount; bin++) counts[bin] = 0;
  for (let i = 0; i < messageCount; i++) {
    const bin = bins[i]!;
    if (bin >= binCount) return REFUSED;
    counts[bin] = counts[bin]! + 1;
  }
  return placeCounted(memory, messageCount, binCount);
}

/** Bin by multiply-shift of the hash, then CSR; see assembly/reduce.ts. */
export function reduce(memory: KernelMemory, messageCount: number, binCount: number): number {
  const { hashes, bins, counts } = memory;
  for (let bin = 0; bin < binCount; bin++) counts[bin] = 0;
  for (let i = 0; i < messageCount; i++) {
    const bin = Math.floor((hashes[i]! * binCount) / 2 ** 32);
    bins[i] = bin;
    counts[bin] = counts[bin]! + 1;
  }
  return placeCounted(memory, messageCount, binCount);
}

function placeCounted(memory: KernelMemory, messageCount: number, binCount: number): number {
  const { bins, counts, lanes, starts, order } = memory;
  let groupCount = 0;
  let total = 0;
  for (let bin = 0; bin < binCount; bin++) {
    const count = counts[bin]!;
    if (count === 0) continue;
    lanes[groupCount] = bin;
    starts[groupCount] = total;
    counts[bin] = total;
    total += count;
    groupCount++;
  }
  starts[groupCount] = total;
  scatter(bins, counts, order, messageCount);
  return groupCount;
}

/** Cells are load * 2^16 + bin, exact in a double: loads stay below 2^33. */
const BIN_FACTOR = 65536;

/** Balanced placement; see assembly/pack.ts. Returns the number of non-empty bins, or REFUSED. */
export function pack(memory: KernelMemory, messageCount: number, binCount: number): number {
  const groupCount = insert(memory, messageCount, false);
  const { groups, lanes, bins } = memory;
  const largest = addKeptLoads(memory, groupCount, binCount);
  if (largest === REFUSED) return REFUSED;
  const newCount = sortNewGroups(memory, groupCount, largest);
  if (newCount > 0) {
    buildHeap(memory, binCount);
    placeNewGroups(memory, newCount, binCount);
  }
  for (let i = 0; i < messageCount; i++) bins[i] = lanes[groups[i]!]!;
  return place(memory, messageCount, binCount);
}

function addKeptLoads(memory: KernelMemory, groupCount: number, binCount: number): number {
  const { lanes, sizes, loads } = memory;
  let largest = 0;
  for (let g = 0; g < groupCount; g++) {
    const size = sizes[g]!;
    const lane = lanes[g]!;
    if (lane === UNPLACED) {
      if (size > largest) largest = size;
      continue;
    }
    if (lane >= binCount) return REFUSED;
    loads[lane] = loads[lane]! + size;
  }
  return largest;
}

function sortNewGroups(memory: KernelMemory, groupCount: number, largest: number): number {
  const { lanes, sizes, counts, order } = memory;
  for (let size = 0; size <= largest; size++) counts[size] = 0;
  for (let g = 0; g < groupCount; g++) {
    if (lanes[g] !== UNPLACED) continue;
    const size = sizes[g]!;
    counts[size] = counts[size]! + 1;
  }
  let total = 0;
  for (let size = largest; size > 0; size--) {
    const groupsOfSize = counts[size]!;
    counts[size] = total;
    total += groupsOfSize;
  }
  for (let g = 0; g < groupCount; g++) {
    if (lanes[g] !== UNPLACED) continue;
    const size = sizes[g]!;
    const position = counts[size]!;
    order[position] = g;
    counts[size] = position + 1;
  }
  return total;
}

function buildHeap(memory: KernelMemory, binCount: number): void {
  const { loads, heap } = memory;
  for (let bin = 0; bin < binCount; bin++) heap[bin] = loads[bin]! * BIN_FACTOR + bin;
  for (let at = (binCount >> 1) - 1; at >= 0; at--) sink(heap, binCount, at, heap[at]!);
}

function sink(heap: Float64Array, binCount: number, from: number, cell: number): void {
  let at = from;
  let child = 2 * at + 1;
  while (child < binCount) {
    let smaller = heap[child]!;
    if (child + 1 < binCount) {
      const right = heap[child + 1]!;
      if (right < smaller) {
        smaller = right;
        child++;
      }
    }
    if (cell < smaller) break;
    heap[at] = smaller;
    at = child;
    child = 2 * at + 1;
  }
  heap[at] = cell;
}

function placeNewGroups(memory: KernelMemory, newCount: number, binCount: number): void {
  const { order, lanes, sizes, slots, heap, table } = memory;
  for (let i = 0; i < newCount; i++) {
    const g = order[i]!;
    const least = heap[0]!;
    const bin = least % BIN_FACTOR;
    lanes[g] = bin;
    table[slots[g]! + 2] = bin;
    sink(heap, binCount, 0, least + sizes[g]! * BIN_FACTOR);
  }
}
