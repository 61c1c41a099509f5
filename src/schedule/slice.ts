import type { Clock } from "../types.ts";

/** Longest time that calls are started without returning to the event loop (R1). */
const MAX_BURST_MS = 10;
/** Most messages that one slot handles in a row (H5). */
const MAX_SLICE_MESSAGES = 1024;
/** Time between two reads of the clock that the countdown aims at. */
const CHECK_MS = 0.5;
const MAX_CHECK_MESSAGES = 32;

/**
 * How long calls may go on before other partitions, and the event loop, have their turn.
 *
 * The clock is read once per some messages, not per message (H4); how many follows from how long they take.
 */
export class Slice {
  readonly #clock: Clock;
  #burstEndMs = Number.NEGATIVE_INFINITY;
  #checkedMs = 0;
  #checkEvery = 1;
  #untilCheck = 1;
  #left = 0;
  /** The burst is over: nothing starts before the next turn of the event loop. */
  expired = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** First calls of this turn of the event loop. */
  startBurst(nowMs: number): void {
    this.#burstEndMs = nowMs + MAX_BURST_MS;
    this.#checkedMs = nowMs;
    this.#untilCheck = this.#checkEvery;
    this.expired = false;
  }

  /** One slot begins. */
  start(): void {
    this.#left = MAX_SLICE_MESSAGES;
  }

  /** This slot has had its share. */
  get over(): boolean {
    return this.#left <= 0 || this.expired;
  }

  /** Monotonic milliseconds: when the clock was read last. */
  get checkedMs(): number {
    return this.#checkedMs;
  }

  /** A message was handed over. False: this slot has had its share. */
  spend(): boolean {
    if (--this.#untilCheck === 0) this.#check();
    return --this.#left > 0 && !this.expired;
  }

  #check(): void {
    const now = this.#clock.now();
    const tookMs = now - this.#checkedMs;
    this.#checkedMs = now;
    if (tookMs < CHECK_MS) this.#checkEvery = Math.min(this.#checkEvery * 2, MAX_CHECK_MESSAGES);
    else if (tookMs > 2 * CHECK_MS) this.#checkEvery = Math.max(1, this.#checkEvery >> 2);
    this.#untilCheck = this.#checkEvery;
    if (now >= this.#burstEndMs) this.expired = true;
  }
}
