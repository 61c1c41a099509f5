/** What a consumer says about itself: plain JSON. */
import type { SegmentInfo, TopicPartition } from "./types.ts";

/** Percentiles, in milliseconds where the name ends so; null before the first sample. */
export interface Latency {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** A partition; with parallel segments, as one of them sees it. */
export interface StatsPlace extends TopicPartition {
  readonly groupId?: string;
  readonly segment?: SegmentInfo;
}

/** State of one topic partition. */
export interface PartitionStats extends StatsPlace {
  /** Polled, waiting in a lane. */
  readonly queued: number;
  /** Handed to a call that has not ended. */
  readonly inFlight: number;
  /** Call ended without a mark. */
  readonly unacknowledged: number;
  /** Last stored offset, or null. */
  readonly committed: number | null;
  readonly committable: number;
  /**
   * High watermark − committed offset; null when the client does not say.
   *
   * The high watermark is that of the last fetch: while the partition is paused, or held back by its budget, nothing is
   * fetched, and what is written meanwhile is not counted yet.
   */
  readonly lag: number | null;
  /** UTF-16 units of the metadata of the last stored commit, if a completed map is in it. */
  readonly mapSize: number;
  /** That map did not hold everything that was done (O6). */
  readonly mapTruncated: boolean;
  /** Messages below this offset run one at a time, in offset order; null outside of a collapse. */
  readonly collapsedUntil: number | null;
  /** Lanes with messages. */
  readonly lanes: number;
  readonly busiestLane: { readonly virtualPartition: number; readonly messages: number } | null;
  /**
   * Call start − message timestamp, by the clocks of producer and consumer: how old a message is when it is handled.
   *
   * Both latencies: over the last 30 to 60 s in which calls started; a new lease begins without figures. A call is
   * sampled by its first message; of calls that end in the tick in which they began one per half millisecond is. `p50`
   * and `p99` are at most 3.2 % off, `max` is exact.
   */
  readonly consumptionLatencyMs: Latency;
  /** Call start − poll, by the monotonic clock: how long a message has waited in this process. */
  readonly processingLatencyMs: Latency;
}

/** State of the consumer. */
export interface ConsumerStats {
  readonly concurrency: number;
  /** Handler calls running now. */
  readonly running: number;
  /** Handler calls that ended well since the start, in messages. */
  readonly processed: number;
  /** Failed attempts since the start. */
  readonly failed: number;
  /** Results that came after their lease had ended, in messages; dropped. */
  readonly droppedResults: number;
  readonly partitions: readonly PartitionStats[];
}

/** Why a partition moves or does not (X1). */
export type ExplanationReason =
  | "moving"
  | "paused"
  | "back-off"
  | "collapsed"
  | "dead-letter-retry"
  | "handler-running"
  | "no-slot"
  | "budget"
  | "unacknowledged"
  | "map-full"
  | "rebalancing"
  | "suspended"
  | "not-assigned"
  | "end-of-log"
  | "key-bound"
  | "commit-failing"
  | "source-error";

/** One answer of `explain()`. */
export interface Explanation extends StatsPlace {
  readonly reason: ExplanationReason;
  /** Age of the oldest unfinished message, from its poll, or of the running call. */
  readonly ageMs?: number;
  /** Oldest unfinished offset. */
  readonly offset?: number;
  readonly share?: number;
  readonly error?: string;
}

/** How a close went. */
export interface CloseReport {
  /** Messages whose running call ended while draining. */
  readonly drained: number;
  /** Messages whose call was still running at the deadline. */
  readonly abandoned: number;
  /** Partitions whose last commit failed. */
  readonly uncommitted: readonly StatsPlace[];
}

/** Outcome of an explicit commit, per partition. */
export type CommitReport = readonly (StatsPlace & {
  readonly offset: number;
  readonly outcome: "stored" | "fenced" | "failed";
})[];
