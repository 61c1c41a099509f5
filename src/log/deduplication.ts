import { DeduplicationWindow } from "./deduplication-window.ts";
import { type ReadableLog, restoreWindow } from "./restore-window.ts";
import type { TopicOptions } from "./topic-options.ts";

/** The deduplication of one partition, under options that may change while it is open. */
export class Deduplication {
  readonly #log: ReadableLog;
  #limits: TopicOptions["deduplication"] = null;
  #window: DeduplicationWindow | undefined;

  constructor(log: ReadableLog) {
    this.#log = log;
  }

  /**
   * The window under the options that hold now: read from the log when they have changed, so all that
   * is appended must be written then.
   *
   * @param nowUs Time of the next append at the earliest.
   * @returns undefined when nothing is deduplicated.
   * @throws {CorruptLogError} When a batch is damaged.
   */
  windowFor(limits: TopicOptions["deduplication"], nowUs: number): DeduplicationWindow | undefined {
    if (limits === this.#limits) return this.#window;
    const window = limits === null ? undefined : new DeduplicationWindow(limits);
    if (limits !== null) restoreWindow(window!, limits, this.#log, nowUs);
    this.#limits = limits;
    this.#window = window;
    return window;
  }
}
