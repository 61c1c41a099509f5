/** What the handlers of a run write down, in memory that all threads share: answers, order, the time. */

const DONE = 0;
const BREAKS = 1;
const TWICE = 2;
const WORDS = 4;
/** One of so many messages warms up. */
const WARM_UP_PART = 4;

/** Wall time to fractions of a millisecond: the same clock in every thread. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Checks a run as it goes on: each message once, those of a key in order and never two at once, answers right. */
export class CpuBoard {
  readonly memory: SharedArrayBuffer;
  readonly #count: number;
  readonly #keys: number;
  /** Messages before the time begins: a new thread compiles its code while it handles the first thousands. */
  readonly #warmUp: number;
  /** When that many were done, when all were. */
  readonly #times: Float64Array;
  readonly #words: Int32Array;
  /** Per key: 1 while a call of it runs; one more than its last offset. */
  readonly #running: Int32Array;
  readonly #last: Int32Array;
  /** Per message; 0: it has not been handled. */
  readonly #answers: Int32Array;

  constructor(count: number, keys: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(16 + 4 * (WORDS + 2 * keys + count));
    this.#count = count;
    this.#keys = keys;
    this.#warmUp = Math.ceil(count / WARM_UP_PART);
    const after = (words: number): number => 16 + 4 * words;
    this.#times = new Float64Array(this.memory, 0, 2);
    this.#words = new Int32Array(this.memory, after(0), WORDS);
    this.#running = new Int32Array(this.memory, after(WORDS), keys);
    this.#last = new Int32Array(this.memory, after(WORDS + keys), keys);
    this.#answers = new Int32Array(this.memory, after(WORDS + 2 * keys), count);
  }

  /** Handles one message: keys are those of offset modulo keys. */
  handle(offset: number, compute: () => number): void {
    const key = offset % this.#keys;
    const overlaps = Atomics.exchange(this.#running, key, 1) !== 0;
    const late = Atomics.exchange(this.#last, key, offset + 1) > offset;
    if (overlaps || late) Atomics.add(this.#words, BREAKS, 1);
    const before = Atomics.exchange(this.#answers, offset, compute());
    if (before !== 0) Atomics.add(this.#words, TWICE, 1);
    Atomics.store(this.#running, key, 0);
    const done = Atomics.add(this.#words, DONE, 1) + 1;
    if (done === this.#warmUp) this.#times[0] = nowMs();
    if (done === this.#count) this.#times[1] = nowMs();
  }

  get finished(): boolean {
    return Atomics.load(this.#words, DONE) >= this.#count;
  }

  /**
   * Seconds that the messages after the warm-up took, as if all had been as fast.
   *
   * @throws {Error} When the run is not complete, in order and right.
   */
  seconds(expected: Int32Array): number {
    const [done, breaks, twice] = this.#words;
    const wrong = expected.findIndex((answer, offset) => answer !== this.#answers[offset]);
    if (done !== this.#count || breaks !== 0 || twice !== 0 || wrong !== -1) {
      const what = `${done} of ${this.#count}, ${breaks} order breaks, ${twice} twice`;
      throw new Error(
        `Cannot use this run as it must be complete, in key order and right: received ${what}, first wrong ${wrong}`,
      );
    }
    const share = (this.#count - this.#warmUp) / this.#count;
    return (this.#times[1]! - this.#times[0]!) / 1000 / share;
  }
}
