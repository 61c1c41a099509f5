/** What was done to the offsets of parallel segments. */

/** One offset that was written, or with `dryRun` would be. */
export interface SegmentOffset {
  readonly groupId: string;
  /** null: the origin. */
  readonly segment: number | null;
  readonly topic: string;
  readonly partition: number;
  /** What was there; null: never committed. */
  readonly before: number | null;
  /** The next offset to read. */
  readonly offset: number;
  /** Offsets above it that are known to be done. */
  readonly completed: number;
  /** Done offsets that found no room in the metadata: their messages are handled again. */
  readonly dropped: number;
}

/** What `distributeSegments`, `collapseSegments` and `resetSegments` answer. Plain JSON. */
export interface SegmentsReport {
  readonly action: "distribute" | "collapse" | "reset";
  /** The group that the segments come from. */
  readonly groupId: string;
  readonly count: number;
  readonly mergeKey: string;
  /** Nothing was written. */
  readonly dryRun: boolean;
  readonly force: boolean;
  /** Group by group, the origin first. */
  readonly offsets: readonly SegmentOffset[];
  /** Partitions that no group has committed: they stay so. */
  readonly neverCommitted: readonly { readonly topic: string; readonly partition: number }[];
}
