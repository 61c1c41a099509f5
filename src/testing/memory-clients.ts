/** The writing and the asking side of a memory source. */
import { SourceError } from "../errors.ts";
import type { Admin, Sink, SinkBatch, SinkOutcome } from "../source/source.ts";
import type { MemoryCommits } from "./memory-commits.ts";
import type { MemoryLog, MemoryRecordInput } from "./memory-log.ts";

/** Appends records and wakes who owns the partition. */
type Append = (topic: string, partition: number, records: readonly MemoryRecordInput[]) => number[];

/** A sink whose batches are stored as they come; an `id` is not looked at. */
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
    send: async (batches) => batches.map(write),
    close: async () => {},
  };
}

/** An admin over the same log and commits. */
export function memoryAdmin(log: MemoryLog, commits: MemoryCommits): Admin {
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
    createTopic: async (topic, partitions) => log.createTopic(topic, partitions),
    close: async () => {},
  };
}
