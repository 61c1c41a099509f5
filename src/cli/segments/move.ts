import {
  collapseSegments,
  distributeSegments,
  resetSegments,
  type SegmentsOptions,
  type SegmentsReport,
} from "../../segments/index.ts";
import type { Command, OptionSpec, ParsedArguments } from "../command.ts";
import { count, plural } from "../format.ts";
import type { Io } from "../io.ts";
import { given, OptionValues } from "../option-values.ts";
import { table } from "../table.ts";
import { answerOf, COMMON_OPTIONS, readCall, USAGE } from "./options.ts";

type Move = (options: SegmentsOptions) => Promise<SegmentsReport>;

const MAX_METADATA_LENGTH: number = 1 << 20;

/** Most partitions that one line lists. */
const PARTITIONS_SHOWN = 10;

const OPTIONS: readonly OptionSpec[] = [
  ...COMMON_OPTIONS,
  { name: "force", help: "go on where offsets exist already, differ, or lie past the log's end" },
  { name: "dry-run", help: "read and check everything, and write nothing" },
  {
    name: "segmentation-version",
    value: "V",
    help: "the consumers' parallelSegments.version (any fits)",
  },
  { name: "offset-map", value: "F", help: "as the consumers' offsetMap: dense or ascii (dense)" },
  {
    name: "max-metadata-length",
    value: "N",
    help: "units of commit metadata that the broker accepts (4096)",
  },
];

/** `headrace segments distribute`. */
export const distribute: Command = moveCommand(distributeSegments, {
  name: "segments distribute",
  act: "distribute segments",
  summary: "gives every segment the offsets of its group",
  notes: [
    "The group keeps its offsets. A segment that has an offset already is refused; with --force it is",
    "overwritten: what it has done since is handled again or, where it was behind, skipped.",
  ],
});

/** `headrace segments collapse`. */
export const collapse: Command = moveCommand(collapseSegments, {
  name: "segments collapse",
  act: "collapse segments",
  summary: "gives a group the lowest offsets of its segments",
  notes: [
    "What all segments have done above it travels along. Offsets that differ are refused; with --force",
    "what a segment has done above where the slowest one has read is handled again.",
  ],
});

/** `headrace segments reset`. */
export const reset: Command = moveCommand(resetSegments, {
  name: "segments reset",
  act: "reset segments",
  summary: "collapses, and gives every segment the offsets that come out of it",
  notes: ["Offsets that differ are refused unless --force is given, as by collapse."],
});

function moveCommand(
  move: Move,
  texts: Pick<Command, "name" | "act" | "summary" | "notes">,
): Command {
  return {
    ...texts,
    usage: USAGE,
    positionals: 0,
    options: OPTIONS,
    run: (args, io) => runMove(move, texts.act!, args, io),
  };
}

async function runMove(move: Move, act: string, args: ParsedArguments, io: Io): Promise<number> {
  const more = readOptions(act, args);
  const dryRun = args.flag("dry-run");
  const { name, calls } = await readCall(act, args, io.cwd);
  // All groups are checked before the first one is written.
  const checked: SegmentsReport[] = [];
  for (const call of calls) {
    checked.push(await answerOf(move({ ...call, ...more, dryRun: true }), act, name));
  }
  for (const [at, call] of calls.entries()) {
    const report = dryRun ? checked[at]! : await answerOf(move({ ...call, ...more }), act, name);
    const lines = args.flag("json") ? [JSON.stringify(report)] : reportLines(report);
    io.out.write(`${lines.join("\n")}\n`);
    for (const line of warnings(report)) io.err.write(`${line}\n`);
  }
  if (dryRun) io.err.write("Nothing is changed with --dry-run\n");
  return 0;
}

function readOptions(
  act: string,
  args: ParsedArguments,
): Pick<SegmentsOptions, "force" | "version" | "offsetMap" | "maxMetadataLength"> {
  const values = new OptionValues(act, args);
  return {
    force: args.flag("force"),
    ...given({
      version: values.text("segmentation-version"),
      offsetMap: values.oneOf("offset-map", ["dense", "ascii"]),
      maxMetadataLength: values.integer("max-metadata-length", 0, MAX_METADATA_LENGTH),
    }),
  };
}

function reportLines({ offsets, dryRun, neverCommitted }: SegmentsReport): string[] {
  const rows = offsets.map(({ groupId, topic, partition, before, offset, completed }) => [
    groupId,
    `${topic}#${partition}`,
    before === null ? "-" : count(before),
    count(offset),
    count(completed),
  ]);
  const heading = ["group", "partition", "before", dryRun ? "would be" : "now", "done above"];
  return [
    ...table([heading, ...rows], ["left", "left", "right", "right", "right"]),
    ...neverCommittedLines(neverCommitted),
  ];
}

function neverCommittedLines(partitions: SegmentsReport["neverCommitted"]): string[] {
  if (partitions.length === 0) return [];
  const names = partitions
    .slice(0, PARTITIONS_SHOWN)
    .map(({ topic, partition }) => `${topic}#${partition}`);
  if (partitions.length > names.length) names.push(`${partitions.length - names.length} more`);
  return [`Never committed, and stays so: ${names.join(", ")}`];
}

function warnings({ offsets }: SegmentsReport): string[] {
  const dropped = offsets.filter((one) => one.dropped > 0);
  return dropped.map(({ groupId, topic, partition, dropped: lost }) => {
    const what = plural(lost, "done message finds", "done messages find");
    return `${groupId} ${topic}#${partition}: ${what} no room in the metadata, to be handled again`;
  });
}
