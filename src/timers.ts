import type { Clock, TimerHandle } from "./types.ts";

/** Timers of one owner, who clears them all at once. */
export class Timers {
  readonly #clock: Clock;
  readonly #pending = new Set<TimerHandle>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(ms: number, callback: () => void): void {
    const timer = this.#clock.setTimer(() => {
      this.#pending.delete(timer);
      callback();
    }, ms);
    this.#pending.add(timer);
  }

  clear(): void {
    for (const timer of this.#pending) this.#clock.clearTimer(timer);
    this.#pending.clear();
  }
}
