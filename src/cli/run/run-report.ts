import type { CloseReport, ConsumerStats } from "../../index.ts";
import { count, duration, plural, rate } from "../format.ts";
import type { Paint } from "../paint.ts";

/** What a run did; `--json` prints it. */
export interface RunResult extends CloseReport {
  readonly topic: string;
  readonly groupId: string;
  /** Messages whose call ended well. */
  readonly processed: number;
  /** Failed attempts. */
  readonly failed: number;
  readonly ms: number;
  /** Messages per second over the whole run. */
  readonly rate: number;
}

/** The status line of a running consumer. */
export function runLine(stats: ConsumerStats, perSecond: number, paint: Paint): string {
  let inFlight = 0;
  let queued = 0;
  let lag: number | null = 0;
  for (const partition of stats.partitions) {
    inFlight += partition.inFlight;
    queued += partition.queued;
    lag = lag === null || partition.lag === null ? null : lag + partition.lag;
  }
  const cells = [
    `${paint.bold(count(stats.processed))} done`,
    rate(perSecond).padStart(8),
    `lag ${lag === null ? "unknown" : count(lag)}`,
    `lanes ${stats.running}/${stats.concurrency}`,
    `in flight ${count(inFlight)}`,
    `queued ${count(queued)}`,
  ];
  if (stats.failed > 0) cells.push(paint.red(`failed ${count(stats.failed)}`));
  // Waiting for a first assignment looks like an empty topic otherwise.
  cells.push(
    stats.partitions.length === 0 ? "no partition" : plural(stats.partitions.length, "partition"),
  );
  return cells.join("  ");
}

/** The last lines of a run. */
export function runSummary(result: RunResult, paint: Paint): string[] {
  const { processed, failed, ms, drained, abandoned, uncommitted } = result;
  const lines = [
    `${plural(processed, "message")} in ${duration(ms)} (${rate(result.rate)}), ` +
      `${plural(failed, "failed attempt")}, ${count(drained)} finished while closing`,
  ];
  if (abandoned > 0) {
    lines.push(paint.yellow(`${plural(abandoned, "message")} still running at the drain deadline`));
  }
  if (uncommitted.length > 0) {
    const names = uncommitted.map(({ topic, partition }) => `${topic}#${partition}`).join(", ");
    lines.push(paint.red(`The last commit failed for ${names}: messages will come again`));
  }
  return lines;
}
