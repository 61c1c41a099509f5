/** The writing and the asking side of a memory source. */
import { GroupRunningError, SourceError } from "../errors.ts";
import type { Admin, OffsetToStore, Sink, SinkBatch, SinkOutcome } from "../source/source.ts";
import { type CommitHook, type MemoryCommits, OUTSIDE } from "./memory-commits.ts";
import type { MemoryLog, MemoryRecordInput } from "./memory-log.ts";

/** Appends records and wakes who owns the partition. */
type Append = (topic: string, partition: number, records: readonly MemoryRecordInput[]) => number[];

/** A sink whose batches are stored as they come; of ids and delivery settings only acks 0 is looked at. */
export function memorySink(log: MemoryLog, append: Append): Sink {
  const write = ({ topic, partition, records }: SinkBatch): SinkOutcome => {
    const inRange = log.has(topic) && partition < log.partitionsOf(topic).length;
    if (inRange) return { baseOffset: append(topic, partition, records)[0] };
    const text = `Cannot write as the partition must exist: received ${topic}#${partition}`;
    return { error: new SourceError(text) };
  };
  return {
    open: async () => {},
    partitionCount: async (topic) => log.partitionsOf(topic).length,
    send: async (batches, delivery) => {
      const outcomes = batches.map(write);
      if (delivery?.acks !== 0) return outcomes;
      return outcomes.map((one) => ("error" in one ? one : { baseOffset: undefined }));
    },
    close: async () => {},
  };
}

/** What an admin needs of the memory source it belongs to. */
export interface AdminHost {
  readonly log: MemoryLog;
  readonly commits: MemoryCommits;
  readonly maxMetadataLength: number;
  /** Indexes of the members that run. */
  membersOf(groupId: string): readonly number[];
  readonly chooseOutcome: CommitHook;
}

/** An admin over the same log and commits. */
export function memoryAdmin(host: AdminHost): Admin {
  const { log, commits } = host;
  return {
    open: async () => {},
    partitionCounts: async (topics) => {
      const known = topics.filter((topic) => log.has(topic));
      return new Map(known.map((topic) => [topic, log.partitionsOf(topic).length]));
    },
    logBounds: async (topic) =>
      log
        .partitionsOf(topic)
        .map(({ partition, logStart, logEnd }) => ({ partition, logStart, logEnd })),
    committed: async (groupId, topic) =>
      log.partitionsOf(topic).map(({ partition }) => {
        const stored = commits.get(groupId, topic, partition);
        return {
          partition,
          offset: stored?.offset ?? null,
          metadata: stored?.metadata ?? "",
        };
      }),
    committedTopics: async (groupId) => commits.topicsOf(groupId),
    describeGroup: async (groupId) => {
      const members = host.membersOf(groupId).map((index) => `member ${index}`);
      const isKnown = commits.topicsOf(groupId).length > 0;
      return { state: members.length > 0 ? "running" : isKnown ? "empty" : "none", members };
    },
    commit: (groupId, topic, offsets) => commitFromOutside(host, groupId, topic, offsets),
    createTopic: async (topic, partitions) => log.createTopic(topic, partitions),
    close: async () => {},
  };
}

async function commitFromOutside(
  host: AdminHost,
  groupId: string,
  topic: string,
  offsets: readonly OffsetToStore[],
): Promise<void> {
  const partitions = host.log.partitionsOf(topic).length;
  const tooLong = (metadata: string): boolean => metadata.length > host.maxMetadataLength;
  const wrong = offsets.find((one) => one.partition >= partitions || tooLong(one.metadata));
  if (wrong !== undefined) {
    const rule = `partition and metadata must fit topic "${topic}"`;
    throw new SourceError(`Cannot store offsets as ${rule}: received ${JSON.stringify(wrong)}`);
  }
  const entries = offsets.map((one) => ({ groupId, member: OUTSIDE, topic, ...one }));
  const attempts = host.commits.begin(entries);
  const outcome = (await host.chooseOutcome(entries)) ?? "stored";
  const members = host.membersOf(groupId);
  if (members.length > 0 || outcome === "fenced") {
    const rule = `group "${groupId}" must have no member`;
    throw new GroupRunningError(`Cannot store offsets as ${rule}: received ${members.length}`);
  }
  if (outcome === "stored" || outcome === "stored-unknown") {
    for (const attempt of attempts) host.commits.store(attempt);
  }
  if (outcome === "stored") return;
  throw new SourceError(`Cannot store offsets as the source must take them: received ${outcome}`);
}
