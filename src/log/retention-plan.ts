/** What is removed from a topic, and by whom removals are held back: a pure decision. */

/** When segments go; null for no limit. Milliseconds and bytes. */
export interface RetentionPolicy {
  /** A sealed segment goes when its last append is this old. */
  readonly maxAgeMs: number | null;
  /** Bytes of all `.log` files of the topic. */
  readonly maxTopicBytes: number | null;
  /** Above `maxTopicBytes` the oldest sealed segments go; else appends are refused. */
  readonly deleteOldestSegments: boolean;
  /** Nothing goes that a group has not committed. */
  readonly protectUncommitted: boolean;
  /** A group that has had work and not moved for so long holds nothing any more. */
  readonly barrierMaxAgeMs: number | null;
}

/** A sealed segment. */
export interface SegmentFacts {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly logBytes: number;
  /** Not finite, or 0 and less: nobody knows, and then it is never old. */
  readonly lastAppendTimeUs: number;
}

/** A partition: sealed segments, oldest first, and what the active one has. */
export interface PartitionFacts {
  readonly partition: number;
  readonly sealed: readonly SegmentFacts[];
  readonly activeBytes: number;
}

/** What a group has committed. */
export interface GroupPosition {
  readonly groupId: string;
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: number;
  /** When that was stored, milliseconds since the epoch. */
  readonly committedAtMs: number;
}

/** One segment to be removed. */
export interface Removal {
  readonly partition: number;
  readonly segment: SegmentFacts;
}

/** A group that keeps segments from being removed. */
export interface Hold {
  readonly groupId: string;
  readonly partition: number;
  /** The group's committed offset. */
  readonly offset: number;
  /** What would be removed without any hold, and now is not. */
  readonly bytes: number;
}

/** The decision. */
export interface RetentionPlan {
  /** In the order of removal: of each partition its oldest segments, in offset order. */
  readonly removals: readonly Removal[];
  /** At most one for each partition: the holding group that is furthest behind. */
  readonly holds: readonly Hold[];
}

/** Bytes of all `.log` files. */
function totalBytes(partitions: readonly PartitionFacts[]): number {
  return partitions.reduce(
    (sum, { sealed, activeBytes }) =>
      sealed.reduce((bytes, { logBytes }) => bytes + logBytes, sum + activeBytes),
    0,
  );
}

/**
 * Decides what goes: by age, then by size, always from the front of a partition. By size the segment
 * goes whose last append is the oldest of the topic; one that a group holds is passed over, with all
 * behind it in its partition.
 *
 * @param positionsOf Answers what all groups have committed in the partitions; called when it matters.
 * @param nowMs Milliseconds since the epoch.
 */
export function planRetention(
  policy: RetentionPolicy,
  partitions: readonly PartitionFacts[],
  positionsOf: (partitions: readonly number[]) => readonly GroupPosition[],
  nowMs: number,
): RetentionPlan {
  const free = planRemovals(policy, partitions, new Map(), nowMs);
  if (!policy.protectUncommitted || free.length === 0) return { removals: free, holds: [] };
  const positions = positionsOf(partitions.map(({ partition }) => partition));
  const barriers = barriersOf(policy, partitions, positions, nowMs);
  const removals = planRemovals(policy, partitions, barriers, nowMs);
  const holds: Hold[] = [];
  for (const { groupId, partition, offset } of barriers.values()) {
    const bytes = bytesOf(free, partition) - bytesOf(removals, partition);
    if (bytes > 0) holds.push({ groupId, partition, offset, bytes });
  }
  return { removals, holds };
}

function bytesOf(removals: readonly Removal[], partition: number): number {
  return removals.reduce(
    (sum, one) => sum + (one.partition === partition ? one.segment.logBytes : 0),
    0,
  );
}

/** Of each partition the position that is furthest behind. */
function barriersOf(
  policy: RetentionPolicy,
  partitions: readonly PartitionFacts[],
  positions: readonly GroupPosition[],
  nowMs: number,
): Map<number, GroupPosition> {
  const facts = new Map(partitions.map((one) => [one.partition, one]));
  const barriers = new Map<number, GroupPosition>();
  for (const position of positions) {
    const lowest = barriers.get(position.partition);
    if (lowest !== undefined && lowest.offset <= position.offset) continue;
    if (isAbandoned(policy, facts.get(position.partition), position, nowMs)) continue;
    barriers.set(position.partition, position);
  }
  return barriers;
}

/**
 * A group that was at the end of a quiet partition is not abandoned when something comes at last: the
 * time counts from its commit, or from when what it reads next was complete, whatever is later. What it
 * reads next is unknown when that is removed already; then the commit alone counts, so that a group
 * given up once does not hold the next segment again.
 */
function isAbandoned(
  { barrierMaxAgeMs }: RetentionPolicy,
  facts: PartitionFacts | undefined,
  { offset, committedAtMs }: GroupPosition,
  nowMs: number,
): boolean {
  if (barrierMaxAgeMs === null) return false;
  const next = facts?.sealed.find(
    ({ baseOffset, nextOffset }) => baseOffset <= offset && offset < nextOffset,
  );
  const workSinceMs = (next && appendTimeMs(next)) ?? Number.NEGATIVE_INFINITY;
  return nowMs - Math.max(committedAtMs, workSinceMs) >= barrierMaxAgeMs;
}

/** undefined when it is not known. */
function appendTimeMs({ lastAppendTimeUs }: SegmentFacts): number | undefined {
  return Number.isFinite(lastAppendTimeUs) && lastAppendTimeUs > 0
    ? lastAppendTimeUs / 1000
    : undefined;
}

/** Segments of one partition that are not planned to go, and how far they may. */
interface Front {
  readonly facts: PartitionFacts;
  readonly barrier: number;
  at: number;
}

function planRemovals(
  policy: RetentionPolicy,
  partitions: readonly PartitionFacts[],
  barriers: ReadonlyMap<number, GroupPosition>,
  nowMs: number,
): Removal[] {
  const fronts = partitions.map((facts): Front => {
    const barrier = barriers.get(facts.partition)?.offset ?? Number.POSITIVE_INFINITY;
    return { facts, barrier, at: 0 };
  });
  const removals: Removal[] = [];
  const remove = (front: Front, segment: SegmentFacts): void => {
    removals.push({ partition: front.facts.partition, segment });
    front.at++;
  };
  const { maxAgeMs, maxTopicBytes } = policy;
  if (maxAgeMs !== null) {
    for (const front of fronts) {
      for (let next = removable(front); next !== undefined; next = removable(front)) {
        const timeMs = appendTimeMs(next);
        if (timeMs === undefined || nowMs - timeMs < maxAgeMs) break;
        remove(front, next);
      }
    }
  }
  if (maxTopicBytes === null || !policy.deleteOldestSegments) return removals;
  let bytes = totalBytes(partitions);
  for (const { segment } of removals) bytes -= segment.logBytes;
  while (bytes > maxTopicBytes) {
    const front = oldest(fronts);
    if (front === undefined) break;
    const segment = removable(front)!;
    remove(front, segment);
    bytes -= segment.logBytes;
  }
  return removals;
}

/** The front's next segment, unless a group has yet to read it. */
function removable({ facts, barrier, at }: Front): SegmentFacts | undefined {
  const segment = facts.sealed[at];
  return segment !== undefined && segment.nextOffset <= barrier ? segment : undefined;
}

/** The front whose next segment is the oldest; one of unknown age comes last. */
function oldest(fronts: readonly Front[]): Front | undefined {
  let found: Front | undefined;
  let foundMs = Number.POSITIVE_INFINITY;
  for (const front of fronts) {
    const segment = removable(front);
    if (segment === undefined) continue;
    const timeMs = appendTimeMs(segment) ?? Number.POSITIVE_INFINITY;
    if (found !== undefined && timeMs >= foundMs) continue;
    found = front;
    foundMs = timeMs;
  }
  return found;
}
