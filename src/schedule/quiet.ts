import { settlesWithin } from "../settles-within.ts";
import type { Clock } from "../types.ts";

/** Waits for the end of running calls; more than one may wait, as a close may begin while a revoke drains. */
export class Quiet {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nothing runs any more. */
  reached(): void {
    for (const wake of this.#waiting) wake();
  }

  /** @param deadlineMs Monotonic time at which the wait ends anyway. */
  async until(deadlineMs: number): Promise<void> {
    let wake: () => void = () => {};
    const quiet = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    await settlesWithin(this.#clock, deadlineMs - this.#clock.now(), quiet);
    this.#waiting.delete(wake);
  }
}
