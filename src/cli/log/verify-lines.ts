import type { Damage, DamageKind, VerifyProgress, VerifyReport } from "../../adapters/log.ts";
import { bar, bytes, count, duration, plural } from "../format.ts";
import type { Paint } from "../paint.ts";
import { table } from "../table.ts";

const BAR_COLUMNS = 20;

/** What the next open makes of damage without a loss. */
const MENDED: Readonly<Partial<Record<DamageKind, string>>> = {
  index: "built anew",
  "time-index": "built anew",
  "torn-tail": "cut off: no message in it was whole",
  head: "written anew",
  "group-offset": "written anew by the group's next commit",
};

/** The status line of a check that goes on. */
export function verifyProgress({ bytes: done, totalBytes, file }: VerifyProgress): string {
  const [filled, empty] = bar(done / Math.max(1, totalBytes), BAR_COLUMNS);
  return `verify  ${filled}${empty}  ${bytes(done)} of ${bytes(totalBytes)}  ${file}`;
}

/** What a person reads of a check. */
export function verifyLines(report: VerifyReport, ms: number, paint: Paint): string[] {
  const { damages, writer } = report;
  const lost = damages.filter(({ loss }) => loss);
  return [
    ...(writer === null ? [] : [`Process ${writer.pid} on ${writer.host} writes here`]),
    ...table(partitionRows(report, paint), ["left", "right", "right", "right", "right", "left"]),
    "",
    ...alike(damages).flatMap((group) => damageLines(group, paint)),
    ...outcomeLines(report),
    checked(report, ms),
    ...verdict(damages, lost, paint),
  ];
}

function partitionRows(report: VerifyReport, paint: Paint): string[][] {
  const heading = ["partition", "segments", "batches", "messages", "bytes", ""];
  const rows = report.partitions.map(({ topic, partition, segments }) => {
    const sum = (field: "batches" | "records" | "bytes"): number =>
      segments.reduce((total, segment) => total + segment[field], 0);
    const own = report.damages.filter(
      (one) => one.topic === topic && one.partition === partition && one.kind !== "group-offset",
    );
    const state = own.length === 0 ? paint.green("ok") : stateOf(own, paint);
    const counts = [segments.length, sum("batches"), sum("records")].map(count);
    return [`${topic}#${partition}`, ...counts, bytes(sum("bytes")), state];
  });
  return [heading, ...rows];
}

function stateOf(damages: readonly Damage[], paint: Paint): string {
  return damages.some(({ loss }) => loss) ? paint.red("damaged") : paint.yellow("to be mended");
}

/** Neighbours that differ by their file only, and lose nothing, are told together. */
function alike(damages: readonly Damage[]): Damage[][] {
  const groups: Damage[][] = [];
  for (const damage of damages) {
    const last = groups.at(-1)?.[0];
    const same =
      !damage.loss &&
      damage.position === null &&
      (["kind", "topic", "partition", "problem", "loss"] as const).every(
        (field) => damage[field] === last?.[field],
      );
    if (same) groups.at(-1)!.push(damage);
    else groups.push([damage]);
  }
  return groups;
}

function damageLines([damage, ...others]: readonly Damage[], paint: Paint): string[] {
  const { kind, file, problem, position, loss } = damage!;
  const size = damage!.bytes === null ? "" : `, ${plural(damage!.bytes, "byte")}`;
  const where = position === null ? "" : `position ${position}${size}: `;
  const after = loss ? lossOf(damage!) : `at the next open ${MENDED[kind] ?? "mended"}`;
  const colour = loss ? paint.red : paint.yellow;
  const more = others.length === 0 ? "" : ` and ${count(others.length)} more like it`;
  return [colour(file) + more, `  ${where}${problem}`, `  ${after}`, ""];
}

function lossOf(damage: Damage): string {
  const { kind, topic, partition, firstOffset, endOffset, problem } = damage;
  const name = partition === null ? topic : `${topic}#${partition}`;
  if (kind === "store") return "the log cannot be opened until this file is as it was";
  if (kind === "description") {
    return problem === "no file"
      ? "what this directory holds is not seen"
      : "the log cannot be opened until this file is as it was";
  }
  if (kind === "group-offset") return `the position of the group in ${name} is not known any more`;
  if (firstOffset === null) return `messages of ${name} are missing`;
  if (endOffset === null) return `messages of ${name} from offset ${firstOffset} on are lost`;
  if (endOffset === firstOffset) return `no offset of ${name} is missing because of it`;
  const last = endOffset - 1;
  const offsets = last === firstOffset ? `offset ${last}` : `offsets ${firstOffset} to ${last}`;
  return `${offsets} of ${name} cannot be read`;
}

/** What each corruption policy makes of it. */
function outcomeLines({ damages, outcomes }: VerifyReport): string[] {
  const closed = damages.some(
    ({ kind, problem }) => kind === "store" || (kind === "description" && problem !== "no file"),
  );
  if (closed) return ["No onCorruption policy opens this log", ""];
  if (outcomes.length === 0) return [];
  const kept = outcomes.map(({ topic, partition, kept: messages, givenUp }) => {
    const ranges = givenUp.map(({ from, to }) => `${from} to ${to - 1}`).join(", ");
    return `  ${topic}#${partition} keeps ${plural(messages, "message")}, without offsets ${ranges}`;
  });
  return [
    'An open that meets this (the inside of sealed segments: with verify: "open") does, by onCorruption:',
    "  fail        nothing: it rejects, and all files stay as they are",
    "  readonly    reads what stands before the damage of each segment; takes no appends",
    "  quarantine  keeps the same, renames damaged files, takes appends behind them",
    ...kept,
    "",
  ];
}

function checked(report: VerifyReport, ms: number): string {
  const what = [
    plural(report.partitions.length, "partition"),
    plural(report.segments, "segment"),
    plural(report.batches, "batch", "batches"),
    plural(report.records, "message"),
    bytes(report.bytes),
  ];
  return `Checked ${what.join(", ")} in ${duration(ms)}`;
}

function verdict(damages: readonly Damage[], lost: readonly Damage[], paint: Paint): string[] {
  if (damages.length === 0) return [`${paint.green("ok")}  nothing is damaged`];
  const places = `in ${plural(damages.length, "place")}`;
  if (lost.length === 0) {
    return [`${paint.yellow("damaged")}  ${places}, nothing is lost: the next open mends it`];
  }
  return [`${paint.red("damaged")}  ${places}, ${count(lost.length)} with a loss`];
}
