/** A curve as one SVG: throughput on the left, latencies on the right, readable in light and in dark. */

/** What was measured at one value of a knob. */
export interface CurvePoint {
  readonly value: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Curve {
  readonly name: string;
  /** The knob, as the axis says it. */
  readonly knob: string;
  readonly title: string;
  /** The values of the knob are bytes. */
  readonly ofBytes?: true;
  readonly points: readonly CurvePoint[];
}

const WIDTH = 760;
const HEIGHT = 300;
const TOP = 64;
const BOTTOM = 250;
const PANELS = [
  { left: 62, right: 366 },
  { left: 448, right: 740 },
] as const;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  .line { fill: none; stroke-width: 2; }
  .rate { stroke: #0969da; fill: #0969da; }
  .p50 { stroke: #1a7f37; fill: #1a7f37; }
  .p99 { stroke: #bc4c00; fill: #bc4c00; stroke-dasharray: 5 3; }
  .back { fill: #ffffff; }
  text.key { stroke: none; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .grid { stroke: #30363d; }
    .rate { stroke: #58a6ff; fill: #58a6ff; }
    .p50 { stroke: #3fb950; fill: #3fb950; }
    .p99 { stroke: #f0883e; fill: #f0883e; }
    .back { fill: #0d1117; }
  }`;

interface Scale {
  readonly ticks: readonly number[];
  y(value: number): number;
}

/** From 0, with about four round ticks. */
function linearScale(most: number): Scale {
  const step = roundUp(most / 4);
  const ticks = Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
  const top = ticks.at(-1)!;
  return { ticks, y: (value) => BOTTOM - (value / top) * (BOTTOM - TOP) };
}

/** Powers of ten. */
function logScale(least: number, most: number): Scale {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  const share = (value: number): number => (Math.log10(value) - first) / (last - first);
  return { ticks, y: (value) => BOTTOM - share(value) * (BOTTOM - TOP) };
}

/** The next 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((one) => one * power >= value)!;
  return factor * power;
}

function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

/** Points stand in equal distances: knobs are turned by factors. */
function xOf(panel: (typeof PANELS)[number], index: number, count: number): number {
  const inset = 18;
  const width = panel.right - panel.left - 2 * inset;
  return panel.left + inset + (count === 1 ? 0 : (index / (count - 1)) * width);
}

function axes(panel: (typeof PANELS)[number], scale: Scale, curve: Curve): string[] {
  const { points, knob, ofBytes } = curve;
  const middle = (panel.left + panel.right) / 2;
  return [
    ...scale.ticks.flatMap((tick) => {
      const y = scale.y(tick).toFixed(1);
      return [
        `<line class="grid" x1="${panel.left}" x2="${panel.right}" y1="${y}" y2="${y}"/>`,
        `<text x="${panel.left - 8}" y="${y}" dy="4" text-anchor="end">${short(tick)}</text>`,
      ];
    }),
    ...points.map(({ value }, index) => {
      const x = xOf(panel, index, points.length).toFixed(1);
      const label = ofBytes ? `${value / 1024} KiB` : String(value);
      return `<text x="${x}" y="${BOTTOM + 18}" text-anchor="middle">${label}</text>`;
    }),
    `<text x="${middle}" y="${BOTTOM + 38}" text-anchor="middle">${knob}</text>`,
  ];
}

function line(
  panel: (typeof PANELS)[number],
  scale: Scale,
  kind: string,
  values: readonly number[],
): string[] {
  const at = values.map((value, index) => {
    const x = xOf(panel, index, values.length).toFixed(1);
    return [x, scale.y(value).toFixed(1)] as const;
  });
  const path = at.map(([x, y]) => `${x},${y}`).join(" ");
  return [
    `<polyline class="line ${kind}" style="fill:none" points="${path}"/>`,
    ...at.map(([x, y]) => `<circle class="${kind}" cx="${x}" cy="${y}" r="3"/>`),
  ];
}

/** Draws a curve; the same points give the same text. */
export function drawCurve(curve: Curve): string {
  const { points, title } = curve;
  const [rates, times] = PANELS;
  const perSecond = points.map((point) => point.perSecond);
  const p50 = points.map((point) => Math.max(0.01, point.p50Ms));
  const p99 = points.map((point) => Math.max(0.01, point.p99Ms));
  const rateScale = linearScale(Math.max(...perSecond));
  const timeScale = logScale(Math.min(...p50), Math.max(...p99));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `<title>${title}</title><style>${STYLE}\n</style>`,
    `<rect class="back" width="${WIDTH}" height="${HEIGHT}" rx="6"/>`,
    `<text class="title" x="${rates.left - 40}" y="24">${title}</text>`,
    `<text class="key rate" x="${rates.left}" y="50">messages per second</text>`,
    `<text class="key p50" x="${times.left}" y="50">latency, ms: p50</text>`,
    `<text class="key p99" x="${times.left + 128}" y="50">p99 (dashed)</text>`,
    ...axes(rates, rateScale, curve),
    ...line(rates, rateScale, "rate", perSecond),
    ...axes(times, timeScale, curve),
    ...line(times, timeScale, "p50", p50),
    ...line(times, timeScale, "p99", p99),
    "</svg>",
    "",
  ].join("\n");
}
