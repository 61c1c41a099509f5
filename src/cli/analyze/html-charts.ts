/** Upright bars that a page draws; more partitions than that share bars. */
const MAX_BARS = 512;
/** What is there is seen, in per cent of the height. */
const LEAST_PERCENT = 0.6;

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it may stand in a page, also inside attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/** A message whose parts between backticks are code. */
export function inlineHtml(message: string): string {
  return escapeHtml(message).replace(/`([^`]*)`/g, "<code>$1</code>");
}

/** Per cent without needless digits, for attributes. */
function per(share: number): string {
  return `${Number((Math.min(1, Math.max(0, share)) * 100).toFixed(2))}%`;
}

/**
 * A bar that lies in a row of a table, whose cells say the value; it takes whatever width there is.
 *
 * @param share Length, in [0, 1].
 * @param mark Where a line stands across it, in [0, 1].
 */
export function rowBar(
  share: number,
  { high = false, mark }: { high?: boolean; mark?: number } = {},
): string {
  const line =
    mark === undefined || mark > 1
      ? ""
      : `<line class="mark" x1="${per(mark)}" x2="${per(mark)}" y1="0" y2="100%"/>`;
  return (
    `<svg class="row" aria-hidden="true"><rect class="track" width="100%" height="100%" rx="2"/>` +
    `<rect class="${high ? "high" : "bar"}" width="${per(share)}" height="100%" rx="2"/>${line}</svg>`
  );
}

/** What {@link uprightBars} draws. */
export interface UprightBars {
  readonly values: readonly number[];
  /** Value at which a line stands. */
  readonly mean: number;
  /** Value above which bars stand out. */
  readonly highAbove: number;
  /** "messages per partition". */
  readonly label: string;
  /** Says what a bar is to those who point at it. */
  readonly nameOf: (first: number, last: number, value: number) => string;
}

/** Many bars side by side: the numbers stand in a table elsewhere. */
export function uprightBars({ values, mean, highAbove, label, nameOf }: UprightBars): string {
  const perBar = Math.ceil(values.length / MAX_BARS);
  const top = Math.max(...values);
  const bars: string[] = [];
  for (let first = 0; first < values.length; first += perBar) {
    const last = Math.min(values.length, first + perBar) - 1;
    const value = Math.max(...values.slice(first, last + 1));
    const height = value === 0 ? 0 : Math.max(LEAST_PERCENT, (value / top) * 100);
    const style = value > highAbove ? "high" : "bar";
    bars.push(
      `<rect class="${style}" x="${bars.length + 0.08}" width="0.84" ` +
        `y="${(100 - height).toFixed(2)}" height="${height.toFixed(2)}">` +
        `<title>${escapeHtml(nameOf(first, last, value))}</title></rect>`,
    );
  }
  const at = (100 - (mean / top) * 100).toFixed(2);
  return (
    `<svg class="upright" role="img" aria-label="${escapeHtml(label)}" ` +
    `viewBox="0 0 ${bars.length} 100" preserveAspectRatio="none">${bars.join("")}` +
    `<line class="mark" x1="0" x2="${bars.length}" y1="${at}" y2="${at}" vector-effect="non-scaling-stroke"/></svg>`
  );
}
