import type { Clock, TimerHandle } from "../types.ts";
import type { CallContext } from "./call-context.ts";

/** Tells which calls run for longer than they may (R12). One timer, for the oldest call. */
export class CallDeadlines {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #overdue: (call: CallContext) => void;
  /** Calls and when they started, the oldest first. */
  readonly #startedMs = new Map<CallContext, number>();
  #timer: TimerHandle | null = null;

  constructor(clock: Clock, timeoutMs: number, overdue: (call: CallContext) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#overdue = overdue;
  }

  started(call: CallContext): void {
    this.#startedMs.set(call, this.#clock.now());
    if (this.#timer === null) this.#arm(this.#timeoutMs);
  }

  ended(call: CallContext): void {
    this.#startedMs.delete(call);
    if (this.#startedMs.size > 0 || this.#timer === null) return;
    this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => this.#check(), delayMs);
  }

  #check(): void {
    this.#timer = null;
    const nowMs = this.#clock.now();
    for (const [call, startedMs] of this.#startedMs) {
      const leftMs = startedMs + this.#timeoutMs - nowMs;
      if (leftMs > 0) {
        this.#arm(leftMs);
        return;
      }
      this.#startedMs.delete(call);
      this.#overdue(call);
    }
  }
}
