/** A clock that moves only when a test says so. */

import type { Clock, TimerHandle } from "../types.ts";
import { Validator } from "../validate.ts";

const check = new Validator("use a fake clock");

/** Epoch milliseconds at `now() === 0`, unless the test wants another moment: 2026-01-01T00:00:00Z. */
const DEFAULT_EPOCH_MS = Date.UTC(2026, 0, 1);
/** Deferred callbacks that defer again, time standing still: more turns than this are a loop. */
const MAX_TURNS_PER_SETTLE = 10_000;

/** {@link fakeClock}'s options. */
export interface FakeClockOptions {
  /** `wallTime()` when `now()` is 0, in milliseconds since the epoch; default 2026-01-01T00:00:00Z. */
  readonly epochMs?: number;
}

/** A clock under control of a test. `now()` starts at 0. */
export interface FakeClock extends Clock {
  /**
   * Moves time on by `ms` and runs the timers that fall due, in the order of their times (equal times: as they were
   * set), each at its own time. Before, between and after them everything that is ready runs: promise callbacks and
   * deferred callbacks. `advance(0)` runs what is ready, time standing still.
   *
   * @throws {RangeError} When `ms` is negative or not finite.
   * @throws {Error} When another `advance` is running, when deferred callbacks never come to an end, and whatever a
   *   timer's callback throws.
   */
  advance(ms: number): Promise<void>;
  /** Timers that are set and have not run. */
  pendingTimers(): number;
}

interface FakeTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

class ManualClock implements FakeClock {
  readonly #epochMs: number;
  /** In the order in which they were set. */
  readonly #timers = new Set<FakeTimer>();
  #nowMs = 0;
  #deferred = 0;
  #advancing = false;

  constructor(epochMs: number) {
    this.#epochMs = epochMs;
  }

  now(): number {
    return this.#nowMs;
  }

  wallTime(): number {
    return this.#epochMs + this.#nowMs;
  }

  setTimer(callback: () => void, ms: number): TimerHandle {
    if (!Number.isFinite(ms)) throw check.rangeError("a timer's time must be finite", ms);
    const timer: FakeTimer = { dueMs: this.#nowMs + Math.max(0, ms), callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(handle: TimerHandle): void {
    this.#timers.delete(handle as FakeTimer);
  }

  /** Needs no `advance`: work that only gives way to others takes no time. */
  defer(callback: () => void): void {
    this.#deferred += 1;
    setImmediate(() => {
      this.#deferred -= 1;
      callback();
    });
  }

  pendingTimers(): number {
    return this.#timers.size;
  }

  async advance(ms: number): Promise<void> {
    if (!Number.isFinite(ms) || ms < 0) throw check.rangeError("advance takes ms >= 0", ms);
    if (this.#advancing) throw new Error("Cannot advance the clock as it is advancing already");
    this.#advancing = true;
    try {
      await this.#settle();
      const endMs = this.#nowMs + ms;
      for (let timer = this.#nextDue(endMs); timer; timer = this.#nextDue(endMs)) {
        this.#timers.delete(timer);
        this.#nowMs = timer.dueMs;
        timer.callback();
        await this.#settle();
      }
      this.#nowMs = endMs;
    } finally {
      this.#advancing = false;
    }
  }

  #nextDue(endMs: number): FakeTimer | undefined {
    let next: FakeTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (!next || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }

  /** A turn of the event loop begins only when no promise callback is left. */
  async #settle(): Promise<void> {
    let turns = 0;
    do {
      if (turns++ >= MAX_TURNS_PER_SETTLE) {
        throw new Error("Cannot advance the clock as deferred callbacks must come to an end");
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    } while (this.#deferred > 0);
  }
}

/**
 * Makes a clock for tests: timers run in `advance(ms)`, never by themselves.
 *
 * ```ts
 * const clock = fakeClock();
 * clock.setTimer(() => console.log(clock.now()), 1000);
 * await clock.advance(5000); // prints 1000
 * ```
 *
 * @throws {RangeError} When `epochMs` is not a safe integer >= 0.
 */
export function fakeClock(options: FakeClockOptions = {}): FakeClock {
  const max = Number.MAX_SAFE_INTEGER;
  return new ManualClock(check.integer("epochMs", options.epochMs, DEFAULT_EPOCH_MS, 0, max));
}
