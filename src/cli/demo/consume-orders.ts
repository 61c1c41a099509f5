import {
  type ConsumerStats,
  createConsumer,
  type Logger,
  type OneHandler,
  type SourceFactory,
} from "../../index.ts";
import { CommandError } from "../command-error.ts";
import type { Recorder } from "./order-check.ts";
import { waitMs } from "./orders.ts";

/** Topic of the demo. */
export const ORDERS_TOPIC = "orders";
/**
 * Orders polled whose handler has not ended. Far fewer than the topic has: the consumer polls while it works, as it
 * does behind a live topic, and the shorter lanes keep the committable offset near the newest finished order.
 */
const MAX_IN_FLIGHT = 1000;
/** Milliseconds between two looks at the consumer. */
const TICK_MS = 25;
/** Milliseconds without a finished message after which the demo gives up: a bug, or a disk that hangs. */
const STALL_MS = 20_000;

/** How orders are handled, and how far that is. */
export interface OrderHandling {
  readonly handler: OneHandler<unknown>;
  /** When the last call ended, as `performance.now()` says it here; 0 before the first. */
  lastFinishedAt(): number;
}

/** Handlers that wait, as ones that call a service do. */
export function waitingOrders(recorder: Recorder): OrderHandling {
  let lastFinishedAt = 0;
  return {
    handler: {
      eachMessage: async (message, context) => {
        recorder.started(message.offset);
        await sleep(waitMs(message.offset));
        recorder.finished(message.offset, context.virtualPartition);
        lastFinishedAt = performance.now();
      },
    },
    lastFinishedAt: () => lastFinishedAt,
  };
}

/** One consumer of all orders. */
export interface OrderJob {
  readonly source: SourceFactory;
  readonly groupId: string;
  readonly distribution: "consistent" | "balanced";
  /** Virtual partitions, and handler calls at once. */
  readonly lanes: number;
  /** Threads of a handler in threads. */
  readonly workers?: number;
  /** Orders in the topic: the job ends when this offset can be committed. */
  readonly total: number;
  readonly commitIntervalMs: number;
  readonly handling: OrderHandling;
  readonly logger: Logger;
  readonly signal: AbortSignal | null;
  onTick(stats: ConsumerStats): void;
  onAssigned?(offset: number): void;
  onCommitted?(offset: number): void;
}

/**
 * Handles all orders that the group has not handled yet, then commits and closes.
 *
 * @returns Milliseconds from before the start of the consumer to the end of the last handler.
 * @throws {CommandError} When nothing moves any more.
 */
export async function consumeOrders(job: OrderJob): Promise<number> {
  const startedAt = performance.now();
  const lastFinishedAt = (): number => Math.max(startedAt, job.handling.lastFinishedAt());
  const consumer = createConsumer({
    source: job.source,
    groupId: job.groupId,
    concurrency: job.lanes,
    ...(job.workers === undefined ? {} : { workers: job.workers }),
    maxInFlightMessages: MAX_IN_FLIGHT,
    fromBeginning: true,
    commitIntervalMs: job.commitIntervalMs,
    logger: job.logger,
    topics: {
      [ORDERS_TOPIC]: {
        ...job.handling.handler,
        virtualPartitions: { maxPartitions: job.lanes, distribution: job.distribution },
      },
    },
  });
  consumer.on("assigned", ({ offset }) => job.onAssigned?.(offset));
  consumer.on("committed", ({ offset }) => job.onCommitted?.(offset));
  const closed = consumer.run().then(() => {
    throw new CommandError("Cannot finish the demo as the consumer closed early");
  });
  closed.catch(() => {}); // the race below reports it; after close() it says nothing new
  try {
    for (;;) {
      await Promise.race([closed, sleep(TICK_MS)]);
      job.signal?.throwIfAborted();
      const stats = consumer.stats();
      job.onTick(stats);
      if ((stats.partitions[0]?.committable ?? 0) >= job.total) break;
      if (performance.now() - lastFinishedAt() > STALL_MS) {
        const reasons = consumer.explain().map(({ reason }) => reason);
        const why = reasons.join(", ") || "no partition";
        throw new CommandError(`Cannot finish the demo as messages must move: received ${why}`);
      }
    }
  } finally {
    await consumer.close();
  }
  return lastFinishedAt() - startedAt;
}

/** Waits as the demo's handlers do. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
