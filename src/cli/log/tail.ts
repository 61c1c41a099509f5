import type { Log } from "../../adapters/log.ts";
import type { Command, ParsedArguments } from "../command.ts";
import type { Io } from "../io.ts";
import { OptionValues } from "../option-values.ts";
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
import { Wake } from "./wake.ts";

/** `headrace log tail`. */
export const tail: Command = {
  name: "log tail",
  act: "tail",
  summary: "prints messages as they come",
  usage: "<topic> --log DIR [options]",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    PARTITION_OPTION,
    { name: "from", value: "P", help: "first message (latest: only what comes)" },
    ...PRINT_OPTIONS,
  ],
  notes: [...POSITION_NOTES, "SIGINT and SIGTERM end it, with exit code 0."],
  async run(args, io) {
    const options = readOptions(args);
    const path = existingLogPath("tail", args, io.cwd);
    return await withReader(path, (log) =>
      stoppable(io, async (signal) => {
        await follow(log, options, io, signal);
        return 0;
      }),
    );
  },
};

interface TailOptions {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly from: Position;
  readonly maxMessages: number;
  readonly format: RecordFormat;
}

function readOptions(args: ParsedArguments): TailOptions {
  const values = new OptionValues("tail", args);
  return {
    topic: requiredTopic("tail", args),
    partition: values.integer("partition", 0, MAX_PARTITION),
    from: parsePosition("tail", "--from", args.text("from") ?? "latest", Date.now()),
    maxMessages: maxMessagesOf(values),
    format: formatOf("tail", args),
  };
}

async function follow(log: Log, options: TailOptions, io: Io, signal: AbortSignal): Promise<void> {
  const { topic, partition, from, maxMessages } = options;
  const wake = new Wake(signal);
  /** Next offset by partition. */
  const positions = new Map<number, number>();
  const stop = log.onAppend(topic, () => wake.call());
  let left = maxMessages;
  try {
    for (let first = true; !signal.aborted && left > 0; first = false) {
      wake.reset();
      const partitions = await chosenPartitions("tail", log, topic, partition);
      if (first) checkOffsets("tail", topic, partitions.length, { "--from": from });
      for (const number of partitions) {
        const bounds = await log.bounds(topic, number);
        const at = { act: "tail", topic, partition: number };
        // A partition that was added later is read from its first message on.
        const start = first ? await offsetOf(log, at, from, bounds) : bounds.logStart;
        const position = positions.get(number) ?? start;
        const plan = { log, partition: number, from: position, until: bounds.logEnd };
        const printed = await printMessages({
          ...options,
          ...plan,
          maxMessages: left,
          out: io.out,
          signal,
          onPrinted: () => {},
          say: (line) => io.err.write(`${line}\n`),
        });
        positions.set(number, printed.nextOffset);
        left -= printed.messages;
        if (printed.readerGone || left === 0) return;
      }
      await wake.next();
    }
  } finally {
    stop();
  }
}
