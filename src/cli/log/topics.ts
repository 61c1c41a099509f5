import type { Log } from "../../adapters/log.ts";
import type { Command } from "../command.ts";
import { bytes, count } from "../format.ts";
import { table } from "../table.ts";
import { topicFacts } from "./facts.ts";
import { existingLogPath, LOG_OPTION, withReader } from "./log-directory.ts";

/** One topic, as `headrace log topics --json` prints it. */
export interface TopicJson {
  readonly topic: string;
  readonly partitions: number;
  readonly segments: number;
  readonly messages: number;
  readonly bytes: number;
  /** Names of groups with stored offsets. */
  readonly groups: readonly string[];
}

/** `headrace log topics`. */
export const topics: Command = {
  name: "log topics",
  act: "list topics",
  summary: "lists topics with their sizes",
  usage: "--log DIR [--json]",
  positionals: 0,
  options: [LOG_OPTION, { name: "json", help: "print one JSON array" }],
  async run(args, io) {
    const path = existingLogPath("list topics", args, io.cwd);
    const found = await withReader(path, listTopics);
    const lines = args.flag("json") ? [JSON.stringify(found)] : topicLines(found);
    io.out.write(`${lines.join("\n")}\n`);
    return 0;
  },
};

async function listTopics(log: Log): Promise<TopicJson[]> {
  const all = await log.topics();
  return await Promise.all(
    all.map(async ({ topic, partitions }) => {
      const numbers = Array.from({ length: partitions }, (_, at) => at);
      const facts = await topicFacts(log, topic, numbers);
      return {
        topic,
        partitions,
        segments: facts.partitions.reduce((sum, one) => sum + one.segments.length, 0),
        messages: facts.messages,
        bytes: facts.bytes,
        groups: facts.groups.map(({ groupId }) => groupId),
      };
    }),
  );
}

function topicLines(found: readonly TopicJson[]): string[] {
  if (found.length === 0) return ["No topics"];
  const rows = found.map((one) => [
    one.topic,
    ...[one.partitions, one.segments, one.messages].map(count),
    bytes(one.bytes),
    count(one.groups.length),
  ]);
  const heading = ["topic", "partitions", "segments", "messages", "bytes", "groups"];
  return table([heading, ...rows], ["left", "right", "right", "right", "right", "right"]);
}
