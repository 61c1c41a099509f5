/** Messages of one partition that are read. */
export interface PartitionRange {
  readonly partition: number;
  /** First offset. */
  readonly from: number;
  /** Ends before this offset. */
  readonly until: number;
}

/** Which part of a topic is read. */
export interface TopicSelection {
  readonly topic: string;
  /** Default: all. */
  readonly partition: number | undefined;
  /** Only so many messages at the end of each partition. Default: all. */
  readonly last: number | undefined;
}

/** What is read of a partition with these bounds. Offsets may have holes, so `last` may give fewer messages. */
export function rangeOf(
  { partition, logStart, logEnd }: { partition: number; logStart: number; logEnd: number },
  { last }: TopicSelection,
): PartitionRange {
  const from = last === undefined ? logStart : Math.max(logStart, logEnd - last);
  return { partition, from, until: logEnd };
}

/** Offsets in some ranges. */
export function lengthOf(ranges: Iterable<PartitionRange>): number {
  let sum = 0;
  for (const { from, until } of ranges) sum += until - from;
  return sum;
}
