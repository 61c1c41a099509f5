import { type PlanOptions, planPartitions } from "../tools/index.ts";
import type { Command, ParsedArguments } from "./command.ts";
import { explainError, usageError } from "./command-error.ts";
import { OptionValues } from "./option-values.ts";
import { paintFor } from "./paint.ts";
import { planLines } from "./plan/plan-lines.ts";

/** Options of `planPartitions()` that are numbers, by the option of the command. */
const NUMBERS = {
  peak: "peak",
  "per-partition": "perPartition",
  buffer: "buffer",
  "max-consumers": "maxConsumers",
  "per-consumer": "perConsumer",
  "min-availability": "minAvailability",
  "round-to-consumers": "roundToConsumers",
  "handler-ms": "handlerMs",
  keys: "keys",
  "hottest-key-share": "hottestKeyShare",
  "current-partitions": "currentPartitions",
  "message-bytes": "messageBytes",
  "retention-ms": "retentionMs",
  "segment-bytes": "segmentBytes",
} as const satisfies Record<string, keyof PlanOptions>;

/** `headrace plan`. */
export const plan: Command = {
  name: "plan",
  act: "plan partitions",
  summary: "says how many partitions, or virtual partitions, a topic needs",
  usage: "--peak RATE [options]",
  positionals: 0,
  options: [
    { name: "peak", value: "RATE", help: "messages per second at the busiest time" },
    { name: "per-partition", value: "RATE", help: "what one partition is good for (5000)" },
    { name: "buffer", value: "X", help: "how much more than the peak is planned for (1.5)" },
    { name: "max-consumers", value: "N", help: "most members that will read at once (1)" },
    { name: "per-consumer", value: "RATE", help: "what one member handles" },
    { name: "min-availability", value: "N", help: "least partitions (1)" },
    { name: "round-to-consumers", value: "N", help: "make the count a multiple of this" },
    {
      name: "handler-ms",
      value: "MS",
      help: "time of the handler for one message: plans virtual partitions of one partition",
    },
    { name: "keys", value: "N", help: "different keys, to see whether they are enough" },
    { name: "hottest-key-share", value: "S", help: "share of the most frequent key, 0 to 1" },
    { name: "current-partitions", value: "N", help: "partitions now, to see what a change moves" },
    { name: "hourly", help: "messages are placed by the hour of their time" },
    { name: "message-bytes", value: "B", help: "bytes of a message, to see what is stored" },
    { name: "retention-ms", value: "MS", help: "how long messages are kept" },
    { name: "segment-bytes", value: "B", help: "bytes of a segment file" },
    { name: "json", help: "print the plan as one JSON object" },
  ],
  notes: [
    "partitions = max(peak × buffer / per-partition, max-consumers, peak / per-consumer,",
    "min-availability), rounded up. Partitions are easy to add and impossible to take away.",
  ],
  async run(args, io) {
    const options = readOptions(args);
    const planned = usage(() => planPartitions(options));
    if (args.flag("json")) {
      io.out.write(`${JSON.stringify(planned)}\n`);
      return 0;
    }
    const lines = planLines(options, planned, paintFor(io.out), io.out.columns);
    io.out.write(`${lines.join("\n")}\n`);
    return 0;
  },
};

function readOptions(args: ParsedArguments): PlanOptions {
  const values = new OptionValues("plan partitions", args);
  values.required("peak");
  const given = Object.entries(NUMBERS).map(([option, name]) => [name, values.number(option)]);
  return {
    ...(Object.fromEntries(given.filter(([, value]) => value !== undefined)) as PlanOptions),
    hourly: args.flag("hourly"),
  };
}

/** Makes a wrong option of the function a wrong option of the command. */
function usage<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw usageError(explainError(error), error);
  }
}
