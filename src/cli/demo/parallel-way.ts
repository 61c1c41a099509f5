import type { Logger, SourceFactory } from "../../index.ts";
import { consumeOrders, waitingOrders } from "./consume-orders.ts";
import { OrderCheck } from "./order-check.ts";
import type { Orders } from "./orders.ts";
import type { WayProgress, WayResult } from "./way.ts";

/** Often, so that the lag on the screen moves. */
const COMMIT_INTERVAL_MS = 100;

/** A way with what every virtual partition handled. */
export interface ParallelResult extends WayResult {
  readonly perVirtualPartition: readonly number[];
}

/** Handles all orders with virtual partitions, in this process, and checks every call. */
export async function parallelWay(job: {
  readonly way: "consistent" | "balanced";
  readonly orders: Orders;
  readonly lanes: number;
  readonly source: SourceFactory;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  onProgress(progress: WayProgress): void;
}): Promise<ParallelResult> {
  const { way, orders, lanes } = job;
  const check = new OrderCheck(orders);
  const startedAt = performance.now();
  const ms = await consumeOrders({
    source: job.source,
    groupId: `demo-${way}`,
    distribution: way,
    lanes,
    total: orders.count,
    commitIntervalMs: COMMIT_INTERVAL_MS,
    handling: waitingOrders(check),
    logger: job.logger,
    signal: job.signal,
    onTick: ({ running, partitions }) =>
      job.onProgress({
        done: check.done,
        total: orders.count,
        elapsedMs: performance.now() - startedAt,
        running,
        lanes,
        lag: partitions[0]?.lag ?? null,
      }),
  });
  return {
    way,
    messages: check.done,
    sample: false,
    ms,
    allMs: ms,
    rate: (check.done / ms) * 1000,
    ...check.result(),
    perVirtualPartition: check.perVirtualPartition(lanes),
  };
}
