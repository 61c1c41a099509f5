// Placement by bin: multiply-shift and the stable counting sort into CSR.
import { BIN, COUNT, column, HASH, LANE, ORDER, REFUSED, START } from "./layout";

/**
 * CSR of the BIN column: non-empty bins ascending, messages of a bin in offset order.
 *
 * @returns Number of non-empty bins, or REFUSED when a bin is not below `binCount`.
 */
export function place(messageCount: u32, binCount: u32): u32 {
  const bins = column(BIN);
  const counts = column(COUNT);
  const messagesEnd = (<usize>messageCount) << 2;
  memory.fill(counts, 0, (<usize>binCount) << 2);
  for (let i: usize = 0; i < messagesEnd; i += 4) {
    const bin = load<u32>(bins + i);
    if (bin >= binCount) return REFUSED;
    const count = counts + ((<usize>bin) << 2);
    store<u32>(count, load<u32>(count) + 1);
  }
  return scatter(messageCount, binCount);
}

/**
 * Bin of each message from its hash, floor(hash * binCount / 2^32) (Lemire, "A fast alternative to
 * the modulo reduction"), then as `place`. Uses the high bits, so it shares no factor with Kafka's
 * choice of the partition.
 */
export function reduce(messageCount: u32, binCount: u32): u32 {
  const hashes = column(HASH);
  const bins = column(BIN);
  const counts = column(COUNT);
  const messagesEnd = (<usize>messageCount) << 2;
  memory.fill(counts, 0, (<usize>binCount) << 2);
  for (let i: usize = 0; i < messagesEnd; i += 4) {
    const bin = <u32>((<u64>load<u32>(hashes + i) * <u64>binCount) >> 32);
    const count = counts + ((<usize>bin) << 2);
    store<u32>(bins + i, bin);
    store<u32>(count, load<u32>(count) + 1);
  }
  return scatter(messageCount, binCount);
}

/** COUNT holds messages per bin; fills LANE, START and ORDER. */
function scatter(messageCount: u32, binCount: u32): u32 {
  const bins = column(BIN);
  const cursors = column(COUNT);
  const lanes = column(LANE);
  const starts = column(START);
  const order = column(ORDER);
  let groupCount: u32 = 0;
  let total: u32 = 0;
  for (let bin: u32 = 0; bin < binCount; bin++) {
    const cursor = cursors + ((<usize>bin) << 2);
    const count = load<u32>(cursor);
    if (count === 0) continue;
    const g = (<usize>groupCount) << 2;
    store<u32>(lanes + g, bin);
    store<u32>(starts + g, total);
    store<u32>(cursor, total);
    total += count;
    groupCount++;
  }
  store<u32>(starts + ((<usize>groupCount) << 2), total);
  for (let i: u32 = 0; i < messageCount; i++) {
    const cursor = cursors + ((<usize>load<u32>(bins + ((<usize>i) << 2))) << 2);
    const position = load<u32>(cursor);
    store<u32>(order + ((<usize>position) << 2), i);
    store<u32>(cursor, position + 1);
  }
  return groupCount;
}
