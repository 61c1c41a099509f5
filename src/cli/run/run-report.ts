import type { CloseReport } from "../../index.ts";
import { count, duration, plural, rate } from "../format.ts";
import type { Paint } from "../paint.ts";
import type { RunFigures } from "./run-figures.ts";
import type { TopicEnd } from "./topic-end.ts";

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

/** The status line of one consumer, or of several together. */
export function runLine(figures: RunFigures, perSecond: number, paint: Paint): string {
  const { processed, failed, running, concurrency, inFlight, queued, lag, partitions } = figures;
  const cells = [
    `${paint.bold(count(processed))} done`,
    rate(perSecond).padStart(8),
    `lag ${lag === null ? "unknown" : count(lag)}`,
    `lanes ${running}/${concurrency}`,
    `in flight ${count(inFlight)}`,
    `queued ${count(queued)}`,
  ];
  if (failed > 0) cells.push(paint.red(`failed ${count(failed)}`));
  // Waiting for a first assignment looks like an empty topic otherwise.
  cells.push(partitions === 0 ? "no partition" : plural(partitions, "partition"));
  return cells.join("  ");
}

/** The first lines of a run. */
export function runGreeting(end: TopicEnd, fromBeginning: boolean): string[] {
  const partitions = plural(end.partitionCount, "partition");
  const lines = [`Reading ${end.topic} (${partitions}) as group ${end.groupId}`];
  if (!end.groupKnowsTopic && !fromBeginning) {
    const hint = "--from-beginning starts at the first message";
    lines.push(`The group is new and starts at the end: ${hint}`);
  }
  return lines;
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
