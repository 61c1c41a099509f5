/** What tools ask of a log beside reading and writing: what there is, and that it goes. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LogError } from "../errors.ts";
import { readHead } from "./head-file.ts";
import { livingHolder } from "./lock-file.ts";
import type { LockedGroup } from "./locked-group.ts";
import type { ReadableTopic } from "./readable.ts";
import { listSegments, segmentName } from "./segment-names.ts";
import { checkedTopicJson, TOPIC_FILE } from "./topic-json.ts";
import type { TopicOverrides } from "./topic-options.ts";

/** A process that holds a lock. */
export interface LogProcess {
  readonly pid: number;
  readonly host: string;
}

/** One segment of a partition. */
export interface LogSegment {
  /** Path of the `.log` file. */
  readonly file: string;
  readonly baseOffset: number;
  readonly nextOffset: number;
  /** Bytes that may be read. */
  readonly bytes: number;
  /** Written no more; the last segment of a partition is not. */
  readonly sealed: boolean;
}

/** Part of `Log`. */
export interface LogMaintenance {
  /** Segments of a partition, oldest first, read from disk. */
  segments(topic: string, partition: number): Promise<LogSegment[]>;
  /** What is stored with a topic; the log's options hold for the rest. */
  topicOptions(topic: string): Promise<TopicOverrides>;
  /** Where the members of a group are that reads the topic; null when it does not run. */
  groupProcess(groupId: string, topic: string): Promise<LogProcess | null>;
  /**
   * Removes a topic with its messages and all offsets that groups have stored in it. Consumers lose
   * its partitions.
   *
   * @throws {LogError} When there is no such topic, or the log is open for reading only.
   */
  deleteTopic(topic: string): Promise<void>;
  /**
   * Removes what a group has stored, in one topic or in all. A log that is open for reading only
   * takes it too.
   *
   * @returns The topics in which it had stored something.
   * @throws {LogError} When it has stored nothing, or runs in any process; nothing is removed then.
   */
  deleteGroup(groupId: string, topic?: string): Promise<string[]>;
}

/** See `LogMaintenance.segments()`. @param directory The partition's. */
export function segmentsIn(directory: string): LogSegment[] {
  const head = readHead(join(directory, "head"))?.state;
  if (head === undefined) return [];
  const { activeBase, logStart, writtenBytes, nextOffset } = head;
  const bases = listSegments(directory).filter((base) => base >= logStart && base <= activeBase);
  return bases.flatMap((baseOffset, at) => {
    const file = join(directory, segmentName(baseOffset));
    const sealed = baseOffset < activeBase;
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return []; // Retention is faster.
    const bytes = sealed ? size : writtenBytes;
    return { file, baseOffset, nextOffset: bases[at + 1] ?? nextOffset, bytes, sealed };
  });
}

/** See `LogMaintenance.topicOptions()`. */
export function topicOptionsIn({ directory, name }: ReadableTopic): TopicOverrides {
  const json = JSON.parse(readFileSync(join(directory, TOPIC_FILE), "utf8")) as { name: string };
  return checkedTopicJson({ path: directory, json: { ...json, name } }).options ?? {};
}

/** See `LogMaintenance.groupProcess()`. */
export function groupProcessIn({ groups }: ReadableTopic, groupId: string): LogProcess | null {
  const holder = livingHolder(groups.lockPath(groupId));
  return holder === undefined ? null : { pid: holder.pid, host: holder.host };
}

/** See `LogMaintenance.deleteGroup()`. */
export function deleteGroupIn(topics: readonly ReadableTopic[], groupId: string): string[] {
  const found = topics.filter(({ groups }) => groups.groupIds().includes(groupId));
  if (found.length === 0) {
    throw new LogError(
      `Cannot delete a group as it must have stored offsets: received ${groupId} without any`,
    );
  }
  const locked: LockedGroup[] = [];
  try {
    const rule = `Cannot delete group ${groupId} as it must have no member`;
    for (const { groups } of found) locked.push(groups.lock(groupId, rule));
    for (const group of locked) group.remove();
  } finally {
    for (const group of locked) group.release();
  }
  return found.map(({ name }) => name);
}
