import type { Log, RetainReport } from "../../adapters/log.ts";
import type { Command } from "../command.ts";
import { EXIT_FAILED } from "../command-error.ts";
import { bytes, count, plural } from "../format.ts";
import { OptionValues } from "../option-values.ts";
import { type Paint, paintFor } from "../paint.ts";
import { table } from "../table.ts";
import {
  chosenPartitions,
  existingLogPath,
  LOG_OPTION,
  optionalTopic,
  TOPIC_OPTION,
  withWriter,
} from "./log-directory.ts";
import { toldEvents } from "./told-events.ts";
import { RETENTION_OPTIONS, retentionOptions } from "./topic-options.ts";

/** `headrace log retain`. */
export const retain: Command = {
  name: "log retain",
  act: "retain",
  summary: "removes what is over, or says what would be",
  usage: "[topic] --log DIR [--dry-run] [options]",
  positionals: 1,
  options: [
    LOG_OPTION,
    TOPIC_OPTION,
    { name: "dry-run", help: "only say what would be removed" },
    ...RETENTION_OPTIONS,
    { name: "json", help: "print what was done as one JSON object" },
  ],
  notes: [
    "Options that are stored with a topic hold for it; those given here fill in what it does not say.",
    "Sealed segments go, whole, oldest first. Nobody may be writing: a process that writes does all",
    "this by itself. Exit code 1 when something could not be archived or removed.",
  ],
  async run(args, io) {
    const retention = retentionOptions(new OptionValues("retain", args), io.cwd);
    const topic = optionalTopic("retain", args);
    const dryRun = args.flag("dry-run");
    const path = existingLogPath("retain", args, io.cwd);
    // The report says what is held and what failed.
    const on = { ...toldEvents(io), retentionBlocked: () => {}, retentionFailed: () => {} };
    // Nothing goes before the report counts it, and nothing at all in a dry run.
    const given = { on, automaticRetention: false };
    const options = retention === undefined ? given : { ...given, retention };
    const work = (log: Log): Promise<RetainReport> => runOnce(log, topic, dryRun);
    const report = await withWriter(path, io, work, options);
    const lines = args.flag("json")
      ? [JSON.stringify({ dryRun, ...report })]
      : reportLines(report, dryRun, paintFor(io.out));
    io.out.write(`${lines.join("\n")}\n`);
    return report.failed.length === 0 ? 0 : EXIT_FAILED;
  },
};

async function runOnce(
  log: Log,
  topic: string | undefined,
  dryRun: boolean,
): Promise<RetainReport> {
  if (topic !== undefined) await chosenPartitions("retain", log, topic, undefined);
  return await log.retain(topic === undefined ? { dryRun } : { topic, dryRun });
}

function reportLines(report: RetainReport, dryRun: boolean, paint: Paint): string[] {
  const { removed, held, failed } = report;
  const rows = removed.map((one) => [
    `${one.topic}#${one.partition}`,
    count(one.baseOffset),
    count(one.nextOffset - 1),
    bytes(one.bytes),
  ]);
  const heading = ["partition", "first", "last", "bytes"];
  const total = removed.reduce((sum, one) => sum + one.bytes, 0);
  const verb = dryRun ? "Would remove" : "Removed";
  return [
    ...(rows.length === 0 ? [] : table([heading, ...rows], ["left", "right", "right", "right"])),
    ...held.map(({ topic, partition, groupId, offset, bytes: kept }) =>
      paint.yellow(
        `${topic}#${partition}: ${bytes(kept)} stay for group ${groupId}, which is at ${count(offset)}`,
      ),
    ),
    ...failed.map(({ topic, partition, file, error }) =>
      paint.red(`${topic}#${partition}: ${file} stays: ${error.message}`),
    ),
    `${verb} ${plural(removed.length, "segment")}, ${bytes(total)}`,
  ];
}
