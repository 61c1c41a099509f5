import type { Log, LogProcess, LogSegment, TopicOverrides } from "../../adapters/log.ts";

/** Where a group is in one partition. */
export interface GroupPosition {
  readonly groupId: string;
  /** The next offset to read; null: nothing is stored. */
  readonly offset: number | null;
  /** Messages behind it; null without an offset. */
  readonly lag: number | null;
}

/** A group that has stored offsets in a topic. */
export interface GroupFacts {
  readonly groupId: string;
  /** Where its members are; null when it does not run. */
  readonly process: LogProcess | null;
}

/** What there is of a partition. */
export interface PartitionFacts {
  readonly partition: number;
  readonly logStart: number;
  readonly logEnd: number;
  readonly bytes: number;
  readonly segments: readonly LogSegment[];
  readonly groups: readonly GroupPosition[];
}

/** What there is of a topic. */
export interface TopicFacts {
  readonly topic: string;
  readonly messages: number;
  readonly bytes: number;
  readonly groups: readonly GroupFacts[];
  /** What is stored with it. */
  readonly options: TopicOverrides;
  readonly partitions: readonly PartitionFacts[];
}

/** Collects what there is of some partitions of a topic. */
export async function topicFacts(
  log: Log,
  topic: string,
  partitions: readonly number[],
): Promise<TopicFacts> {
  const groupIds = await log.groups(topic);
  const groups = await Promise.all(
    groupIds.map(async (groupId) => {
      return { groupId, process: await log.groupProcess(groupId, topic) };
    }),
  );
  const offsets = await Promise.all(groups.map(({ groupId }) => log.committed(groupId, topic)));
  const facts = await Promise.all(
    partitions.map(async (partition) => {
      const bounds = await log.bounds(topic, partition);
      const segments = await log.segments(topic, partition);
      return {
        partition,
        ...bounds,
        bytes: segments.reduce((sum, segment) => sum + segment.bytes, 0),
        segments,
        groups: groups.map(({ groupId }, at) => {
          const offset = offsets[at]![partition]?.offset ?? null;
          return { groupId, offset, lag: lagOf(offset, bounds) };
        }),
      };
    }),
  );
  return {
    topic,
    options: await log.topicOptions(topic),
    messages: facts.reduce((sum, { logStart, logEnd }) => sum + logEnd - logStart, 0),
    bytes: facts.reduce((sum, { bytes }) => sum + bytes, 0),
    groups,
    partitions: facts,
  };
}

/** Messages that a group has before it; what retention has removed does not count. */
export function lagOf(
  offset: number | null,
  { logStart, logEnd }: { readonly logStart: number; readonly logEnd: number },
): number | null {
  return offset === null ? null : Math.max(0, logEnd - Math.max(offset, logStart));
}
