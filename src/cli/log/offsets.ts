import type { Log } from "../../adapters/log.ts";
import type { Command, ParsedArguments } from "../command.ts";
import { CommandError, usageError } from "../command-error.ts";
import { count } from "../format.ts";
import type { Io } from "../io.ts";
import { OptionValues } from "../option-values.ts";
import { table } from "../table.ts";
import { lagOf } from "./facts.ts";
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
import { checkOffsets, POSITION_NOTES } from "./message-options.ts";
import { offsetOf, type Position, parsePosition } from "./position.ts";

/** One partition, as `headrace log offsets --json` prints it. */
export interface OffsetJson {
  readonly topic: string;
  readonly partition: number;
  readonly logStart: number;
  readonly logEnd: number;
  /** The next offset to read; null: nothing is stored. */
  readonly offset: number | null;
  readonly lag: number | null;
  /** What is stored beside it: the completed map, or a user's text. */
  readonly metadata: string;
  /** Where `--to` leads; absent without it. */
  readonly to?: number;
}

/** `headrace log offsets`. */
export const offsets: Command = {
  name: "log offsets",
  act: "set offsets",
  summary: "shows and sets the offsets of a group",
  usage: "[topic] --log DIR --group G [--to P [--set]]",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    { name: "group", value: "G", help: "the group" },
    PARTITION_OPTION,
    { name: "to", value: "P", help: "show where the group would go on" },
    { name: "set", help: "with --to: store it" },
    { name: "json", help: "print one JSON array" },
  ],
  notes: [
    ...POSITION_NOTES,
    "Stored is the next offset to read. Setting it drops what is known of messages done above it,",
    "and is refused while the group runs.",
  ],
  async run(args, io) {
    const options = readOptions(args);
    const path = existingLogPath("set offsets", args, io.cwd);
    return await withReader(path, async (log) => {
      const found = await planOf(log, options);
      if (options.set) await store(log, options.groupId, found);
      print(found, options, io);
      return 0;
    });
  },
};

interface OffsetsOptions {
  readonly groupId: string;
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly to: Position | undefined;
  readonly set: boolean;
  readonly json: boolean;
}

function readOptions(args: ParsedArguments): OffsetsOptions {
  const values = new OptionValues("set offsets", args);
  const to = args.text("to");
  const options = {
    groupId: values.required("group"),
    topic: optionalTopic("set offsets", args),
    partition: values.integer("partition", 0, MAX_PARTITION),
    to: to === undefined ? undefined : parsePosition("set offsets", "--to", to, Date.now()),
    set: args.flag("set"),
    json: args.flag("json"),
  };
  if (options.set && to === undefined) {
    throw usageError("Cannot set offsets as --set needs --to: received none");
  }
  if (options.topic === undefined && (to !== undefined || options.partition !== undefined)) {
    throw usageError("Cannot set offsets as a topic is required: received none");
  }
  return options;
}

async function planOf(log: Log, options: OffsetsOptions): Promise<OffsetJson[]> {
  const { groupId, topic, partition, to } = options;
  const topics = topic === undefined ? await topicsOf(log, groupId) : [topic];
  const found: OffsetJson[] = [];
  for (const name of topics) {
    const partitions = await chosenPartitions("set offsets", log, name, partition);
    if (to !== undefined) checkOffsets("set offsets", name, partitions.length, { "--to": to });
    const stored = await log.committed(groupId, name);
    for (const number of partitions) {
      const bounds = await log.bounds(name, number);
      const { offset = null, metadata = "" } = stored[number] ?? {};
      const lag = lagOf(offset, bounds);
      const one = { topic: name, partition: number, ...bounds, offset, lag, metadata };
      const at = { act: "set offsets", topic: name, partition: number };
      found.push(to === undefined ? one : { ...one, to: await offsetOf(log, at, to, bounds) });
    }
  }
  if (to === undefined && found.every(({ offset }) => offset === null)) {
    throw new CommandError(
      `Cannot show offsets as the group must have stored some: received "${groupId}" without any`,
    );
  }
  return found;
}

async function topicsOf(log: Log, groupId: string): Promise<string[]> {
  const names: string[] = [];
  for (const { topic } of await log.topics()) {
    const groups = await log.groups(topic);
    if (groups.includes(groupId)) names.push(topic);
  }
  return names;
}

async function store(log: Log, groupId: string, plan: readonly OffsetJson[]): Promise<void> {
  const [first] = plan;
  if (first === undefined) return;
  const changes = plan.map(({ partition, to }) => ({ partition, offset: to! }));
  await log.commit(groupId, first.topic, changes);
}

function print(found: readonly OffsetJson[], options: OffsetsOptions, io: Io): void {
  if (options.json) {
    io.out.write(`${JSON.stringify(found)}\n`);
    return;
  }
  const rows = found.map(({ topic, partition, logStart, logEnd, offset, lag, to }) => [
    `${topic}#${partition}`,
    count(logStart),
    count(logEnd),
    offset === null ? "-" : count(offset),
    lag === null ? "-" : count(lag),
    ...(to === undefined ? [] : [count(to)]),
  ]);
  const last = options.to === undefined ? [] : [options.set ? "set to" : "would be"];
  const heading = ["partition", "start", "end", "offset", "lag", ...last];
  const right = heading.slice(1).map(() => "right" as const);
  const lines = table([heading, ...rows], ["left", ...right]);
  io.out.write(`${lines.join("\n")}\n`);
  if (options.to !== undefined && !options.set) io.err.write("Nothing is changed without --set\n");
}
