import type { Log, LogProcess } from "../../adapters/log.ts";
import type { Command } from "../command.ts";
import { count } from "../format.ts";
import { paintFor } from "../paint.ts";
import { table } from "../table.ts";
import { topicFacts } from "./facts.ts";
import {
  chosenPartitions,
  existingLogPath,
  LOG_OPTION,
  optionalTopic,
  TOPIC_OPTION,
  withReader,
} from "./log-directory.ts";

/** One group in one topic, as `headrace log groups --json` prints it. */
export interface GroupJson {
  readonly groupId: string;
  readonly topic: string;
  /** Where its members are; null when it does not run. */
  readonly process: LogProcess | null;
  /** Partitions with a stored offset. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly offset: number;
    readonly lag: number;
  }[];
  /** Messages before it in these partitions. */
  readonly lag: number;
}

/** `headrace log groups`. */
export const groups: Command = {
  name: "log groups",
  act: "list groups",
  summary: "lists groups with their positions and lag",
  usage: "[topic] --log DIR [--json]",
  positionals: 1,
  options: [LOG_OPTION, TOPIC_OPTION, { name: "json", help: "print one JSON array" }],
  notes: ['Offsets of one group by partition: "headrace log offsets".'],
  async run(args, io) {
    const topic = optionalTopic("list groups", args);
    const path = existingLogPath("list groups", args, io.cwd);
    const found = await withReader(path, (log) => listGroups(log, topic));
    const lines = args.flag("json") ? [JSON.stringify(found)] : groupLines(found, paintFor(io.out));
    io.out.write(`${lines.join("\n")}\n`);
    return 0;
  },
};

async function listGroups(log: Log, topic: string | undefined): Promise<GroupJson[]> {
  const names = topic === undefined ? (await log.topics()).map((one) => one.topic) : [topic];
  const found: GroupJson[] = [];
  for (const name of names) {
    const all = await chosenPartitions("list groups", log, name, undefined);
    const facts = await topicFacts(log, name, all);
    for (const { groupId, process } of facts.groups) {
      const partitions = facts.partitions.flatMap(({ partition, groups: positions }) => {
        const position = positions.find((one) => one.groupId === groupId);
        const { offset = null, lag = null } = position ?? {};
        return offset === null || lag === null ? [] : [{ partition, offset, lag }];
      });
      const lag = partitions.reduce((sum, one) => sum + one.lag, 0);
      found.push({ groupId, topic: name, process, partitions, lag });
    }
  }
  return found.sort((a, b) => (a.groupId < b.groupId ? -1 : a.groupId > b.groupId ? 1 : 0));
}

function groupLines(found: readonly GroupJson[], paint: ReturnType<typeof paintFor>): string[] {
  if (found.length === 0) return ["No groups"];
  const rows = found.map(({ groupId, topic, process, partitions, lag }) => [
    groupId,
    topic,
    count(partitions.length),
    lag === 0 ? paint.green("0") : count(lag),
    process === null ? paint.dim("stopped") : `runs in process ${process.pid}`,
  ]);
  const heading = ["group", "topic", "partitions", "lag", ""];
  return table([heading, ...rows], ["left", "left", "right", "right", "left"]);
}
