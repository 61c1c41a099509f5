import { SLEEP_BY_BELL, SLEEP_FOR_FRAMES } from "./control.ts";

/**
 * Puts one side to sleep on its sleep word.
 *
 * The order is what keeps wake-ups from being lost: `fallAsleep()`, then look once more for what one waits for, and
 * only then `wait()` or `block()`. The other side does the reverse: it shows what it has, then looks at the word.
 */
export class Sleeper {
  readonly #words: Int32Array;
  readonly #word: number;
  readonly #byBell: boolean;
  #how = 0;
  #onRung: (() => void) | null = null;

  constructor(words: Int32Array, word: number, byBell: boolean) {
    this.#words = words;
    this.#word = word;
    this.#byBell = byBell;
  }

  /** Says what this side waits for; whoever has it wakes us from now on. */
  fallAsleep(wants: number): void {
    this.#how = wants | (this.#byBell ? SLEEP_BY_BELL : 0);
    Atomics.store(this.#words, this.#word, this.#how);
  }

  /** After `wait()` or `block()`, and where there is no need to wait after all. */
  getUp(): void {
    this.#how = 0;
    Atomics.store(this.#words, this.#word, 0);
  }

  /** Whether it sleeps, but not for what is wanted now. */
  sleepsWithout(wanted: number): boolean {
    return this.#how !== 0 && (this.#how & wanted) === 0;
  }

  /**
   * Settles when somebody has woken this side since `fallAsleep()`; sometimes without a reason.
   *
   * @returns Whether the event loop had a turn meanwhile.
   */
  async wait(): Promise<boolean> {
    if (this.#byBell) {
      await new Promise<void>((resolve) => {
        this.#onRung = resolve;
      });
      return true;
    }
    // It compares the word itself: a wake-up that came before is seen, not waited for.
    const woken = Atomics.waitAsync(this.#words, this.#word, this.#how);
    if (woken.async) await woken.value;
    return woken.async;
  }

  /** As `wait()`, but blocks the thread. False when the time has passed. */
  block(ms: number): boolean {
    return Atomics.wait(this.#words, this.#word, this.#how, ms) !== "timed-out";
  }

  /** The bell's message has come. */
  rung(): void {
    this.#onRung?.();
    this.#onRung = null;
  }

  /** Wakes this side from its own thread. */
  wakeSelf(): void {
    this.rung();
    Atomics.store(this.#words, this.#word, 0);
    // Also when the other side was about to: it may be dead by now.
    Atomics.notify(this.#words, this.#word, 1);
  }
}

/** Wakes the other side. */
export class Waker {
  readonly #words: Int32Array;
  readonly #word: number;
  readonly #ring: () => void;

  constructor(words: Int32Array, word: number, ring: () => void) {
    this.#words = words;
    this.#word = word;
    this.#ring = ring;
  }

  /** The other side can go on, if it sleeps and waits for this. */
  wake(reason: number = SLEEP_FOR_FRAMES): void {
    if ((Atomics.load(this.#words, this.#word) & reason) === 0) return;
    // One wake-up per sleep, however often this side flushes meanwhile.
    const how = Atomics.exchange(this.#words, this.#word, 0);
    if (how === 0) return;
    if (how & SLEEP_BY_BELL) this.#ring();
    else Atomics.notify(this.#words, this.#word, 1);
  }
}
