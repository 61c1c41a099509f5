import process from "node:process";
import type { TimerHandle } from "../types.ts";
import { inBackground } from "./log-clock.ts";
import type { TopicLog } from "./topic-log.ts";
import {
  newReport,
  type RetainReport,
  type RetentionHost,
  TopicRetention,
} from "./topic-retention.ts";

/** Time between looks at what has become old. */
const CHECK_INTERVAL_MS = 1000;
/** How long closing waits for an archive that is at work. */
const STOP_MS = 5000;

/**
 * Removes what the options of topics say is over: every second, and soon after a segment was
 * sealed. One run at a time.
 */
export class Retention {
  readonly #host: RetentionHost;
  readonly #automatic: boolean;
  readonly #topics: () => readonly TopicLog[];
  readonly #each = new WeakMap<TopicLog, TopicRetention>();
  /** The runs so far; never rejects. */
  #runs: Promise<unknown> = Promise.resolve();
  #timer: TimerHandle;
  #asked = false;
  #stopped = false;

  /**
   * @param topics Of the log, at any time.
   * @param automatic false: nothing happens but by `retain()`.
   */
  constructor(topics: () => readonly TopicLog[], automatic: boolean, host: RetentionHost) {
    this.#topics = topics;
    this.#automatic = automatic;
    this.#host = { ...host, mayWrite: (topic) => !this.#stopped && host.mayWrite(topic) };
  }

  /** Something may be over: looks soon, outside of the call that asks. */
  soon(): void {
    if (this.#asked || this.#stopped || !this.#automatic) return;
    this.#asked = true;
    this.#host.clock.defer(() => void this.#inTurn(() => this.#runAll()).catch(warn));
  }

  /**
   * Removes now what is over, also where the wait after a failure is not.
   *
   * @param dryRun true: only says what would be removed.
   */
  retain(topics: readonly TopicLog[], dryRun: boolean): Promise<RetainReport> {
    return this.#inTurn(async () => {
      const all = newReport();
      for (const topic of topics) {
        const one = this.#of(topic);
        const report = dryRun ? one.foresee() : await one.run(true);
        all.removed.push(...report.removed);
        all.held.push(...report.held);
        all.failed.push(...report.failed);
      }
      return all;
    });
  }

  /** Starts nothing more, and waits for what runs. An archive that ends later removes nothing. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const { clock } = this.#host;
    clock.clearTimer(this.#timer);
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(resolve, STOP_MS);
      void this.#runs.then(() => {
        clock.clearTimer(timer);
        resolve();
      });
    });
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#runs.then(run);
    // Whoever asked for the run hears of its failure.
    this.#runs = done.catch(() => {});
    return done;
  }

  async #runAll(): Promise<void> {
    this.#asked = false;
    const { clock } = this.#host;
    clock.clearTimer(this.#timer);
    const limited = this.#topics().filter(({ options }) => options.retention !== null);
    try {
      for (const topic of limited) await this.#of(topic).run(false);
    } finally {
      if (!this.#stopped && limited.length > 0) {
        this.#timer = inBackground(clock.setTimer(() => this.soon(), CHECK_INTERVAL_MS));
      }
    }
  }

  #of(topic: TopicLog): TopicRetention {
    const known = this.#each.get(topic) ?? new TopicRetention(topic, this.#host);
    this.#each.set(topic, known);
    return known;
  }
}

/** What can fail is told as an event: this is for what should not. */
function warn(error: unknown): void {
  process.emitWarning(`Retention of the log broke off: ${String(error)}`);
}
