import type { Admin, CommittedOffset, GroupDescription } from "../source/source.ts";
import type { TopicPartition } from "../types.ts";
import { type Position, readPosition } from "./position.ts";
import { type SegmentNaming, segmentGroupIds } from "./segment-names.ts";

/** Groups that are read at the same time. */
const READ_AT_ONCE = 8;

/** One partition of the log. */
export interface PartitionBounds extends TopicPartition {
  readonly logStart: number;
  readonly logEnd: number;
}

/** One group as it was read. */
export interface GroupSnapshot extends GroupDescription {
  readonly groupId: string;
  /** null: the origin. */
  readonly segment: number | null;
  /** By "topic#partition"; what is not in it was never committed. */
  readonly positions: ReadonlyMap<string, Position>;
}

/** Everything that is known of a group and its segments. */
export interface Snapshot {
  readonly topics: readonly string[];
  /** Topics that were asked for and do not exist. */
  readonly missing: readonly string[];
  readonly partitions: readonly PartitionBounds[];
  readonly origin: GroupSnapshot;
  readonly segments: readonly GroupSnapshot[];
}

/** Whose topics count where none are named. */
export type TopicsOf = "origin" | "segments" | "all";

/** How messages and reports name a partition. */
export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}#${partition}`;
}

/** Reads all groups. Nothing is written, nothing judged. */
export async function readSnapshot(
  admin: Admin,
  naming: SegmentNaming,
  asked: readonly string[] | null,
  topicsOf: TopicsOf,
): Promise<Snapshot> {
  const segmentIds = segmentGroupIds(naming);
  const wanted = asked ?? (await findTopics(admin, naming.origin, segmentIds, topicsOf));
  const counts = await admin.partitionCounts(wanted);
  const topics = wanted.filter((topic) => counts.has(topic));
  const partitions: PartitionBounds[] = [];
  for (const topic of topics) {
    for (const bounds of await admin.logBounds(topic)) partitions.push({ topic, ...bounds });
  }
  const ids = [naming.origin, ...segmentIds];
  const groups = await inParts(ids, (groupId, at) =>
    readGroup(admin, { groupId, segment: at === 0 ? null : at - 1 }, topics, partitions),
  );
  const [origin, ...segments] = groups as [GroupSnapshot, ...GroupSnapshot[]];
  const missing = wanted.filter((topic) => !counts.has(topic));
  return { topics, missing, partitions, origin, segments };
}

async function findTopics(
  admin: Admin,
  origin: string,
  segments: readonly string[],
  topicsOf: TopicsOf,
): Promise<string[]> {
  const from = {
    origin: [origin],
    segments: [...segments],
    all: [origin, ...segments],
  }[topicsOf];
  const found = await inParts(from, (groupId) => admin.committedTopics(groupId));
  return [...new Set(found.flat())].sort();
}

async function readGroup(
  admin: Admin,
  group: Pick<GroupSnapshot, "groupId" | "segment">,
  topics: readonly string[],
  partitions: readonly PartitionBounds[],
): Promise<GroupSnapshot> {
  const { groupId } = group;
  const [first] = topics;
  if (first === undefined) return { ...group, state: "none", members: [], positions: new Map() };
  const { state, members } = await admin.describeGroup(groupId, first);
  const positions = new Map<string, Position>();
  for (const topic of topics) {
    for (const { partition, offset, metadata } of await admin.committed(groupId, topic)) {
      const bounds = partitions.find((one) => one.topic === topic && one.partition === partition);
      if (offset === null || bounds === undefined) continue;
      const stored: CommittedOffset = { offset, metadata };
      positions.set(nameOf(bounds), readPosition(stored, bounds.logEnd));
    }
  }
  return { ...group, state, members, positions };
}

async function inParts<T, R>(
  items: readonly T[],
  act: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += READ_AT_ONCE) {
    const part = items.slice(at, at + READ_AT_ONCE);
    results.push(...(await Promise.all(part.map((item, index) => act(item, at + index)))));
  }
  return results;
}
