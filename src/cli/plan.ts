import { type PlanOptions, planPartitions } from "../tools/index.ts";
import type { Command, OptionSpec, ParsedArguments } from "./command.ts";
import { orUsageError } from "./command-error.ts";
import { given, OptionValues } from "./option-values.ts";
import { paintFor } from "./paint.ts";
import { planLines } from "./plan/plan-lines.ts";

/** Options of `planPartitions()`; the command has them in kebab case. Those with a value are numbers. */
const OPTIONS: Readonly<Record<keyof PlanOptions, Omit<OptionSpec, "name">>> = {
  peak: { value: "RATE", help: "messages per second at the busiest time" },
  perPartition: { value: "RATE", help: "what one partition is good for (5000)" },
  buffer: { value: "X", help: "how much more than the peak is planned for (1.5)" },
  maxConsumers: { value: "N", help: "most members that will read at once (1)" },
  perConsumer: { value: "RATE", help: "what one member handles" },
  minAvailability: { value: "N", help: "least partitions (1)" },
  roundToConsumers: { value: "N", help: "make the count a multiple of this" },
  handlerMs: {
    value: "MS",
    help: "time of the handler for one message: plans virtual partitions of one partition",
  },
  keys: { value: "N", help: "different keys, to see whether they are enough" },
  hottestKeyShare: { value: "S", help: "share of the most frequent key, 0 to 1" },
  currentPartitions: { value: "N", help: "partitions now, to see what a change moves" },
  hourly: { help: "messages are placed by the hour of their time" },
  messageBytes: { value: "B", help: "bytes of a message, to see what is stored" },
  retentionMs: { value: "MS", help: "how long messages are kept" },
  segmentBytes: { value: "B", help: "bytes of a segment file" },
};

/** By the name in `planPartitions()`. */
const SPECS: readonly (readonly [string, OptionSpec])[] = Object.entries(OPTIONS).map(
  ([name, spec]) => [name, { name: kebabCase(name), ...spec }],
);

/** `headrace plan`. */
export const plan: Command = {
  name: "plan",
  act: "plan partitions",
  summary: "says how many partitions, or virtual partitions, a topic needs",
  usage: "--peak RATE [options]",
  positionals: 0,
  options: [
    ...SPECS.map(([, spec]) => spec),
    { name: "json", help: "print the plan as one JSON object" },
  ],
  notes: [
    "partitions = max(peak × buffer / per-partition, max-consumers, peak / per-consumer,",
    "min-availability), rounded up. Partitions are easy to add and impossible to take away.",
  ],
  async run(args, io) {
    const options = readOptions(args);
    const planned = orUsageError(() => planPartitions(options));
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
  const read = SPECS.map(([name, { name: option, value }]) => [
    name,
    value === undefined ? args.flag(option) : values.number(option),
  ]);
  return given(Object.fromEntries(read)) as PlanOptions;
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
