import type { DistributionReport } from "../../tools/index.ts";
import { plural } from "../format.ts";
import type { AnalysisInput } from "./analysis-input.ts";

/** What was read, for people. */
export interface ReportTitle {
  /** "orders", "orders, partition 3", "keys.txt". */
  readonly name: string;
  /** Anything that must be known with it. */
  readonly notes: readonly string[];
  readonly partitions: number | null;
}

export function titleOf(
  { name, partitions }: AnalysisInput,
  partition: number | undefined,
  stopped: boolean,
): ReportTitle {
  return {
    name: partition === undefined ? name : `${name}, partition ${partition}`,
    notes: stopped ? ["stopped by a signal: only what was read until then"] : [],
    partitions: partition === undefined ? partitions : 1,
  };
}

/** "1,000 messages in 12 partitions, as they lie". */
export function subject(report: DistributionReport): string {
  const { total, counts, placement, distribution } = report;
  const virtual = placement === "virtual";
  const where = plural(counts.length, virtual ? "virtual partition" : "partition");
  const how =
    placement === null || placement === "recorded"
      ? "as they lie"
      : virtual
        ? `with ${distribution} distribution`
        : `placed by ${placement}`;
  return `${plural(total, "message")} in ${where}, ${how}`;
}

/** What should be known to read the numbers. */
export function notesOf(report: DistributionReport, title: ReportTitle): string[] {
  const notes = [...title.notes];
  if (report.placement === "virtual" && title.partitions !== null && title.partitions > 1) {
    notes.push(
      `virtual partitions of ${title.partitions} partitions are taken together; ` +
        "--partition N judges one",
    );
  }
  return notes;
}
