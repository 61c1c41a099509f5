import { count } from "../format.ts";
import type { Paint } from "../paint.ts";

/** What is drawn of a segment. */
export interface DrawnSegment {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly sealed: boolean;
}

/** Where a group is. */
export interface DrawnGroup {
  readonly groupId: string;
  /** The next offset to read. */
  readonly offset: number;
}

/** One partition, as it is drawn. */
export interface DrawnPartition {
  readonly logStart: number;
  readonly logEnd: number;
  readonly segments: readonly DrawnSegment[];
  readonly groups: readonly DrawnGroup[];
}

/** Longest group name that is drawn whole. */
const NAME_COLUMNS = 24;

/**
 * Draws a partition from its first to its next offset, to scale: segments in one line, their first
 * offsets below, then one line per group with its position.
 *
 * ```
 * ███████████████████│██████████████████│░░░░░░░
 * 0                  4,000              8,000  9,500
 *          ▲ billing 2,000, lag 7,500
 * ```
 *
 * @param columns Characters per line, at least 20.
 */
export function drawPartition(partition: DrawnPartition, columns: number, paint: Paint): string[] {
  const { logStart, logEnd, segments, groups } = partition;
  if (logEnd === logStart) return [paint.dim("empty"), ...groups.map((one) => label(one, logEnd))];
  const scale = new Scale(logStart, logEnd, columns);
  return [
    bars(segments, scale, paint),
    paint.dim(ruler(segments, logEnd, scale)),
    ...groups.map((group) => mark(group, scale, paint)),
  ];
}

/** From offsets to columns. */
class Scale {
  readonly columns: number;
  readonly start: number;
  readonly end: number;

  constructor(start: number, end: number, columns: number) {
    this.start = start;
    this.end = end;
    this.columns = columns;
  }

  /** The column that an offset falls into; the end falls into none. */
  column(offset: number): number {
    const share = (offset - this.start) / (this.end - this.start);
    return Math.floor(Math.min(1, Math.max(0, share)) * this.columns);
  }
}

function bars(segments: readonly DrawnSegment[], scale: Scale, paint: Paint): string {
  const { columns } = scale;
  let line = "";
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    // The last one is seen even when its share is less than a column.
    const from = Math.min(scale.column(segment.baseOffset), columns - 1);
    const until = isLast ? columns : scale.column(segments[index + 1]!.baseOffset);
    const width = Math.max(0, Math.min(until, isLast ? columns : columns - 1) - from);
    const edge = index > 0 && width > 1 ? "│" : "";
    const fill = (segment.sealed ? "█" : "░").repeat(width - edge.length);
    line += paint.dim(edge) + (segment.sealed ? paint.cyan(fill) : paint.green(fill));
  });
  return line;
}

/** The end stands at the right; first offsets stand below their segments where there is room. */
function ruler(segments: readonly DrawnSegment[], logEnd: number, scale: Scale): string {
  const end = count(logEnd);
  const endAt = scale.columns - end.length;
  let line = "";
  for (const { baseOffset } of segments) {
    const at = Math.min(scale.column(baseOffset), scale.columns - 1);
    const text = count(baseOffset);
    const free = line.length === 0 || at >= line.length + 2;
    if (free && at + text.length + 2 <= endAt) line = line.padEnd(at) + text;
  }
  return line.padEnd(endAt) + end;
}

function mark(group: DrawnGroup, scale: Scale, paint: Paint): string {
  const at = Math.min(scale.column(group.offset), scale.columns - 1);
  const text = label(group, scale.end, scale.start);
  const colour = group.offset === scale.end ? paint.green : paint.yellow;
  if (at + 2 + text.length <= scale.columns) return `${" ".repeat(at)}${colour("▲")} ${text}`;
  return `${text.padStart(at - 1)} ${colour("▲")}`;
}

function label({ groupId, offset }: DrawnGroup, logEnd: number, logStart: number = 0): string {
  const short = groupId.length > NAME_COLUMNS;
  const name = short ? `${groupId.slice(0, NAME_COLUMNS - 1)}…` : groupId;
  if (offset > logEnd) return `${name} ${count(offset)}, ahead of the log`;
  if (offset < logStart) return `${name} ${count(offset)}, before the log`;
  return `${name} ${count(offset)}, lag ${count(logEnd - offset)}`;
}
