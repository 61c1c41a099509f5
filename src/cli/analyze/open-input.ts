import type { Partitioner } from "../../index.ts";
import type { ParsedArguments } from "../command.ts";
import { usageError } from "../command-error.ts";
import type { Io } from "../io.ts";
import { keySpec } from "../key-spec.ts";
import { existingLogPath, MAX_PARTITION } from "../log/log-directory.ts";
import { openSource } from "../open-source.ts";
import { OptionValues } from "../option-values.ts";
import type { AnalysisInput } from "./analysis-input.ts";
import { kafkaTopic } from "./kafka-topic.ts";
import { keyLines } from "./key-lines.ts";
import { logTopic } from "./log-topic.ts";

/** What the command reads. */
export interface InputOptions {
  /** A file or "-"; undefined: the topic. */
  readonly file: string | undefined;
  readonly topic: string | undefined;
  readonly partition: number | undefined;
  readonly last: number | undefined;
  readonly maxMessages: number;
  /** null: by the message key. */
  readonly partitioner: Partitioner | null;
}

/** Options that make sense for a topic only. */
const OF_TOPICS = ["brokers", "log", "partition", "last", "key"] as const;

/** @throws {CommandError} For what does not fit together. */
export function readInputOptions(args: ParsedArguments): InputOptions {
  const values = new OptionValues("analyze", args);
  const [file] = args.positionals;
  const topic = values.text("topic");
  if ((file === undefined) === (topic === undefined)) {
    const received = file === undefined ? "none" : "both";
    const rule = "one of a file, - and --topic is required";
    throw usageError(`Cannot analyze as ${rule}: received ${received}`);
  }
  const lost = OF_TOPICS.find((name) => file !== undefined && args.text(name) !== undefined);
  if (lost !== undefined) {
    throw usageError(`Cannot analyze as --${lost} works with --topic only: received "${file}"`);
  }
  const key = values.text("key");
  return {
    file,
    topic,
    partition: values.integer("partition", 0, MAX_PARTITION),
    last: values.integer("last", 1, Number.MAX_SAFE_INTEGER),
    maxMessages:
      values.integer("max-messages", 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
    partitioner: key === undefined || key === "key" ? null : keySpec(key, "analyze"),
  };
}

/** @throws {CommandError | HeadraceError} When it cannot be read. */
export async function openInput(
  options: InputOptions,
  args: ParsedArguments,
  io: Io,
  say: (line: string) => void,
): Promise<AnalysisInput> {
  const { file, topic, partition, last } = options;
  if (file !== undefined) return keyLines(file, io);
  const selection = { topic: topic!, partition, last };
  if (args.text("brokers") === undefined && args.text("log") !== undefined) {
    return await logTopic(existingLogPath("analyze", args, io.cwd), selection);
  }
  const { factory, name } = await openSource("analyze", args, io.cwd);
  return await kafkaTopic(factory, name, selection, say);
}
