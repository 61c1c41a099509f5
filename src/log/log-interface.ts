import type { SinkRecord } from "../source/source.ts";
import type { OffsetToCommit } from "./commit-offsets.ts";
import type { AppendResult } from "./log-sink.ts";
import type { LogMaintenance } from "./maintenance.ts";
import type { StoredBatch } from "./read-batches.ts";
import type { TopicOverrides } from "./topic-options.ts";
import type { RetainReport } from "./topic-retention.ts";

/** What a group has stored for a partition; `offset` is the next one to read, null for none. */
export interface StoredOffset {
  readonly partition: number;
  readonly offset: number | null;
  readonly metadata: string;
}

/** An open log. Methods reject with ClosedError after `close()`. */
export interface Log extends AsyncDisposable, LogMaintenance {
  /** Topic names with partition counts. */
  topics(): Promise<{ readonly topic: string; readonly partitions: number }[]>;
  /**
   * Makes a topic.
   *
   * @param options Stored with it; they hold when the log is opened again.
   * @throws {LogError} When it exists.
   */
  createTopic(topic: string, partitions: number, options?: TopicOverrides): Promise<void>;
  /**
   * Writes the records as one batch; resolves when it is as safe as the option `acknowledge` says.
   *
   * @throws {LogError} For a missing partition, or records that break a limit.
   * @throws {TopicFullError} When the topic may not grow (`retention.maxTopicBytes`).
   */
  append(topic: string, partition: number, records: readonly SinkRecord[]): Promise<AppendResult>;
  /**
   * Stored batches from the one that holds `offset` on, checksums verified; none at the log's end.
   *
   * @param maxBytes Default 1 MiB; one batch is always given.
   * @throws {LogError} For an offset outside the log.
   * @throws {CorruptLogError} For a damaged batch.
   */
  read(
    topic: string,
    partition: number,
    offset: number,
    maxBytes?: number,
  ): Promise<readonly StoredBatch[]>;
  /** First readable and next offset. */
  bounds(topic: string, partition: number): Promise<{ logStart: number; logEnd: number }>;
  /**
   * Calls back when a partition of the topic has grown, or may have; also when another process
   * writes. The process stays alive until it is removed or the log is closed.
   *
   * @returns Removes the callback.
   * @throws {LogError} For a missing topic.
   */
  onAppend(topic: string, listener: () => void): () => void;
  /** Names of the groups that have stored something in the topic, sorted. */
  groups(topic: string): Promise<string[]>;
  /** What a group has stored, for each partition. */
  committed(groupId: string, topic: string): Promise<StoredOffset[]>;
  /**
   * Stores offsets of a group that has no member in any process; on disk when it settles. They are
   * the group's, so a log that is open for reading only takes them too.
   *
   * @throws {LogError} When it has a member, naming the process.
   */
  commit(groupId: string, topic: string, offsets: readonly OffsetToCommit[]): Promise<void>;
  /**
   * Removes now what the retention options of topics say is over. That also happens by itself, every
   * second and when a segment is sealed.
   *
   * @param options `topic`: only this one; `dryRun`: says what would be removed, and removes nothing.
   * @throws {LogError} For a topic that does not exist.
   */
  retain(options?: { topic?: string; dryRun?: boolean }): Promise<RetainReport>;
  /**
   * Offset of the first message that was appended at or after a time; null when there is none.
   *
   * @param timestampMs Milliseconds since the epoch.
   * @throws {CorruptLogError} For damage where it lies.
   */
  offsetForTime(topic: string, partition: number, timestampMs: number): Promise<number | null>;
  /** Gives back this use of the log; the last one syncs and closes it. Idempotent. */
  close(): Promise<void>;
}
