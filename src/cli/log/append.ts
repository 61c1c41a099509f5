import type { Buffer } from "node:buffer";
import { type Log, log as logClient } from "../../adapters/log.ts";
import { createProducer, type Producer, type ProducerRecord } from "../../index.ts";
import type { Command, ParsedArguments } from "../command.ts";
import { CommandError, explainError, usageError } from "../command-error.ts";
import { plural } from "../format.ts";
import { type Io, signalExitCode } from "../io.ts";
import { OptionValues } from "../option-values.ts";
import { stoppable } from "../stoppable.ts";
import { AppendView } from "./append-view.ts";
import { inputLines } from "./input-lines.ts";
import {
  LOG_OPTION,
  logPath,
  MAX_PARTITION,
  requiredTopic,
  TOPIC_OPTION,
  withWriter,
} from "./log-directory.ts";
import { type RecordInput, recordFromJson } from "./record-json.ts";
import { untilAborted } from "./until-aborted.ts";

const FORMATS = ["lines", "json"] as const;
const ACKNOWLEDGE = ["buffered", "written", "synced"] as const;
const DEFAULT_BATCH_MESSAGES = 1000;
const MAX_BATCH_MESSAGES = 100_000;

interface AppendOptions {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly format: (typeof FORMATS)[number];
  readonly key: string | undefined;
  readonly keySeparator: string | undefined;
  readonly batchMessages: number;
  readonly acknowledge: (typeof ACKNOWLEDGE)[number] | undefined;
}

/** `headrace log append`. */
export const append: Command = {
  name: "log append",
  act: "append",
  summary: "writes each line of stdin as a message",
  usage: "<topic> --log DIR [options] < FILE",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    { name: "partition", value: "N", help: "partition (by key; round robin without keys)" },
    { name: "format", value: "F", help: "lines, or json: one object per line (lines)" },
    { name: "key", value: "K", help: "key of every line" },
    { name: "key-separator", value: "S", help: "a line is KEY S VALUE; the first S counts" },
    {
      name: "batch-messages",
      value: "N",
      help: `most messages written together (${DEFAULT_BATCH_MESSAGES})`,
    },
    {
      name: "acknowledge",
      value: "A",
      help: "what an append waits for: buffered, written or synced (written)",
    },
    { name: "json", help: "print what was done as one JSON object" },
  ],
  notes: [
    "JSON objects have value, and key, headers, partition, timestamp (milliseconds or ISO 8601) and",
    "id (a UUID) if they like. Bytes that are no text go into valueBase64 and keyBase64. A value that",
    'is no string is stored as its JSON text. The lines of "headrace log read --json" fit.',
    "A topic that is not there is made, with one partition. Lines that have come are written at once.",
  ],
  async run(args, io) {
    const options = readOptions(args);
    const path = logPath("append", args, io.cwd);
    const { acknowledge } = options;
    const work = async (log: Log): Promise<number> => {
      const known = await log.topics();
      const view = new AppendView(io, options.topic);
      if (!known.some(({ topic }) => topic === options.topic)) {
        await log.createTopic(options.topic, 1);
        view.note(`Made ${options.topic} with 1 partition`);
      }
      if (io.input.isTerminal) view.note("Each line is a message; Ctrl-D ends");
      await view.begin(log);
      const producer = createProducer({ sink: logClient(log), logger: false });
      try {
        return await stoppable(io, async (signal, stoppedBy) => {
          await appendAll(producer, io, options, view, signal);
          view.finish(args.flag("json"));
          const stopped = stoppedBy();
          return stopped === undefined ? 0 : signalExitCode(stopped);
        });
      } finally {
        view.clear();
        await producer.close();
      }
    };
    return await withWriter(path, io, work, acknowledge === undefined ? {} : { acknowledge });
  },
};

function readOptions(args: ParsedArguments): AppendOptions {
  const values = new OptionValues("append", args);
  const options = {
    topic: requiredTopic("append", args),
    partition: values.integer("partition", 0, MAX_PARTITION),
    format: values.oneOf("format", FORMATS) ?? "lines",
    key: args.text("key"),
    keySeparator: args.text("key-separator"),
    batchMessages:
      values.integer("batch-messages", 1, MAX_BATCH_MESSAGES) ?? DEFAULT_BATCH_MESSAGES,
    acknowledge: values.oneOf("acknowledge", ACKNOWLEDGE),
  };
  const given = ["key", "key-separator"].filter((name) => args.text(name) !== undefined);
  if (given.length > 1 || (given.length > 0 && options.format === "json")) {
    const received = `--${given.join(", --")}${options.format === "json" ? " with JSON" : ""}`;
    throw usageError(`Cannot append as keys come from one place: received ${received}`);
  }
  return options;
}

/** Appends until stdin ends or the signal aborts: what has been read by then is appended. */
async function appendAll(
  producer: Producer,
  io: Io,
  options: AppendOptions,
  view: AppendView,
  signal: AbortSignal,
): Promise<void> {
  let lineNumber = 0;
  for await (const lines of untilAborted(inputLines(io.input.chunks()), signal)) {
    for (let at = 0; at < lines.length; at += options.batchMessages) {
      const records: ProducerRecord[] = [];
      let refusal: unknown;
      for (const line of lines.slice(at, at + options.batchMessages)) {
        try {
          const record = recordOf(line, ++lineNumber, options);
          if (record !== undefined) records.push(record);
        } catch (error) {
          // What stands before the bad line is good.
          refusal = error;
          break;
        }
      }
      try {
        view.appended(await producer.produceMany(records));
      } catch (error) {
        throw failed(error, view.count, records.length);
      }
      if (refusal !== undefined) throw failed(refusal, view.count, 0);
    }
  }
}

/** @returns undefined for an empty line between JSON objects. */
function recordOf(
  line: Buffer,
  number: number,
  options: AppendOptions,
): ProducerRecord | undefined {
  const { topic, partition } = options;
  const where = `line ${number}`;
  const input = options.format === "json" ? jsonOf(line, where) : textOf(line, where, options);
  if (input === undefined) return undefined;
  return { topic, ...input, ...(partition === undefined ? {} : { partition }) };
}

function jsonOf(line: Buffer, where: string): RecordInput | undefined {
  const text = line.toString();
  return text.trim() === "" ? undefined : recordFromJson(text, where);
}

function textOf(line: Buffer, where: string, options: AppendOptions): RecordInput {
  const { key, keySeparator } = options;
  if (keySeparator === undefined) return { key: key ?? null, value: line };
  const at = line.indexOf(keySeparator);
  if (at !== -1) {
    const valueAt = at + new TextEncoder().encode(keySeparator).length;
    return { key: line.subarray(0, at), value: line.subarray(valueAt) };
  }
  throw new CommandError(
    `Cannot append ${where} as it must hold the separator "${keySeparator}": received none`,
  );
}

function failed(error: unknown, appended: number, unknown: number): CommandError {
  const doubt = unknown > 0 ? `, and perhaps some of the next ${unknown}` : "";
  const done = `${plural(appended, "message")} before it appended${doubt}`;
  return new CommandError(`${explainError(error)}; ${done}`, 1, error);
}
