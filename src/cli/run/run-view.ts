import type { CloseReport, Consumer, Logger } from "../../index.ts";
import { plural } from "../format.ts";
import { commandLogger } from "../logger.ts";
import { RateMeter } from "./rate-meter.ts";
import { figuresOf } from "./run-figures.ts";
import type { RunResult } from "./run-report.ts";
import type { RunScreen } from "./run-screen.ts";
import type { TopicEnd } from "./topic-end.ts";

const TICK_MS = 250;
/** Of repeated failures one line per second is shown, with the number of others. */
const FAILURE_EVERY_MS = 1000;

/** What a consumer of `headrace run` shows. */
export class RunView {
  readonly logger: Logger;
  readonly screen: RunScreen;
  readonly #end: TopicEnd;
  readonly #startedAt: number = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #failures = 0;
  #failureShownAt = Number.NEGATIVE_INFINITY;

  constructor(screen: RunScreen, end: TopicEnd) {
    this.screen = screen;
    this.#end = end;
    this.logger = commandLogger((line) => screen.print(line));
  }

  /** Shows rate and events until `stop()`. */
  watch(consumer: Consumer): void {
    const rates = new RateMeter();
    this.#timer = setInterval(() => {
      const stats = consumer.stats();
      this.screen.show(figuresOf(stats), rates.measure(stats.processed));
    }, TICK_MS);
    consumer.on("failed", ({ topic, partition, offset, attempt, error }) => {
      this.#failed(`${topic}#${partition} offset ${offset}, attempt ${attempt}: ${error.message}`);
    });
    consumer.on("partitionerFailed", ({ topic, partition, offset, error }) => {
      this.#failed(`key of ${topic}#${partition} offset ${offset}: ${error.message}`);
    });
    consumer.on("offsetReset", ({ topic, partition, from, to, reason }) => {
      this.screen.print(`${topic}#${partition} goes on at ${to} instead of ${from}: ${reason}`);
    });
    consumer.on("stalled", ({ topic, partition, explanation }) => {
      this.screen.print(`${topic}#${partition} does not move: ${explanation.reason}`);
    });
    consumer.on("error", ({ error, fatal }) => {
      // A fatal one ends the command, which says it.
      if (!fatal) this.screen.print(`error: ${error.message}`);
    });
  }

  draining(running: number): void {
    this.screen.draining(plural(running, "running call"));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.screen.stop();
  }

  finish(consumer: Consumer, report: CloseReport): RunResult {
    this.stop();
    const { processed, failed } = consumer.stats();
    const { topic, groupId } = this.#end;
    const result = { topic, groupId, processed, failed, ...spentSince(this.#startedAt, processed) };
    this.screen.finished({ ...result, ...report });
    return { ...result, ...report };
  }

  #failed(line: string): void {
    this.#failures++;
    const now = performance.now();
    if (now - this.#failureShownAt < FAILURE_EVERY_MS) return;
    const others = this.#failures > 1 ? ` (and ${this.#failures - 1} more)` : "";
    this.#failures = 0;
    this.#failureShownAt = now;
    this.screen.print(`failed: ${line}${others}`);
  }
}

/** Time and rate of a run that began then. */
export function spentSince(startedAt: number, processed: number): { ms: number; rate: number } {
  const ms = Math.round(performance.now() - startedAt);
  return { ms, rate: Math.round((processed / Math.max(1, ms)) * 10_000) / 10 };
}
