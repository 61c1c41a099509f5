import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Log, type LogOptions, openLog } from "../../adapters/log.ts";
import type { OptionSpec, ParsedArguments } from "../command.ts";
import { CommandError, usageError } from "../command-error.ts";
import type { Io } from "../io.ts";
import { OptionValues } from "../option-values.ts";
import { toldEvents } from "./told-events.ts";

/** Options that name what a command works on. */
export const LOG_OPTION: OptionSpec = {
  name: "log",
  value: "DIR",
  help: "directory of the log",
};
export const TOPIC_OPTION: OptionSpec = {
  name: "topic",
  value: "T",
  help: "the topic, if it is not the argument",
};
export const PARTITION_OPTION: OptionSpec = {
  name: "partition",
  value: "N",
  help: "only this partition",
};
export const MAX_PARTITION = 99_999;

/** Most topics that an error lists. */
const TOPICS_SHOWN = 10;

/** The log directory that `--log` names, whether or not it is there. @throws {CommandError} */
export function logPath(act: string, args: ParsedArguments, cwd: string): string {
  return resolve(cwd, new OptionValues(act, args).required("log"));
}

/**
 * The directory that `--log` names. It must hold a log: opening would make an empty one, and a
 * mistyped path would look like an empty log.
 *
 * @throws {CommandError} When it is missing, no directory, or holds no log.
 */
export function existingLogPath(act: string, args: ParsedArguments, cwd: string): string {
  const path = logPath(act, args, cwd);
  const given = args.text("log");
  if (!existsSync(path) || !statSync(path).isDirectory()) {
    throw usageError(`Cannot ${act} as --log must be a directory: received "${given}"`);
  }
  if (existsSync(join(path, "store.json")) || existsSync(join(path, "topics"))) return path;
  throw usageError(
    `Cannot ${act} as --log must be the directory of a log: received "${given}" without store.json`,
  );
}

/**
 * The topic: the argument or `--topic`.
 *
 * @throws {CommandError} When it is given twice.
 */
export function optionalTopic(act: string, args: ParsedArguments): string | undefined {
  const [argument] = args.positionals;
  const option = args.text("topic");
  if (argument !== undefined && option !== undefined) {
    throw usageError(`Cannot ${act} as the topic is given once: received ${argument}, ${option}`);
  }
  return argument ?? option;
}

/** @throws {CommandError} When there is none. */
export function requiredTopic(act: string, args: ParsedArguments): string {
  const topic = optionalTopic(act, args);
  if (topic !== undefined) return topic;
  throw usageError(`Cannot ${act} as a topic is required: received none`);
}

/** Opens the log to read beside whoever writes it, does something with it, and closes it. */
export async function withReader<R>(path: string, act: (log: Log) => Promise<R>): Promise<R> {
  return await withLog(await openLog(path, { readOnly: true }), act);
}

/**
 * Opens the log to write, does something with it, and closes it. What happens in it is told on stderr.
 *
 * @throws {LogError} When another process writes there.
 */
export async function withWriter<R>(
  path: string,
  io: Io,
  act: (log: Log) => Promise<R>,
  options: LogOptions = {},
): Promise<R> {
  return await withLog(await openLog(path, { on: toldEvents(io), ...options }), act);
}

async function withLog<R>(log: Log, act: (log: Log) => Promise<R>): Promise<R> {
  try {
    return await act(log);
  } finally {
    await log.close();
  }
}

/**
 * Partitions of a topic that a command works on: the one of `--partition`, or all.
 *
 * @throws {CommandError} When there is no such topic or partition.
 */
export async function chosenPartitions(
  act: string,
  log: Log,
  topic: string,
  partition: number | undefined,
): Promise<readonly number[]> {
  const topics = await log.topics();
  const found = topics.find((one) => one.topic === topic);
  if (found === undefined) {
    const names = topics.slice(0, TOPICS_SHOWN).map((one) => one.topic);
    if (topics.length > TOPICS_SHOWN) names.push("…");
    throw new CommandError(
      `Cannot ${act} as the topic must exist (there are: ${names.join(", ") || "none"}): ` +
        `received "${topic}"`,
    );
  }
  if (partition === undefined) return Array.from({ length: found.partitions }, (_, at) => at);
  if (partition < found.partitions) return [partition];
  throw new CommandError(
    `Cannot ${act} as partitions of ${topic} are 0 to ${found.partitions - 1}: ` +
      `received ${partition}`,
  );
}
