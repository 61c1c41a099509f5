const EIGHTHS = " ▁▂▃▄▅▆▇█";

/**
 * Draws counts as upright bars, one character wide, `height` lines high, with a scale at the left.
 *
 * More counts than `columns` are drawn several to a bar: the largest of them.
 *
 * @param top Count at the upper edge, so that several charts can share a scale; at least every count.
 */
export function chart(
  counts: readonly number[],
  { height, columns, top }: { height: number; columns: number; top: number },
): string[] {
  const perBar = Math.max(1, Math.ceil(counts.length / Math.max(1, columns)));
  const bars: number[] = [];
  for (let at = 0; at < counts.length; at += perBar) {
    bars.push(Math.max(...counts.slice(at, at + perBar)));
  }
  const scale = Math.max(1, top);
  const label = String(scale);
  return Array.from({ length: height }, (_, line) => {
    const below = height - 1 - line;
    const cells = bars.map((count) => {
      const eighths = Math.round((count / scale) * height * 8);
      // A lane with messages never looks empty.
      const filled = count > 0 ? Math.max(1, eighths) : 0;
      return EIGHTHS[Math.min(8, Math.max(0, filled - below * 8))];
    });
    const mark = line === 0 ? label : line === height - 1 ? "0" : "";
    return `${mark.padStart(label.length)} │${cells.join("")}`.trimEnd();
  });
}
