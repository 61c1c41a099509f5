import type { LogProcess } from "./maintenance.ts";

/** What is damaged. */
export type DamageKind =
  /** `store.json`: without it no log can be opened. */
  | "store"
  /** A `topic.json` or `group.json`. */
  | "description"
  /** Batches that cannot be read, with good ones behind them or promised to be on the disk. */
  | "batch"
  /** What a crash left behind the last good batch. */
  | "torn-tail"
  /** A segment, or a part of the offsets, that is not there. */
  | "missing"
  | "index"
  | "time-index"
  | "head"
  | "group-offset";

/** One thing that is not as it should be. */
export interface Damage {
  readonly kind: DamageKind;
  /** Path below the log's directory. */
  readonly file: string;
  /** Where in the file it begins; null: all of the file, or there is none. */
  readonly position: number | null;
  /** How many bytes it concerns; null: not known. */
  readonly bytes: number | null;
  readonly topic: string | null;
  readonly partition: number | null;
  /** Offsets that cannot be read because of it: from the first on, below `endOffset`. */
  readonly firstOffset: number | null;
  readonly endOffset: number | null;
  /** What is wrong, as words that follow "received". */
  readonly problem: string;
  /** Data is lost or in doubt; otherwise the next open mends it without a loss. */
  readonly loss: boolean;
}

/** What the check of one segment found. */
export interface SegmentReport {
  /** Path below the log's directory. */
  readonly file: string;
  readonly baseOffset: number;
  /** Behind the last good batch. */
  readonly nextOffset: number;
  readonly sealed: boolean;
  /** Bytes that were checked. */
  readonly bytes: number;
  /** Good ones. */
  readonly batches: number;
  readonly records: number;
}

/** What the check of one partition found. */
export interface PartitionReport {
  readonly topic: string;
  readonly partition: number;
  readonly logStart: number;
  /** Behind the last good batch. */
  readonly logEnd: number;
  readonly segments: readonly SegmentReport[];
}

/** What `onCorruption: "readonly"` or `"quarantine"` leaves of a damaged partition. */
export interface PartitionOutcome {
  readonly topic: string;
  readonly partition: number;
  /** Messages that can be read then. */
  readonly kept: number;
  /** Offsets that cannot, ascending: from the first on, below `to`. */
  readonly givenUp: readonly { readonly from: number; readonly to: number }[];
}

/** What `verifyLog()` found. */
export interface VerifyReport {
  readonly directory: string;
  /** Nothing is damaged. */
  readonly ok: boolean;
  /** Who had it open: the active segments were checked as far as they may be read. */
  readonly writer: LogProcess | null;
  readonly bytes: number;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly partitions: readonly PartitionReport[];
  readonly damages: readonly Damage[];
  /** Of partitions that lose something. */
  readonly outcomes: readonly PartitionOutcome[];
}
