import { chart } from "../chart.ts";
import { bar, count, duration, plural, rate } from "../format.ts";
import type { Paint } from "../paint.ts";
import { type Align, table } from "../table.ts";
import type { DemoResult } from "./demo-result.ts";
import type { WayProgress, WayResult } from "./way.ts";

const NAMES: Readonly<Record<WayResult["way"], string>> = {
  serial: "serial loop",
  consistent: "consistent",
  balanced: "balanced",
  hashInline: "hash inline",
  hashThreads: "hash threads",
  restarted: "kill, restart",
};
const NAME_WIDTH = 12;
const BAR_WIDTH = 16;
const CHART_HEIGHT = 5;
const INDENT = "  ";

/** The status line of a way. */
export function progressLine(name: string, progress: WayProgress, paint: Paint): string {
  const { done, total, elapsedMs, running, lanes, lag } = progress;
  const [filled, empty] = bar(done / total, BAR_WIDTH);
  const cells = [
    name.padEnd(NAME_WIDTH),
    paint.cyan(filled) + paint.dim(empty),
    `${count(done).padStart(count(total).length)}/${count(total)}`.padStart(13),
    rate((done / Math.max(1, elapsedMs)) * 1000).padStart(7),
  ];
  if (running !== undefined) cells.push(`lanes ${String(running).padStart(2)}/${lanes}`);
  if (lag !== undefined && lag !== null) cells.push(`lag ${count(lag)}`);
  return INDENT + cells.join("  ");
}

/** The last word on a way: what stays on the screen. */
export function doneLine(name: string, result: WayProgress, note: string, paint: Paint): string {
  const { running: _, lag: __, ...still } = result;
  return `${progressLine(name, still, paint)}  ${paint.dim(note)}`.trimEnd();
}

/** Table, chart and verdict. */
export function reportLines(result: DemoResult, paint: Paint, columns: number): string[] {
  const lines = [
    "",
    ...resultTable(result, paint),
    "",
    ...notes(result).map(paint.dim),
    "",
    ...charts(result, paint, columns),
    "",
    ...verdict(result, paint),
  ];
  return lines.map((line) => (line === "" ? line : INDENT + line));
}

function resultTable(result: DemoResult, paint: Paint): string[] {
  const aligns: Align[] = ["left", "right", "right", "right", "right", "right", "right"];
  const heading = ["way", "orders", "time", "rate", "speed-up", "order breaks", "handled twice"];
  const { serial, consistent, balanced, hashInline, hashThreads, restarted, speedUp } = result;
  const row = (way: WayResult, speed: string, time: string): string[] => [
    NAMES[way.way],
    count(way.messages),
    time,
    way.way === "restarted" ? "-" : rate(way.rate),
    speed,
    zeroIsGood(way.orderBreaks, paint),
    way.way === "restarted" ? count(way.handledTwice) : zeroIsGood(way.handledTwice, paint),
  ];
  const times = (speed: number): string => paint.bold(`${speed.toFixed(1)}×`);
  const [head, ...rows] = table(
    [
      heading,
      row(serial, "1.0×", `${serial.sample ? "~" : ""}${duration(serial.allMs)}`),
      row(consistent, times(speedUp.consistent), duration(consistent.ms)),
      row(balanced, times(speedUp.balanced), duration(balanced.ms)),
      row(hashInline, "1.0×", duration(hashInline.ms)),
      row(hashThreads, times(speedUp.hashThreads), duration(hashThreads.ms)),
      row(restarted, "-", duration(restarted.ms)),
    ],
    aligns,
  );
  return [paint.dim(head!), ...rows];
}

function zeroIsGood(value: number, paint: Paint): string {
  return value === 0 ? paint.green("0") : paint.red(count(value));
}

function notes(result: DemoResult): string[] {
  const { serial, hashThreads, restarted, messages, keys, busiestKey } = result;
  const share = ((busiestKey / messages) * 100).toFixed(1);
  const lines = [
    `${plural(messages, "order")} of ${plural(keys, "customer")}; the busiest placed ${share} % of them.`,
  ];
  if (serial.sample) {
    lines.push(
      `Serial loop: ${count(serial.messages)} orders measured, the time for all extrapolated.`,
    );
  }
  if (restarted.handledTwice > 0) {
    const again = plural(restarted.handledTwice, "order");
    lines.push(
      `Kill: ${again} that had finished after the last commit came again, in turn;`,
      `the others done above the stored offset ${count(restarted.resumedAt)} were skipped.`,
    );
  }
  lines.push(
    `Hash: handlers that compute; ${plural(hashThreads.threads, "worker thread")}, their start included,`,
    "against the same handler in the thread that polls.",
  );
  return lines;
}

function charts(
  { consistent, balanced, lanes }: DemoResult,
  paint: Paint,
  columns: number,
): string[] {
  const top = Math.max(...consistent.perVirtualPartition, ...balanced.perVirtualPartition);
  const lines = [`Orders per virtual partition, 0 to ${lanes - 1}, one scale`];
  for (const { way, perVirtualPartition } of [consistent, balanced]) {
    const most = count(Math.max(...perVirtualPartition));
    const least = count(Math.min(...perVirtualPartition));
    const room = columns - INDENT.length - String(top).length - 3;
    lines.push(
      "",
      `${NAMES[way].padEnd(NAME_WIDTH)}  ${paint.dim(`most ${most}, least ${least}`)}`,
      ...chart(perVirtualPartition, { height: CHART_HEIGHT, columns: room, top }).map(paint.cyan),
    );
  }
  return lines;
}

function verdict({ ok, failures }: DemoResult, paint: Paint): string[] {
  if (!ok) return failures.map((failure) => `${paint.red("failed")}  ${failure}`);
  return [
    `${paint.green("ok")}  every order handled, each customer's in turn, only finished work stored`,
  ];
}
