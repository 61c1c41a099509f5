import type { Clock, TimerHandle } from "../types.ts";
import { inBackground } from "./log-clock.ts";

/** Longest time that timers can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Has a segment sealed when it is old, also when nothing is appended any more. */
export class RollTimer {
  readonly #clock: Clock;
  readonly #dueMs: () => number | undefined;
  readonly #roll: () => void;
  #timer: TimerHandle;

  /**
   * @param dueMs When it is old, in ms since the epoch; undefined when it never is.
   * @param roll Seals it if it is old now.
   */
  constructor(clock: Clock, dueMs: () => number | undefined, roll: () => void) {
    this.#clock = clock;
    this.#dueMs = dueMs;
    this.#roll = roll;
  }

  /** Waits, unless it waits already. */
  arm(): void {
    if (this.#timer !== undefined) return;
    const dueMs = this.#dueMs();
    if (dueMs === undefined) return;
    // The wall clock may be set while it waits: it looks again then.
    const waitMs = Math.min(Math.max(dueMs - this.#clock.wallTime(), 1), MAX_TIMER_MS);
    const timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#roll();
      this.arm();
    }, waitMs);
    this.#timer = inBackground(timer);
  }

  clear(): void {
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
