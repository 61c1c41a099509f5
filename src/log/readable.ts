/** What reading needs from a log: offered by the process that writes it and by any other one. */
import type { GroupOffsets } from "./group-offsets.ts";
import type { StoredBatch } from "./read-batches.ts";

/** One partition to read. */
export interface ReadablePartition {
  /** Looks what other processes have written since. */
  refresh(): void;
  /** First readable offset. Bounds are those of the last look. */
  readonly logStart: number;
  /** End of what may be read: the next offset. */
  readonly logEnd: number;
  /**
   * Batches from the one that holds `offset` on; none at the log's end. An offset that was set
   * aside as damaged (holes.ts) gives what lies behind, so none when nothing does.
   *
   * @param maxBytes Soft: one batch is always given.
   * @throws {LogError} For an offset outside the log; code `HEADRACE_OUT_OF_RANGE`.
   * @throws {CorruptLogError} For a damaged batch.
   */
  read(offset: number, maxBytes: number): StoredBatch[];
  /**
   * Offset of the first message whose append time is at or after `timeMs`, in milliseconds since
   * the epoch; undefined when there is none.
   *
   * @throws {CorruptLogError} For damage where it lies.
   */
  offsetForTime(timeMs: number): number | undefined;
  /**
   * Calls back when there may be more to read. It may also be missed, when another process writes:
   * who waits calls `refresh()` at times.
   *
   * @returns Removes the callback.
   */
  onWrite(wake: () => void): () => void;
}

/** One topic to read. */
export interface ReadableTopic {
  readonly name: string;
  /** 16 bytes; tells a topic from a later one of the same name. */
  readonly id: Uint8Array;
  readonly directory: string;
  readonly partitions: readonly ReadablePartition[];
  readonly groups: GroupOffsets;
}

/** A log to read. */
export interface ReadableStore {
  readonly root: string;
  /** Looks which topics other processes have made, grown or removed since. */
  refresh(): void;
  /** @throws {ClosedError} */
  topic(name: string): ReadableTopic | undefined;
  topics(): readonly ReadableTopic[];
}
