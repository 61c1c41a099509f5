import { resolve } from "node:path";
import type { Partitioner } from "../../index.ts";
import type { OptionSpec, ParsedArguments } from "../command.ts";
import { usageError } from "../command-error.ts";
import { keySpec } from "../key-spec.ts";
import { SOURCE_OPTIONS } from "../open-source.ts";
import { OptionValues } from "../option-values.ts";

const DISTRIBUTIONS = ["consistent", "balanced", "per-key"] as const;

/** What `headrace run` was asked for. */
export interface RunOptions {
  /** As it was given. */
  readonly modulePath: string;
  readonly topic: string;
  readonly groupId: string;
  readonly partitioner: Partitioner;
  readonly distribution: (typeof DISTRIBUTIONS)[number] | undefined;
  readonly maxPartitions: number | undefined;
  readonly concurrency: number | undefined;
  readonly workers: number | undefined;
  readonly maxMessages: number | undefined;
  readonly drainTimeoutMs: number | undefined;
  readonly sessionTimeoutMs: number | undefined;
  readonly fromBeginning: boolean;
  readonly untilEnd: boolean;
  readonly json: boolean;
}

/** Of the processes that `--processes` starts: all but what is the command's own. */
const MEMBER_SPECS: readonly OptionSpec[] = [
  { name: "topic", value: "T", help: "topic to read" },
  { name: "group", value: "G", help: "consumer group" },
  ...SOURCE_OPTIONS,
  {
    name: "key",
    value: "SPEC",
    help: "whose order is kept: key, header:NAME or json:PATH (key)",
  },
  { name: "max-partitions", value: "N", help: "virtual partitions per partition (concurrency)" },
  { name: "distribution", value: "D", help: "consistent, balanced or per-key (consistent)" },
  { name: "concurrency", value: "N", help: "handler calls at once, in each process (10)" },
  {
    name: "workers",
    value: "N",
    help: "threads that the module runs in, for work that is heavy on the processor (none)",
  },
  { name: "max-messages", value: "N", help: "most messages of one eachBatch call (100)" },
  {
    name: "drain-timeout-ms",
    value: "MS",
    help: "how long to wait for handlers at the end (20000)",
  },
  {
    name: "session-timeout-ms",
    value: "MS",
    help: "how long brokers keep the partitions of a process that has died (30000)",
  },
  { name: "from-beginning", help: "start a new group at the first message, not at the end" },
  { name: "until-end", help: "stop when everything that is there now is handled and committed" },
];

export const RUN_SPECS: readonly OptionSpec[] = [
  ...MEMBER_SPECS,
  {
    name: "processes",
    value: "N",
    help: "members of the group, each in a process of its own; one that dies is started again",
  },
  { name: "json", help: "print what was done as one JSON object on stdout" },
];

/** @throws {CommandError} Naming the option, the rule and the value. */
export function readRunOptions(args: ParsedArguments): RunOptions {
  const [modulePath] = args.positionals;
  if (modulePath === undefined) {
    throw usageError("Cannot run as a module is required: received none");
  }
  const values = new OptionValues("run", args);
  return {
    modulePath,
    topic: values.required("topic"),
    groupId: values.required("group"),
    partitioner: keySpec(args.text("key") ?? "key"),
    distribution: values.oneOf("distribution", DISTRIBUTIONS),
    maxPartitions: values.integer("max-partitions", 1, 65_536),
    concurrency: values.integer("concurrency", 1, 100_000),
    workers: values.integer("workers", 1, 1024),
    maxMessages: values.integer("max-messages", 1, 100_000),
    drainTimeoutMs: values.integer("drain-timeout-ms", 0, 3_600_000),
    sessionTimeoutMs: values.integer("session-timeout-ms", 1000, 1_800_000),
    fromBeginning: args.flag("from-beginning"),
    untilEnd: args.flag("until-end"),
    json: args.flag("json"),
  };
}

/**
 * How many processes, or undefined: the consumer runs in this one.
 *
 * @throws {CommandError} For more than one over the embedded log, which one process can read as a group.
 */
export function readProcesses(args: ParsedArguments): number | undefined {
  const processes = new OptionValues("run", args).integer("processes", 1, 1024);
  if (processes !== undefined && processes > 1 && args.text("log") !== undefined) {
    const rule = "--processes must be 1 with --log, where one process runs a group";
    throw usageError(`Cannot run as ${rule}: received "${processes}"`);
  }
  return processes;
}

/** The same arguments again, for `headrace run-member`; paths are absolute. */
export function memberArguments(args: ParsedArguments, cwd: string): string[] {
  const given = args.positionals.map((path) => resolve(cwd, path));
  for (const { name, value } of MEMBER_SPECS) {
    const text = args.text(name);
    if (text !== undefined) given.push(`--${name}=${name === "log" ? resolve(cwd, text) : text}`);
    else if (value === undefined && args.flag(name)) given.push(`--${name}`);
  }
  return given;
}
