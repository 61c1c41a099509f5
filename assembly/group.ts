// The table of key groups in flight, and per-key placement. Open addressing with linear probing and
// deletion by backward shift (Knuth, TAOCP 6.4, algorithm R): no tombstones, so the table never
// wears out.
import {
  COUNT,
  column,
  ENTRY,
  ENTRY_COUNT,
  ENTRY_GROUP,
  ENTRY_HASH,
  ENTRY_LANE,
  GROUP,
  giveLaneBack,
  HASH,
  home,
  keysInFlight,
  LANE,
  ORDER,
  SIZE,
  SLOT,
  START,
  setKeysInFlight,
  table,
  tableMask,
  tableShift,
  takeLane,
  UNPLACED,
} from "./layout";

/**
 * Takes finished messages out of the table: one hash per message in the ORDER column.
 *
 * @param recycle 1: lanes are ids of `group` and go back to the stack; 0: lanes are bins of `pack`.
 * @returns Number of hashes that are not in flight; 0 unless the caller is wrong.
 */
export function finish(finishedCount: u32, recycle: u32): u32 {
  const finished = column(ORDER);
  const entries = table();
  const shift = tableShift();
  const mask = tableMask(shift);
  let unknown: u32 = 0;
  let removed: u32 = 0;
  for (let i: usize = 0, end = (<usize>finishedCount) << 2; i < end; i += 4) {
    const hash = load<u32>(finished + i);
    let at = home(hash, shift);
    let count = load<u32>(entries + at, ENTRY_COUNT);
    while (count !== 0 && load<u32>(entries + at, ENTRY_HASH) !== hash) {
      at = (at + ENTRY) & mask;
      count = load<u32>(entries + at, ENTRY_COUNT);
    }
    if (count > 1) {
      store<u32>(entries + at, count - 1, ENTRY_COUNT);
    } else if (count === 1) {
      if (recycle) giveLaneBack(load<u32>(entries + at, ENTRY_LANE));
      remove(entries, at, shift, mask);
      removed++;
    } else {
      unknown++;
    }
  }
  setKeysInFlight(keysInFlight() - removed);
  return unknown;
}

/**
 * Closes the hole at `at`: each follower that may stand there moves back, until an empty entry
 * ends the run.
 */
function remove(entries: usize, at: usize, shift: u32, mask: usize): void {
  let hole = at;
  let next = (at + ENTRY) & mask;
  while (load<u32>(entries + next, ENTRY_COUNT) !== 0) {
    const wanted = home(load<u32>(entries + next, ENTRY_HASH), shift);
    if (((next - wanted) & mask) >= ((next - hole) & mask)) {
      store<u64>(entries + hole, load<u64>(entries + next));
      store<u64>(entries + hole, load<u64>(entries + next, 8), 8);
      hole = next;
    }
    next = (next + ENTRY) & mask;
  }
  store<u32>(entries + hole, 0, ENTRY_COUNT);
}

/**
 * Puts the batch into the table and numbers its key groups by first message: fills GROUP per
 * message, and SLOT, SIZE and LANE per key group. The lane of a key that was not in flight is a new
 * lane id, or UNPLACED.
 *
 * An entry's group number is of this batch only if SLOT points back to the entry; so old numbers
 * need no clearing.
 *
 * @returns Number of key groups.
 */
export function insert(messageCount: u32, makeLanes: bool): u32 {
  const hashes = column(HASH);
  const groups = column(GROUP);
  const lanes = column(LANE);
  const slots = column(SLOT);
  const sizes = column(SIZE);
  const entries = table();
  const shift = tableShift();
  const mask = tableMask(shift);
  let groupCount: u32 = 0;
  let added: u32 = 0;
  for (let i: usize = 0, end = (<usize>messageCount) << 2; i < end; i += 4) {
    const hash = load<u32>(hashes + i);
    let at = home(hash, shift);
    let count = load<u32>(entries + at, ENTRY_COUNT);
    while (count !== 0 && load<u32>(entries + at, ENTRY_HASH) !== hash) {
      at = (at + ENTRY) & mask;
      count = load<u32>(entries + at, ENTRY_COUNT);
    }
    const entry = entries + at;
    let group = groupCount;
    if (count !== 0) {
      const seen = load<u32>(entry, ENTRY_GROUP);
      if (seen < groupCount && <usize>load<u32>(slots + ((<usize>seen) << 2)) === at) group = seen;
    } else {
      store<u32>(entry, hash, ENTRY_HASH);
      store<u32>(entry, makeLanes ? takeLane() : UNPLACED, ENTRY_LANE);
      added++;
    }
    store<u32>(entry, count + 1, ENTRY_COUNT);
    store<u32>(groups + i, group);
    const g = (<usize>group) << 2;
    if (group === groupCount) {
      store<u32>(entry, group, ENTRY_GROUP);
      store<u32>(lanes + g, load<u32>(entry, ENTRY_LANE));
      store<u32>(slots + g, <u32>at);
      store<u32>(sizes + g, 1);
      groupCount++;
    } else {
      store<u32>(sizes + g, load<u32>(sizes + g) + 1);
    }
  }
  setKeysInFlight(keysInFlight() + added);
  return groupCount;
}

/**
 * Per-key placement: each key group is a group of the result, on the lane it has while it is in
 * flight.
 *
 * @returns Number of groups.
 */
export function group(messageCount: u32): u32 {
  const groupCount = insert(messageCount, true);
  const groups = column(GROUP);
  const sizes = column(SIZE);
  const starts = column(START);
  const cursors = column(COUNT);
  const order = column(ORDER);
  let total: u32 = 0;
  for (let g: usize = 0, end = (<usize>groupCount) << 2; g < end; g += 4) {
    store<u32>(starts + g, total);
    store<u32>(cursors + g, total);
    total += load<u32>(sizes + g);
  }
  store<u32>(starts + ((<usize>groupCount) << 2), total);
  for (let i: u32 = 0; i < messageCount; i++) {
    const cursor = cursors + ((<usize>load<u32>(groups + ((<usize>i) << 2))) << 2);
    const position = load<u32>(cursor);
    store<u32>(order + ((<usize>position) << 2), i);
    store<u32>(cursor, position + 1);
  }
  return groupCount;
}
