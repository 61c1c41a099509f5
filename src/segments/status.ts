import type { Admin, GroupDescription } from "../source/source.ts";
import { resolveSegmentsOptions, type SegmentsStatusOptions } from "./offset-options.ts";
import type { Position } from "./position.ts";
import { Problems } from "./problems.ts";
import { type GroupSnapshot, nameOf, type PartitionBounds, readSnapshot } from "./snapshot.ts";

/** Parts that a partition is drawn in. */
const SLICES = 50;

/** One of the groups. */
export interface SegmentGroupStatus extends GroupDescription {
  readonly groupId: string;
  /** null: the origin. */
  readonly segment: number | null;
}

/** Where one group is in one partition. */
export interface SegmentPositionStatus {
  readonly groupId: string;
  /** null: the origin. */
  readonly segment: number | null;
  /** The next offset to read; null: never committed. */
  readonly offset: number | null;
  /** Messages before the log's end; null without an offset. */
  readonly lag: number | null;
  /** Offsets above `offset` that are known to be done. A segment counts those of the others. */
  readonly completed: number;
  /** Segments that there were when it was stored; null: it does not say. */
  readonly count: number | null;
  /** Version of the segmentation; null: it has none, or does not say. */
  readonly version: string | null;
  /**
   * How much is done, 0 to 1, in each of up to 50 equal parts of the log from its start to its end.
   * Empty without an offset.
   */
  readonly done: readonly number[];
}

/** One partition. */
export interface SegmentsPartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly logStart: number;
  readonly logEnd: number;
  /** The origin first. */
  readonly positions: readonly SegmentPositionStatus[];
}

/** What `segmentsStatus` answers. Plain JSON. */
export interface SegmentsStatus {
  readonly groupId: string;
  readonly count: number;
  readonly mergeKey: string;
  /** The origin first. */
  readonly groups: readonly SegmentGroupStatus[];
  readonly partitions: readonly SegmentsPartitionStatus[];
}

/**
 * Where a group and its segments are. Nothing is changed, and groups may run.
 *
 * @throws {TypeError | RangeError} For a wrong option, naming it.
 * @throws {SegmentOffsetsError} When a topic does not exist, or none of the groups has an offset.
 * @throws {HeadraceError} When the source does not answer.
 */
export async function segmentsStatus(options: SegmentsStatusOptions): Promise<SegmentsStatus> {
  const act = "show segments";
  const { source, naming, topics } = resolveSegmentsOptions(act, options, false);
  const admin: Admin = source.admin();
  try {
    await admin.open();
    const snapshot = await readSnapshot(admin, naming, topics, "all");
    const groups = [snapshot.origin, ...snapshot.segments];
    const problems = new Problems();
    for (const topic of snapshot.missing) problems.add("missing-topic", "", { topic });
    if (groups.every(({ positions }) => positions.size === 0)) {
      for (const group of groups) problems.add("unknown-group", "without any offset", { group });
    }
    problems.throwIfAny(act);
    return {
      groupId: naming.origin,
      count: naming.count,
      mergeKey: naming.mergeKey,
      groups: groups.map(({ groupId, segment, state, members }) => {
        return { groupId, segment, state, members };
      }),
      partitions: snapshot.partitions.map((at) => ({
        ...at,
        positions: groups.map((group) => positionStatus(group, at)),
      })),
    };
  } finally {
    await admin.close();
  }
}

function positionStatus(group: GroupSnapshot, at: PartitionBounds): SegmentPositionStatus {
  const { groupId, segment } = group;
  const position = group.positions.get(nameOf(at));
  if (position === undefined) {
    const nothing = { offset: null, lag: null, completed: 0, count: null, version: null };
    return { groupId, segment, ...nothing, done: [] };
  }
  const { offset, completed, segmentation } = position;
  return {
    groupId,
    segment,
    offset,
    lag: Math.max(0, at.logEnd - Math.max(offset, at.logStart)),
    completed: completed.count,
    count: segmentation?.count ?? null,
    version: segmentation?.version || null,
    done: doneShares(position, at),
  };
}

/** O(ranges of the map + slices). */
function doneShares(position: Position, { logStart, logEnd }: PartitionBounds): number[] {
  const length = logEnd - logStart;
  const slices = Math.min(SLICES, length);
  const done = new Array<number>(slices).fill(0);
  const add = (from: number, to: number): void => {
    const start = Math.max(from, logStart);
    const end = Math.min(to, logEnd);
    const first = Math.floor(((start - logStart) / length) * slices);
    for (let at = first; at < slices; at++) {
      const low = logStart + (at * length) / slices;
      if (low >= end) break;
      const high = logStart + ((at + 1) * length) / slices;
      done[at]! += Math.max(0, Math.min(end, high) - Math.max(start, low)) / (length / slices);
    }
  };
  if (slices > 0) {
    add(logStart, position.offset);
    for (const { from, to } of position.completed.ranges()) add(from, to);
  }
  return done.map((share) => Math.round(share * 1000) / 1000);
}
