import { type Log, type LogSegment, storedRecords } from "../../adapters/log.ts";
import type { Command } from "../command.ts";
import { OptionValues } from "../option-values.ts";
import { paintFor } from "../paint.ts";
import { describeLines } from "./describe-lines.ts";
import { type PartitionFacts, type TopicFacts, topicFacts } from "./facts.ts";
import {
  chosenPartitions,
  existingLogPath,
  LOG_OPTION,
  MAX_PARTITION,
  optionalTopic,
  PARTITION_OPTION,
  TOPIC_OPTION,
  withReader,
} from "./log-directory.ts";

const MAX_COLUMNS = 80;

/** A segment, with when its first message was appended. */
export interface DescribedSegment extends LogSegment {
  /** Milliseconds since the epoch; null for a segment without messages. */
  readonly firstAppendTime: number | null;
}

/** A partition, as `headrace log describe --json` prints it. */
export interface DescribedPartition extends PartitionFacts {
  readonly segments: readonly DescribedSegment[];
  /** When the newest message was appended; null when there is none. */
  readonly lastAppendTime: number | null;
}

/** A topic, as `headrace log describe --json` prints it. */
export interface DescribedTopic extends TopicFacts {
  readonly partitions: readonly DescribedPartition[];
}

/** `headrace log describe`. */
export const describe: Command = {
  name: "log describe",
  act: "describe",
  summary: "draws segments and where groups are in them",
  usage: "[topic] --log DIR [--partition N] [--json]",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    PARTITION_OPTION,
    { name: "all", help: "list every segment, not only the newest" },
    { name: "json", help: "print one JSON array, an object per topic" },
  ],
  notes: ["A bar is a partition from its first to its next offset, to scale: █ sealed, ░ active."],
  async run(args, io) {
    const values = new OptionValues("describe", args);
    const partition = values.integer("partition", 0, MAX_PARTITION);
    const topic = optionalTopic("describe", args);
    const path = existingLogPath("describe", args, io.cwd);
    const found = await withReader(path, (log) => describeTopics(log, topic, partition));
    const columns = Math.min(MAX_COLUMNS, io.out.columns);
    const style = { columns, all: args.flag("all"), nowMs: Date.now(), paint: paintFor(io.out) };
    const lines = args.flag("json") ? [JSON.stringify(found)] : describeLines(found, style);
    io.out.write(`${lines.join("\n")}\n`);
    return 0;
  },
};

async function describeTopics(
  log: Log,
  topic: string | undefined,
  partition: number | undefined,
): Promise<DescribedTopic[]> {
  const names = topic === undefined ? (await log.topics()).map((one) => one.topic) : [topic];
  const described: DescribedTopic[] = [];
  for (const name of names) {
    const partitions = await chosenPartitions("describe", log, name, partition);
    const facts = await topicFacts(log, name, partitions);
    const timed: DescribedPartition[] = [];
    for (const one of facts.partitions) timed.push(await withTimes(log, name, one));
    described.push({ ...facts, partitions: timed });
  }
  return described;
}

async function withTimes(
  log: Log,
  topic: string,
  facts: PartitionFacts,
): Promise<DescribedPartition> {
  const { partition, logEnd } = facts;
  const timeAt = async (offset: number): Promise<number | null> => {
    const { logStart } = await log.bounds(topic, partition);
    if (offset < logStart || offset >= logEnd) return null; // Empty, or removed meanwhile.
    const [batch] = await log.read(topic, partition, offset, 1);
    const first = batch && storedRecords(batch, offset).next().value;
    return first?.appendTime ?? null;
  };
  const segments: DescribedSegment[] = [];
  for (const segment of facts.segments) {
    segments.push({ ...segment, firstAppendTime: await timeAt(segment.baseOffset) });
  }
  return { ...facts, segments, lastAppendTime: await timeAt(logEnd - 1) };
}
