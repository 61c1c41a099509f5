import type { Clock, TimerHandle } from "../types.ts";

/** The two pauses that users ask for (E8): one until it is taken back, one for a while. */
export class Pauses {
  readonly #clock: Clock;
  readonly #changed: (paused: boolean) => void;
  #user: boolean;
  #untilMs = Number.NEGATIVE_INFINITY;
  #timer: TimerHandle | null = null;
  /** No call starts. */
  paused: boolean;

  /**
   * @param user Paused from the start, as before a seek.
   * @param changed Called when the partition is paused, and when no pause holds it any more.
   */
  constructor(clock: Clock, user: boolean, changed: (paused: boolean) => void) {
    this.#clock = clock;
    this.#user = user;
    this.paused = user;
    this.#changed = changed;
  }

  /** `consumer.pause()` and `consumer.resume()`. */
  set user(paused: boolean) {
    this.#user = paused;
    this.#apply();
  }
  get user(): boolean {
    return this.#user;
  }

  /** `context.pause()`: the latest end wins. */
  pauseFor(ms: number): void {
    const untilMs = this.#clock.now() + ms;
    if (ms <= 0 || untilMs <= this.#untilMs) return;
    this.#untilMs = untilMs;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null;
      this.#apply();
    }, ms);
    this.#apply();
  }

  /** The lease is over. */
  end(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #apply(): void {
    const paused = this.#user || this.#timer !== null;
    if (paused === this.paused) return;
    this.paused = paused;
    this.#changed(paused);
  }
}
