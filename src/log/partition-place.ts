import type { SinkRecord } from "../source/source.ts";
import type { RecordOutcome } from "./deduplication-window.ts";
import type { TopicOptions } from "./topic-options.ts";
import type { Writer } from "./writer.ts";

/** What a topic says about itself, now; both may change while it is open. */
export interface TopicFacts {
  readonly epoch: number;
  readonly options: TopicOptions;
  /** @throws {TopicFullError} When the topic has no room for the batch. */
  checkRoom?(records: readonly SinkRecord[]): void;
}

/** What a partition is told when it is opened. */
export interface PartitionPlace {
  readonly directory: string;
  readonly topic: string;
  readonly partition: number;
  readonly facts: TopicFacts;
  readonly writer: Writer;
}

/** Records that have their offsets. */
export interface Appended {
  /** Of the first record. */
  readonly baseOffset: number;
  /** Of each record, when some were stored before: these were not written again. */
  readonly outcomes?: readonly RecordOutcome[] | undefined;
  /** Resolves at the level of the option `acknowledge`; rejects when that cannot be reached. */
  readonly acknowledged: Promise<void>;
}
