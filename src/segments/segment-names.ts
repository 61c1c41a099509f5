/** What stands between the origin's name and a segment's number, where nothing else is asked for. */
export const DEFAULT_MERGE_KEY = "-parallel-";

/** The groups that one group is split into. */
export interface SegmentNaming {
  /** The group that the segments come from; none of them has its name. */
  readonly origin: string;
  readonly count: number;
  readonly mergeKey: string;
}

/**
 * The consumer group of a segment (S1): `orders-parallel-0`. One segment alone keeps the origin's name.
 *
 * @param index In [0, count).
 */
export function segmentGroupId({ origin, count, mergeKey }: SegmentNaming, index: number): string {
  return count === 1 ? origin : `${origin}${mergeKey}${index}`;
}

/** The groups of all segments, by number. */
export function segmentGroupIds(naming: SegmentNaming): string[] {
  return Array.from({ length: naming.count }, (_, index) => segmentGroupId(naming, index));
}
