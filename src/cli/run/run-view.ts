import type { CloseReport, Consumer, Logger } from "../../index.ts";
import { plural } from "../format.ts";
import type { Io } from "../io.ts";
import { commandLogger } from "../logger.ts";
import { paintFor } from "../paint.ts";
import { StatusLine } from "../status-line.ts";
import { guardConsole } from "./guard-console.ts";
import { RateMeter } from "./rate-meter.ts";
import { type RunResult, runLine, runSummary } from "./run-report.ts";
import type { TopicEnd } from "./topic-end.ts";

const PLAIN_EVERY_MS = 1000;
const TICK_MS = 250;
/** Of repeated failures one line per second is shown, with the number of others. */
const FAILURE_EVERY_MS = 1000;

/** What a run shows, on stderr: stdout belongs to the handlers and to `--json`. */
export class RunView {
  readonly logger: Logger;
  readonly #status: StatusLine;
  readonly #io: Io;
  readonly #end: TopicEnd;
  readonly #startedAt: number = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #unguard: () => void = () => {};
  #failures = 0;
  #failureShownAt = Number.NEGATIVE_INFINITY;

  constructor(io: Io, end: TopicEnd, fromBeginning: boolean) {
    this.#io = io;
    this.#end = end;
    this.#status = new StatusLine(io.err, PLAIN_EVERY_MS);
    this.logger = commandLogger((line) => this.#status.print(line));
    const partitions = plural(end.partitionCount, "partition");
    this.#status.print(`Reading ${end.topic} (${partitions}) as group ${end.groupId}`);
    if (!end.groupKnowsTopic && !fromBeginning) {
      const hint = "--from-beginning starts at the first message";
      this.#status.print(`The group is new and starts at the end: ${hint}`);
    }
  }

  /** Shows rate and events until `stop()`. */
  watch(consumer: Consumer): void {
    const paint = paintFor(this.#io.err);
    const rates = new RateMeter();
    if (this.#io.err.isTerminal) this.#unguard = guardConsole(() => this.#status.clear());
    this.#timer = setInterval(() => {
      const stats = consumer.stats();
      const perSecond = rates.measure(stats.processed);
      this.#status.update(() => runLine(stats, perSecond, paint));
    }, TICK_MS);
    consumer.on("failed", ({ topic, partition, offset, attempt, error }) => {
      this.#failed(`${topic}#${partition} offset ${offset}, attempt ${attempt}: ${error.message}`);
    });
    consumer.on("partitionerFailed", ({ topic, partition, offset, error }) => {
      this.#failed(`key of ${topic}#${partition} offset ${offset}: ${error.message}`);
    });
    consumer.on("offsetReset", ({ topic, partition, from, to, reason }) => {
      this.#status.print(`${topic}#${partition} goes on at ${to} instead of ${from}: ${reason}`);
    });
    consumer.on("stalled", ({ topic, partition, explanation }) => {
      this.#status.print(`${topic}#${partition} does not move: ${explanation.reason}`);
    });
    consumer.on("error", ({ error, fatal }) => {
      // A fatal one ends the command, which says it.
      if (!fatal) this.#status.print(`error: ${error.message}`);
    });
  }

  draining(running: number): void {
    const calls = plural(running, "running call");
    this.#status.print(`Closing: waits for ${calls}; a second signal leaves at once`);
  }

  clear(): void {
    this.#status.clear();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unguard();
    this.#status.clear();
  }

  finish(consumer: Consumer, report: CloseReport): RunResult {
    this.stop();
    const { processed, failed } = consumer.stats();
    const ms = Math.round(performance.now() - this.#startedAt);
    const { topic, groupId } = this.#end;
    const perSecond = Math.round((processed / ms) * 10_000) / 10;
    const result = { topic, groupId, processed, failed, ms, rate: perSecond, ...report };
    for (const line of runSummary(result, paintFor(this.#io.err))) this.#status.print(line);
    return result;
  }

  #failed(line: string): void {
    this.#failures++;
    const now = performance.now();
    if (now - this.#failureShownAt < FAILURE_EVERY_MS) return;
    const others = this.#failures > 1 ? ` (and ${this.#failures - 1} more)` : "";
    this.#failures = 0;
    this.#failureShownAt = now;
    this.#status.print(`failed: ${line}${others}`);
  }
}
