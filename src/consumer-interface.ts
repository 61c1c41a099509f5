import type { ConsumerEvents } from "./events.ts";
import type { CloseReport, CommitReport, ConsumerStats, Explanation } from "./stats.ts";
import type { TopicPartition } from "./types.ts";

/** What a consumer is doing. */
export type ConsumerState = "idle" | "starting" | "running" | "paused" | "draining" | "closed";

/** Processes the topics of one consumer group; made by `createConsumer()`. */
export interface Consumer extends AsyncDisposable {
  /** Settles when connected, joined and the first assignment is known. */
  start(): Promise<void>;
  /** Starts, then settles when closed; rejects on a fatal error. */
  run(): Promise<CloseReport>;
  /** Settles when closed. A rejection that nobody watches does not kill the process. */
  readonly closed: Promise<CloseReport>;
  /** Starts no call for these partitions (default: all) until `resume()`; running calls finish. */
  pause(topicPartitions?: TopicPartition[]): void;
  resume(topicPartitions?: TopicPartition[]): void;
  /** Goes on at an offset (R11). @throws {FencedError} When the partition is not assigned. */
  seek(topicPartition: TopicPartition, offset: number): Promise<void>;
  /** Commits what is marked now. */
  commit(): Promise<CommitReport>;
  /** Drains, commits, leaves the group (R4); idempotent. In a handler, call it without `await`. */
  close(options?: { drainTimeoutMs?: number }): Promise<CloseReport>;
  /** Handler calls that may run at once; may be changed at any time. */
  concurrency: number;
  readonly state: ConsumerState;
  stats(): ConsumerStats;
  /** Why each partition moves or does not. */
  explain(): Explanation[];
  /** @returns A function that removes the listener. */
  on<E extends keyof ConsumerEvents>(
    event: E,
    listener: (payload: ConsumerEvents[E]) => void,
  ): () => void;
}
