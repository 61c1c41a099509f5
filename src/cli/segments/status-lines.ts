import type {
  SegmentGroupStatus,
  SegmentPositionStatus,
  SegmentsPartitionStatus,
  SegmentsStatus,
} from "../../segments/index.ts";
import { count, plural } from "../format.ts";
import type { Paint } from "../paint.ts";
import { table } from "../table.ts";

const EIGHTHS = " ▁▂▃▄▅▆▇█";
const INDENT = "  ";

/** What a person reads of a group and its segments. */
export function statusLines(status: SegmentsStatus, paint: Paint): string[] {
  const names = status.groups.map((group) => [
    `${INDENT}${labelOf(group.segment)}`,
    group.groupId,
    stateOf(group, paint),
  ]);
  return [
    `${paint.bold(status.groupId)}  ${plural(status.count, "segment")}`,
    ...table(names, ["left", "left", "left"]),
    ...status.partitions.flatMap((partition) => [
      "",
      ...partitionLines(partition, status.count, paint),
    ]),
  ];
}

function labelOf(segment: number | null): string {
  return segment === null ? "origin" : `segment ${segment}`;
}

function stateOf({ state, members }: SegmentGroupStatus, paint: Paint): string {
  if (state === "none") return paint.dim("unknown");
  if (state === "empty") return paint.dim("stopped");
  return `runs${members.length === 0 ? "" : ` in ${plural(members.length, "member")}`}`;
}

function partitionLines(
  partition: SegmentsPartitionStatus,
  segmentCount: number,
  paint: Paint,
): string[] {
  const { topic, partition: number, logStart, logEnd, positions } = partition;
  const width = Math.max(...positions.map(({ done }) => done.length));
  const rows = positions.map((one) => [
    `${INDENT}${labelOf(one.segment)}`,
    drawn(one, width, paint),
    one.offset === null ? "-" : count(one.offset),
    lagOf(one, paint),
    notesOf(one, segmentCount, paint),
  ]);
  return [
    `${paint.bold(`${topic}#${number}`)}  ${count(logStart)} to ${count(logEnd)}`,
    ...table(rows, ["left", "left", "right", "right", "left"]),
  ];
}

function drawn({ done, lag }: SegmentPositionStatus, width: number, paint: Paint): string {
  const cells = done.map((share) => {
    // A part that is not all done never looks full, one that is begun never empty.
    const eighths =
      share >= 1 ? 8 : share <= 0 ? 0 : Math.min(7, Math.max(1, Math.round(share * 8)));
    return EIGHTHS[eighths];
  });
  const text = `│${cells.join("").padEnd(width)}│`;
  return lag === 0 ? paint.green(text) : paint.cyan(text);
}

function lagOf({ lag }: SegmentPositionStatus, paint: Paint): string {
  if (lag === null) return "";
  return lag === 0 ? paint.green("lag 0") : `lag ${count(lag)}`;
}

function notesOf(
  { offset, completed, segment, count: of, version }: SegmentPositionStatus,
  segmentCount: number,
  paint: Paint,
): string {
  const isOther = segment !== null && of !== null && of !== segmentCount;
  const notes = [
    ...(offset === null ? [paint.dim("never committed")] : []),
    ...(completed > 0 ? [`${count(completed)} done above`] : []),
    ...(isOther ? [paint.red(`of ${count(of)} segments`)] : []),
    ...(version === null ? [] : [`version ${version}`]),
  ];
  return notes.join(", ");
}
