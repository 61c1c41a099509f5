import {
  type AnalysisOptions,
  DistributionAnalysis,
  type DistributionReport,
  type SampleKey,
  type SampleMessage,
} from "../tools/index.ts";
import type { AnalysisInput } from "./analyze/analysis-input.ts";
import { openInput, readInputOptions } from "./analyze/open-input.ts";
import { readThrough } from "./analyze/read-through.ts";
import { reportLines } from "./analyze/report-lines.ts";
import { type ReportTitle, titleOf } from "./analyze/report-title.ts";
import { checkHtmlPath, writeHtml } from "./analyze/write-html.ts";
import type { Command, ParsedArguments } from "./command.ts";
import { CommandError, orUsageError, usageError } from "./command-error.ts";
import { type Io, signalExitCode } from "./io.ts";
import { SOURCE_OPTIONS } from "./open-source.ts";
import { given, OptionValues } from "./option-values.ts";
import { paintFor } from "./paint.ts";
import { StatusLine } from "./status-line.ts";
import { stoppable } from "./stoppable.ts";

const HASHES = ["murmur2", "murmur3", "xxh32"] as const;
const DISTRIBUTIONS = ["consistent", "balanced", "per-key"] as const;
const MAX_PARTITIONS = 65_536;
const PLAIN_EVERY_MS = 5000;

type Analysis = DistributionAnalysis<SampleKey | SampleMessage>;

/** `headrace analyze`. */
export const analyze: Command = {
  name: "analyze",
  summary: "says how evenly messages lie in partitions, why not, and what to do",
  usage: "(FILE | - | --topic T (--brokers LIST | --log DIR)) [options]",
  positionals: 1,
  options: [
    { name: "topic", value: "T", help: "topic to read, from its first message to its end now" },
    ...SOURCE_OPTIONS,
    { name: "partition", value: "N", help: "read only this partition" },
    { name: "last", value: "N", help: "read only the last N messages of each partition" },
    { name: "max-messages", value: "N", help: "stop after so many (all)" },
    { name: "key", value: "SPEC", help: "the key: key, header:NAME or json:PATH (key)" },
    { name: "partitions", value: "N", help: "judge N partitions that a producer places keys in" },
    { name: "hash", value: "H", help: "its hash: murmur2, murmur3 or xxh32 (murmur2, Kafka's)" },
    { name: "max-partitions", value: "N", help: "judge N virtual partitions instead" },
    { name: "distribution", value: "D", help: "consistent, balanced or per-key (consistent)" },
    { name: "batch-size", value: "N", help: "most messages polled and not done at once (1000)" },
    { name: "handler-ms", value: "MS", help: "time of the handler for one message (10)" },
    { name: "html", value: "FILE", help: "write the report as a page, too" },
    { name: "json", help: "print the report as one JSON object" },
  ],
  notes: [
    "A file has one key per line; an empty line is a message without a key; - is standard input.",
    "A topic without --partitions and --max-partitions is judged as it lies.",
    "Memory stays the same however many keys there are. A signal stops reading and reports.",
  ],
  async run(args, io) {
    const inputOptions = readInputOptions(args);
    const judged = readJudged(args);
    const html = args.text("html");
    if (html !== undefined) checkHtmlPath(html, io.cwd);
    const status = new StatusLine(io.err, PLAIN_EVERY_MS);
    const input = await openInput(inputOptions, args, io, (line) => status.print(line));
    return await stoppable(io, async (signal, stoppedBy) => {
      try {
        const analysis = analysisOf(judged, input, inputOptions.partition);
        const { partitioner, maxMessages } = inputOptions;
        const paint = paintFor(io.err);
        const reading = { input, analysis, partitioner, maxMessages, status, paint };
        await readThrough(reading, signal);
        const title = titleOf(input, inputOptions.partition, stoppedBy() !== undefined);
        show(reportFrom(analysis, input), title, args, io);
      } finally {
        await input.close();
      }
      const stopped = stoppedBy();
      return stopped === undefined ? 0 : signalExitCode(stopped);
    });
  },
};

/** What is judged; null: the topic as it lies. */
function readJudged(args: ParsedArguments): AnalysisOptions<never> | null {
  const values = new OptionValues("analyze", args);
  const partitions = values.integer("partitions", 1, MAX_PARTITIONS);
  const maxPartitions = values.integer("max-partitions", 1, MAX_PARTITIONS);
  const hash = values.oneOf("hash", HASHES);
  const distribution = values.oneOf("distribution", DISTRIBUTIONS);
  const batchSize = values.integer("batch-size", 1, 1_000_000);
  const handlerMs = values.number("handler-ms");
  if (partitions !== undefined && maxPartitions !== undefined) {
    throw refused("one of --partitions and --max-partitions is given", "both");
  }
  if (hash !== undefined && partitions === undefined) {
    throw refused("--hash works with --partitions only", `"${hash}"`);
  }
  if (partitions !== undefined) refuseVirtual(args);
  if (partitions !== undefined) return { partitions, placement: hash ?? "murmur2" };
  if (maxPartitions === undefined) {
    refuseVirtual(args);
    return null;
  }
  return { partitions: maxPartitions, ...given({ distribution, batchSize, handlerMs }) };
}

function refuseVirtual(args: ParsedArguments): void {
  for (const name of ["distribution", "batch-size", "handler-ms"]) {
    const value = args.text(name);
    if (value === undefined) continue;
    throw refused(`--${name} works with --max-partitions only`, `"${value}"`);
  }
}

function refused(rule: string, received: string): CommandError {
  return usageError(`Cannot analyze as ${rule}: received ${received}`);
}

/** @throws {CommandError} When nothing says what is judged, or an option is wrong. */
function analysisOf(
  judged: AnalysisOptions<never> | null,
  { partitions }: AnalysisInput,
  partition: number | undefined,
): Analysis {
  if (judged === null && (partitions === null || partition !== undefined)) {
    const what = partitions === null ? "keys" : "one partition";
    throw refused(`one of --partitions and --max-partitions is required with ${what}`, "none");
  }
  const recorded = { partitions: partitions ?? 1, placement: "recorded" } as const;
  return orUsageError(() => new DistributionAnalysis(judged ?? recorded));
}

/** @throws {CommandError} When nothing was read. */
function reportFrom(analysis: Analysis, { name }: AnalysisInput): DistributionReport {
  if (analysis.messages > 0) return analysis.report();
  throw new CommandError(`Cannot analyze as ${name} must have messages: received none`);
}

function show(report: DistributionReport, title: ReportTitle, args: ParsedArguments, io: Io): void {
  const html = args.text("html");
  if (html !== undefined) writeHtml(html, io.cwd, report, title);
  if (args.flag("json")) {
    io.out.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const lines = reportLines(report, title, paintFor(io.out), io.out.columns);
  if (html !== undefined) lines.push("", `The same as a page: ${html}`);
  io.out.write(`${lines.join("\n")}\n`);
}
