import { Worker } from "node:worker_threads";
import type { Logger, SourceFactory } from "../../index.ts";
import { consumeOrders, type OrderHandling } from "./consume-orders.ts";
import { HashBoard } from "./hash-board.ts";
import { hashOrder } from "./hash-orders.ts";
import type { HashThreadData } from "./hash-thread.ts";
import { OrderCheck } from "./order-check.ts";
import type { Orders } from "./orders.ts";
import type { WayProgress, WayResult } from "./way.ts";

const COMMIT_INTERVAL_MS = 100;

/** A way whose handlers compute. */
export interface HashResult extends WayResult {
  /** 0: the handler ran in the polling thread. */
  readonly threads: number;
  /** Sum of what the orders came to: both ways must agree. */
  readonly answer: number;
}

/**
 * Hashes all orders, in the polling thread or in worker threads, and checks every call.
 *
 * The time includes the start of the threads.
 */
export async function hashWay(job: {
  readonly threads: number;
  readonly orders: Orders;
  readonly lanes: number;
  readonly source: SourceFactory;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  onProgress(progress: WayProgress): void;
}): Promise<HashResult> {
  const { threads, orders, lanes } = job;
  const board = new HashBoard(orders.count);
  const startedAt = performance.now();
  const ms = await consumeOrders({
    source: job.source,
    groupId: `demo-hash-${threads}`,
    distribution: "balanced",
    lanes,
    workers: Math.max(1, threads),
    total: orders.count,
    commitIntervalMs: COMMIT_INTERVAL_MS,
    handling: {
      handler: threads === 0 ? inline(board) : inThreads(board, orders.count),
      lastFinishedAt: () => board.lastFinishedAt,
    },
    logger: job.logger,
    signal: job.signal,
    onTick: ({ running, partitions }) =>
      job.onProgress({
        done: Math.min(board.finished, orders.count),
        total: orders.count,
        elapsedMs: performance.now() - startedAt,
        running,
        lanes,
        lag: partitions[0]?.lag ?? null,
      }),
  });
  const check = new OrderCheck(orders);
  board.replay(check);
  return {
    way: threads === 0 ? "hashInline" : "hashThreads",
    threads,
    messages: check.done,
    sample: false,
    ms,
    allMs: ms,
    rate: (check.done / ms) * 1000,
    ...check.result(),
    answer: board.answers.reduce((a, b) => a + b, 0),
  };
}

function inline(board: HashBoard): OrderHandling["handler"] {
  return {
    eachMessage: ({ offset, value }, { virtualPartition }) =>
      board.handle(offset, virtualPartition, () => hashOrder(value!)),
  };
}

function inThreads(board: HashBoard, count: number): OrderHandling["handler"] {
  // Sources and build differ in the ending only.
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const url = new URL(`./hash-thread.${ending}`, import.meta.url);
  const workerData: HashThreadData = { count, board: board.memory };
  return { module: () => new Worker(url, { workerData }) };
}
