import type { SinkRecord } from "../source/source.ts";
import { DeduplicationWindow, type Selection } from "./deduplication-window.ts";
import { type ReadableLog, restoreWindow } from "./restore-window.ts";
import type { TopicOptions } from "./topic-options.ts";

/** The partition that is deduplicated. */
export interface DeduplicatedLog extends ReadableLog {
  /** Writes all that has its offsets, so that it can be read. */
  flush(): void;
}

/** Deduplication of one partition, under options that may change while it is open. */
export class Deduplication {
  readonly #log: DeduplicatedLog;
  /** Ids that cannot be read any more are given up. */
  readonly #tolerant: boolean;
  #limits: TopicOptions["deduplication"] = null;
  #window: DeduplicationWindow | undefined;

  constructor(log: DeduplicatedLog, tolerant: boolean) {
    this.#log = log;
    this.#tolerant = tolerant;
  }

  /**
   * Takes over the options that hold now. When they have changed, the window is read back from the
   * log.
   *
   * @param nowUs Time of the next append at the earliest.
   * @throws {CorruptLogError} When a batch is damaged.
   */
  use(limits: TopicOptions["deduplication"], nowUs: number): void {
    if (limits === this.#limits) return;
    this.#window = undefined;
    if (limits !== null) {
      this.#log.flush();
      const window = new DeduplicationWindow(limits);
      restoreWindow(window, limits, this.#log, nowUs, this.#tolerant);
      this.#window = window;
    }
    this.#limits = limits;
  }

  /** As `DeduplicationWindow.select()`; undefined when nothing is deduplicated. */
  select(
    records: readonly SinkRecord[],
    baseOffset: number,
    timeUs: number,
  ): Selection | undefined {
    return this.#window?.select(records, baseOffset, timeUs);
  }

  remember(selection: Selection, timeUs: number): void {
    this.#window?.remember(selection, timeUs);
  }
}
