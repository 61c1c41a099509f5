import { visibleLength } from "./paint.ts";

/** How a column is filled up. */
export type Align = "left" | "right";

/**
 * Lays out rows in columns, two spaces apart, as wide as their widest cell. Cells may be coloured.
 *
 * @param rows Every row has as many cells as `aligns`; the first one usually is the heading.
 */
export function table(rows: readonly (readonly string[])[], aligns: readonly Align[]): string[] {
  const widths = aligns.map((_, column) =>
    Math.max(...rows.map((row) => visibleLength(row[column] ?? ""))),
  );
  return rows.map((row) =>
    aligns
      .map((align, column) => {
        const cell = row[column] ?? "";
        const gap = " ".repeat(widths[column]! - visibleLength(cell));
        return align === "left" ? cell + gap : gap + cell;
      })
      .join("  ")
      .trimEnd(),
  );
}
