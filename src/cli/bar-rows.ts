import { bar } from "./format.ts";
import type { Paint } from "./paint.ts";
import { type Align, table } from "./table.ts";

/** One bar of a chart that lies on its side. */
export interface BarRow {
  /** Cells before the bar. */
  readonly cells: readonly string[];
  /** Length of the bar, against the longest one. */
  readonly value: number;
  /** Default: cyan. */
  readonly colour?: (text: string) => string;
}

const MAX_BAR_COLUMNS = 40;
const MIN_BAR_COLUMNS = 8;

/**
 * Draws rows of a table with a bar behind each, all on one scale.
 *
 * @param columns Characters per line.
 */
export function barRows(
  rows: readonly BarRow[],
  aligns: readonly Align[],
  paint: Paint,
  columns: number,
): string[] {
  const top = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  const lines = table(
    rows.map(({ cells }) => [...cells, "|"]),
    [...aligns, "left"],
  ).map((line) => line.slice(0, -1));
  const room = columns - Math.max(...lines.map((line) => line.length));
  const width = Math.max(MIN_BAR_COLUMNS, Math.min(MAX_BAR_COLUMNS, room));
  return lines.map((line, at) => {
    const { value, colour = paint.cyan } = rows[at]!;
    const [filled] = bar(value / top, width);
    // What is there never looks like nothing.
    const drawn = filled === "" && value > 0 ? "╸" : filled;
    return `${line}${colour(drawn)}`.trimEnd();
  });
}
