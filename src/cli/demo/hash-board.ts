import type { Recorder } from "./order-check.ts";

/** Handler calls that fit per order: more are a bug, which the count of them shows. */
const CALLS_PER_ORDER = 2;
const JOURNAL_END = 0;
const FINISHED = 1;
const HEAD_WORDS = 4;

/**
 * What handlers in any thread write down, in memory that they share: starts and ends in the order in which they
 * happened, and what each order came to.
 */
export class HashBoard {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  /** When a call has last ended: wall time, the same clock in every thread. */
  readonly #finishedAt: Float64Array;
  readonly #answers: Int32Array;
  /** Pairs: the offset for a start, −1 − offset for an end; then the virtual partition. */
  readonly #journal: Int32Array;

  /** @param memory Of another thread's board, for as many orders. */
  constructor(count: number, memory?: SharedArrayBuffer) {
    const cells = 2 * 2 * CALLS_PER_ORDER * count;
    this.memory = memory ?? new SharedArrayBuffer(4 * (HEAD_WORDS + count + cells));
    this.#words = new Int32Array(this.memory, 0, 2);
    this.#finishedAt = new Float64Array(this.memory, 8, 1);
    this.#answers = new Int32Array(this.memory, 4 * HEAD_WORDS, count);
    this.#journal = new Int32Array(this.memory, 4 * (HEAD_WORDS + count), cells);
  }

  /** Handles an order. */
  handle(offset: number, virtualPartition: number, compute: () => number): void {
    this.#write(offset, virtualPartition);
    Atomics.store(this.#answers, offset, compute());
    this.#write(-1 - offset, virtualPartition);
    this.#finishedAt[0] = performance.timeOrigin + performance.now();
    Atomics.add(this.#words, FINISHED, 1);
  }

  /** Calls that have ended. */
  get finished(): number {
    return Atomics.load(this.#words, FINISHED);
  }

  /** As `performance.now()` says it in the thread that asks; 0 before the first end. */
  get lastFinishedAt(): number {
    return this.finished === 0 ? 0 : this.#finishedAt[0]! - performance.timeOrigin;
  }

  /** By offset; 0: never handled. */
  get answers(): readonly number[] {
    return [...this.#answers];
  }

  /** Tells all that happened, in order; no handler runs any more. */
  replay(recorder: Recorder): void {
    const end = Atomics.load(this.#words, JOURNAL_END);
    for (let at = 0; at < end; at += 2) {
      const offset = this.#journal[at]!;
      if (offset >= 0) recorder.started(offset);
      else recorder.finished(-1 - offset, this.#journal[at + 1]!);
    }
  }

  #write(what: number, virtualPartition: number): void {
    const at = Atomics.add(this.#words, JOURNAL_END, 2);
    Atomics.store(this.#journal, at, what);
    Atomics.store(this.#journal, at + 1, virtualPartition);
  }
}
