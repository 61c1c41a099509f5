import { sleep } from "./consume-orders.ts";
import { OrderCheck } from "./order-check.ts";
import { type Orders, waitMs } from "./orders.ts";
import type { WayProgress, WayResult } from "./way.ts";

/**
 * The plain loop: one order after the other, straight from memory, so nothing but the handler costs time.
 *
 * @param sample How many orders to handle; the time for all is extrapolated from them.
 */
export async function serialWay(
  orders: Orders,
  sample: number,
  signal: AbortSignal,
  onProgress: (progress: WayProgress) => void,
): Promise<WayResult> {
  const check = new OrderCheck(orders);
  const startedAt = performance.now();
  for (let offset = 0; offset < sample; offset++) {
    signal.throwIfAborted();
    check.started(offset);
    await sleep(waitMs(offset));
    check.finished(offset, 0);
    onProgress({ done: offset + 1, total: sample, elapsedMs: performance.now() - startedAt });
  }
  const ms = performance.now() - startedAt;
  return {
    way: "serial",
    messages: sample,
    sample: sample < orders.count,
    ms,
    allMs: (ms / sample) * orders.count,
    rate: (sample / ms) * 1000,
    ...check.result(),
    missing: sample - check.done,
  };
}
