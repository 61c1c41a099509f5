import type { Clock, TimerHandle } from "../types.ts";

/** Holds appends that are not written. */
export interface Flushable {
  /** Writes them. Never throws. */
  flush(): void;
}

/** Decides when partitions write: all appends of one tick, or of one interval, share a write. */
export class FlushQueue {
  readonly #clock: Clock;
  readonly #intervalMs: number | undefined;
  readonly #waiting = new Set<Flushable>();
  #timer: TimerHandle;

  /** @param intervalMs undefined for the end of the tick. */
  constructor(clock: Clock, intervalMs: number | undefined) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Has the partition written soon. */
  add(partition: Flushable): void {
    if (this.#waiting.size === 0) this.#arm();
    this.#waiting.add(partition);
  }

  /** Writes all that waits, now. */
  flush(): void {
    this.#clock.clearTimer(this.#timer);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const partition of waiting) partition.flush();
  }

  #arm(): void {
    // Behind what is already waiting to run in this tick, so that its appends join.
    if (this.#intervalMs === undefined) queueMicrotask(() => this.flush());
    else this.#timer = this.#clock.setTimer(() => this.flush(), this.#intervalMs);
  }
}
