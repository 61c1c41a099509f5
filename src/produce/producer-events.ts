/** What happens in a producer, for its users to watch. */
import type { ErrorInfo } from "../errors.ts";
import type { Latency } from "../stats.ts";
import type { ProducerRecord, TopicPartition } from "../types.ts";

/** Payloads by event name. */
export interface ProducerEvents {
  /** A record of `produceAsync` was not stored. Without a listener the logger alone tells. */
  error: {
    readonly error: ErrorInfo;
    readonly record: ProducerRecord;
    readonly topic: string;
    /** null when it got none. */
    readonly partition: number | null;
  };
  /** The delivery report of a batch: it was acknowledged. */
  delivered: TopicPartition & {
    readonly records: readonly ProducerRecord[];
    /** Of each record; undefined where nothing was acknowledged (acks 0). */
    readonly offsets: readonly (number | undefined)[];
    /** How often it was sent. */
    readonly attempts: number;
    /** From when its first record had got room in the buffer until it was first sent. */
    readonly queueTimeMs: number;
    /** From its last sending until the answer. */
    readonly requestLatencyMs: number;
  };
  /** A batch could not be stored, for a cause that may pass, and will be sent again. */
  retried: TopicPartition & {
    /** Records of the batch. */
    readonly count: number;
    readonly attempts: number;
    readonly error: ErrorInfo;
  };
}

export type ProducerEventName = keyof ProducerEvents;

/** State of a producer, all its variants together; plain JSON. */
export interface ProducerStats {
  /** Bytes of records that have not been acknowledged. */
  readonly bufferedBytes: number;
  /** Records that have not been acknowledged; those that wait for room in the buffer too. */
  readonly bufferedRecords: number;
  /** Batches on their way, or waiting to be sent again. */
  readonly batchesInFlight: number;
  /** Since the start: records stored, records that failed, batches stored, batches sent again. */
  readonly delivered: number;
  readonly failed: number;
  readonly batches: number;
  readonly retries: number;
  /** Records per batch, over the last batches. */
  readonly batchRecords: Latency;
  /** From when a batch's first record had got room in the buffer until it was first sent. */
  readonly queueTimeMs: Latency;
  /** From sending a batch, the last time, until its answer. */
  readonly requestLatencyMs: Latency;
}
