/** The ways that handle all orders with virtual partitions, in this process, and check every call. */
import { Worker } from "node:worker_threads";
import type { Logger, SourceFactory } from "../../index.ts";
import {
  consumeOrders,
  type OrderHandling,
  type OrderJob,
  waitingOrders,
} from "./consume-orders.ts";
import { HashBoard } from "./hash-board.ts";
import { hashOrder } from "./hash-orders.ts";
import type { HashThreadData } from "./hash-thread.ts";
import { OrderCheck } from "./order-check.ts";
import type { Orders } from "./orders.ts";
import { measured, type WayProgress, type WayResult } from "./way.ts";

/** Often, so that the lag on the screen moves. */
const COMMIT_INTERVAL_MS = 100;

/** What each of the ways needs. */
export interface ParallelJob {
  readonly orders: Orders;
  readonly lanes: number;
  readonly source: SourceFactory;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  onProgress(progress: WayProgress): void;
}

/** A way with what every virtual partition handled. */
export interface ParallelResult extends WayResult {
  readonly perVirtualPartition: readonly number[];
}

/** A way whose handlers compute. */
export interface HashResult extends WayResult {
  /** 0: the handler ran in the polling thread. */
  readonly threads: number;
  /** Sum of what the orders came to: both ways must agree. */
  readonly answer: number;
}

/** Handlers that wait. */
export async function parallelWay(
  way: "consistent" | "balanced",
  job: ParallelJob,
): Promise<ParallelResult> {
  const check = new OrderCheck(job.orders);
  const ms = await consumeAll(job, {
    groupId: `demo-${way}`,
    distribution: way,
    handling: waitingOrders(check),
    done: () => check.done,
  });
  const perVirtualPartition = check.perVirtualPartition(job.lanes);
  return { way, ...measured(check, ms), perVirtualPartition };
}

/**
 * Handlers that hash, in the polling thread or in worker threads.
 *
 * The time includes the start of the threads.
 *
 * @param threads 0: the polling thread.
 */
export async function hashWay(threads: number, job: ParallelJob): Promise<HashResult> {
  const { count } = job.orders;
  const board = new HashBoard(count);
  const ms = await consumeAll(job, {
    groupId: `demo-hash-${threads}`,
    distribution: "balanced",
    workers: Math.max(1, threads),
    handling: {
      handler: threads === 0 ? inline(board) : inThreads(board, count),
      lastFinishedAt: () => board.lastFinishedAt,
    },
    done: () => Math.min(board.finished, count),
  });
  const check = new OrderCheck(job.orders);
  board.replay(check);
  const way = threads === 0 ? "hashInline" : "hashThreads";
  const answer = board.answers.reduce((a, b) => a + b, 0);
  return { way, threads, ...measured(check, ms), answer };
}

/** @returns Milliseconds, as of {@link consumeOrders}. */
async function consumeAll(
  { orders, lanes, source, logger, signal, onProgress }: ParallelJob,
  way: Pick<OrderJob, "groupId" | "distribution" | "workers" | "handling"> & { done(): number },
): Promise<number> {
  const { done, ...how } = way;
  const startedAt = performance.now();
  return await consumeOrders({
    ...how,
    source,
    lanes,
    total: orders.count,
    commitIntervalMs: COMMIT_INTERVAL_MS,
    logger,
    signal,
    onTick: ({ running, partitions }) =>
      onProgress({
        done: done(),
        total: orders.count,
        elapsedMs: performance.now() - startedAt,
        running,
        lanes,
        lag: partitions[0]?.lag ?? null,
      }),
  });
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
