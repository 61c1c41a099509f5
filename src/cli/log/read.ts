import type { Log } from "../../adapters/log.ts";
import type { Command, ParsedArguments } from "../command.ts";
import { bar, count, plural } from "../format.ts";
import { type Io, signalExitCode } from "../io.ts";
import { OptionValues } from "../option-values.ts";
import { StatusLine } from "../status-line.ts";
import { stoppable } from "../stoppable.ts";
import {
  chosenPartitions,
  existingLogPath,
  LOG_OPTION,
  MAX_PARTITION,
  PARTITION_OPTION,
  requiredTopic,
  TOPIC_OPTION,
  withReader,
} from "./log-directory.ts";
import {
  checkOffsets,
  formatOf,
  maxMessagesOf,
  POSITION_NOTES,
  PRINT_OPTIONS,
} from "./message-options.ts";
import { offsetOf, type Position, parsePosition } from "./position.ts";
import { printMessages } from "./print-messages.ts";
import type { RecordFormat } from "./record-text.ts";

const PLAIN_EVERY_MS = 5000;
const BAR_COLUMNS = 20;

/** `headrace log read`. */
export const read: Command = {
  name: "log read",
  act: "read",
  summary: "prints messages, one per line",
  usage: "<topic> --log DIR [options]",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    PARTITION_OPTION,
    { name: "from", value: "P", help: "first message (earliest)" },
    { name: "until", value: "P", help: "stop before this message (latest)" },
    ...PRINT_OPTIONS,
  ],
  notes: [
    ...POSITION_NOTES,
    "Partitions come one after the other. Without --json a message without value is an empty line.",
  ],
  async run(args, io) {
    const options = readOptions(args);
    const path = existingLogPath("read", args, io.cwd);
    return await withReader(path, (log) =>
      stoppable(io, async (signal, stoppedBy) => {
        await printRanges(log, options, io, signal);
        const stopped = stoppedBy();
        return stopped === undefined ? 0 : signalExitCode(stopped);
      }),
    );
  },
};

interface ReadOptions {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly from: Position;
  readonly until: Position;
  readonly maxMessages: number;
  readonly format: RecordFormat;
}

function readOptions(args: ParsedArguments): ReadOptions {
  const values = new OptionValues("read", args);
  const nowMs = Date.now();
  return {
    topic: requiredTopic("read", args),
    partition: values.integer("partition", 0, MAX_PARTITION),
    from: parsePosition("read", "--from", args.text("from") ?? "earliest", nowMs),
    until: parsePosition("read", "--until", args.text("until") ?? "latest", nowMs),
    maxMessages: maxMessagesOf(values),
    format: formatOf("read", args),
  };
}

/** One partition's part of what is asked for. */
interface Range {
  readonly partition: number;
  readonly from: number;
  readonly until: number;
}

async function rangesOf(log: Log, options: ReadOptions): Promise<Range[]> {
  const { topic, from, until } = options;
  const partitions = await chosenPartitions("read", log, topic, options.partition);
  checkOffsets("read", topic, partitions.length, { "--from": from, "--until": until });
  return await Promise.all(
    partitions.map(async (partition) => {
      const bounds = await log.bounds(topic, partition);
      const at = { act: "read", topic, partition };
      return {
        partition,
        from: await offsetOf(log, at, from, bounds),
        until: await offsetOf(log, at, until, bounds),
      };
    }),
  );
}

async function printRanges(
  log: Log,
  options: ReadOptions,
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const { topic, format, maxMessages } = options;
  const ranges = await rangesOf(log, options);
  const all = ranges.reduce((sum, { from, until }) => sum + Math.max(0, until - from), 0);
  const total = Math.min(all, maxMessages);
  const status = new StatusLine(io.err, PLAIN_EVERY_MS);
  let printed = 0;
  try {
    for (const range of ranges) {
      const { readerGone } = await printMessages({
        ...range,
        log,
        topic,
        format,
        maxMessages: maxMessages - printed,
        out: io.out,
        signal,
        onPrinted(messages) {
          printed += messages;
          // On a terminal the messages themselves show how far it is.
          if (!io.out.isTerminal) status.update(() => progress(printed, total));
        },
        say: (line) => status.print(line),
      });
      if (readerGone || signal.aborted || printed >= maxMessages) return;
    }
  } finally {
    status.clear();
  }
}

function progress(done: number, total: number): string {
  const [filled, empty] = bar(done / total, BAR_COLUMNS);
  return `read  ${filled}${empty}  ${count(done)} of ${plural(total, "message")}`;
}
