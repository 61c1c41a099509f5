import { type DistributionReport, keyText, percent } from "../../tools/index.ts";
import { type BarRow, barRows } from "../bar-rows.ts";
import { chart } from "../chart.ts";
import { count, plural, rate } from "../format.ts";
import type { Paint } from "../paint.ts";
import { table } from "../table.ts";
import { notesOf, type ReportTitle, subject } from "./report-title.ts";
import { statisticRows } from "./statistic-rows.ts";

const INDENT = "  ";
/** Up to so many partitions each has a line of its own. */
const MAX_ROWS = 32;
const CHART_HEIGHT = 8;
const HOT_KEYS = 5;

/** A report as people read it: headline, numbers, charts, everything else that should be known. */
export function reportLines(
  report: DistributionReport,
  title: ReportTitle,
  paint: Paint,
  columns: number,
): string[] {
  const [headline, ...others] = report.verdicts;
  const width = columns - INDENT.length;
  return [
    `${paint.bold(title.name)}  ${subject(report)}`,
    severityPaint(report, paint)(headline.message),
    ...others.map(({ message }) => `also: ${message}`),
    ...notesOf(report, title).map((note) => paint.dim(`note: ${note}`)),
    ...part(statisticLines(report, paint)),
    ...part(countLines(report, paint, width)),
    ...part(hotKeyLines(report, paint, width)),
    ...part(predictionLines(report, paint, width)),
  ];
}

/** Behind an empty line, indented; nothing when there is nothing. */
function part(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", ...lines.map((line) => INDENT + line)];
}

function severityPaint({ severity }: DistributionReport, paint: Paint): (text: string) => string {
  if (severity === "ok") return paint.green;
  return severity === "watch" ? paint.yellow : paint.red;
}

function statisticLines(report: DistributionReport, paint: Paint): string[] {
  const rows = statisticRows(report).map(({ name, value, meaning }) => [
    name,
    value,
    paint.dim(meaning),
  ]);
  return table(rows, ["left", "right", "left"]);
}

function countLines(report: DistributionReport, paint: Paint, columns: number): string[] {
  const { counts, total, placement } = report;
  const what = placement === "virtual" ? "virtual partition" : "partition";
  const mean = total / counts.length;
  const heading = paint.dim(`messages per ${what}, mean ${count(mean)}`);
  if (counts.length > MAX_ROWS) {
    const top = Math.max(...counts);
    const room = columns - String(top).length - 3;
    const perBar = Math.ceil(counts.length / room);
    const shape = { height: CHART_HEIGHT, columns: room, top };
    const most = paint.dim(
      `${what}s 0 to ${counts.length - 1}${perBar > 1 ? `, the fullest of ${perBar} a bar` : ""}`,
    );
    return [heading, ...chart(counts, shape).map(paint.cyan), most];
  }
  const rows: BarRow[] = counts.map((value, at) => ({
    cells: [String(at), count(value), percent(value / total)],
    value,
    colour: value > 1.25 * mean ? paint.yellow : paint.cyan,
  }));
  return [heading, ...barRows(rows, ["right", "right", "right"], paint, columns)];
}

function hotKeyLines(report: DistributionReport, paint: Paint, columns: number): string[] {
  const hot = report.hotKeys.slice(0, HOT_KEYS);
  if (report.keys === null) return [];
  const { distinct, exact, withoutKey } = report.keys;
  const about = exact ? "" : "about ";
  const keyless = withoutKey === 0 ? "" : `, ${plural(withoutKey, "message")} without a key`;
  const keys = `${about}${plural(distinct, "different key")}${keyless}`;
  if (hot.length === 0) return [paint.dim(`${keys}; none is frequent`)];
  const heading = paint.dim(`most frequent of ${keys}`);
  const rows: BarRow[] = hot.map((key) => ({
    cells: [keyText(key), `${exact ? "" : "≤ "}${count(key.count)}`, percent(key.share)],
    value: key.share,
    colour: key.share > 1 / report.counts.length ? paint.yellow : paint.cyan,
  }));
  return [heading, ...barRows(rows, ["left", "right", "right"], paint, columns)];
}

function predictionLines(report: DistributionReport, paint: Paint, columns: number): string[] {
  const { prediction } = report;
  if (prediction === null) return [];
  const { batchSize, handlerMs, partitions, choose, reason } = prediction;
  const heading = paint.dim(
    `predicted for handlers that wait ${handlerMs} ms, ${plural(partitions, "call")} at once, ` +
      `${plural(batchSize, "message")} polled`,
  );
  const rows: BarRow[] = prediction.distributions.map(
    ({ distribution, speedUp, rate: perSecond }) => ({
      cells: [distribution, `${speedUp.toFixed(1)} ×`, rate(perSecond)],
      value: speedUp,
      colour: distribution === choose ? paint.green : paint.cyan,
    }),
  );
  return [
    heading,
    ...barRows(rows, ["left", "right", "right"], paint, columns),
    `choose ${paint.bold(choose)}: ${reason}`,
  ];
}
