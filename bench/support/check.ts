/** Completeness and key order inside every benchmark run: a fast wrong run is void. About 20 ns a message. */

/** What handlers see of a message, whatever the subject. */
export interface BenchMessage {
  readonly key: Uint8Array | null;
  readonly offset: number;
  readonly partition: number;
}

/** Keys are `k<number>`, so that plain arrays do. */
export class RunChecker {
  readonly #count: number;
  readonly #last: Float64Array;
  readonly #running: Uint8Array;
  #inFlight = 0;
  #firstMs = 0;
  #lastMs = 0;
  maxInFlight = 0;
  done = 0;
  orderBreaks = 0;

  constructor(count: number, keys: number) {
    this.#count = count;
    this.#last = new Float64Array(keys === 0 ? count : keys).fill(-1);
    this.#running = new Uint8Array(this.#last.length);
  }

  static keyNumber(key: Uint8Array): number {
    let number = 0;
    for (let i = 1; i < key.length; i++) number = number * 10 + key[i]! - 48;
    return number;
  }

  start(key: number, offset: number): void {
    if (this.#firstMs === 0) this.#firstMs = performance.now();
    if (++this.#inFlight > this.maxInFlight) this.maxInFlight = this.#inFlight;
    if (this.#running[key] !== 0 || this.#last[key]! >= offset) this.orderBreaks++;
    this.#running[key] = 1;
    this.#last[key] = offset;
  }

  end(key: number): void {
    this.#inFlight--;
    this.#running[key] = 0;
    if (++this.done === this.#count) this.#lastMs = performance.now();
  }

  get finished(): boolean {
    return this.done >= this.#count;
  }

  /** @throws {Error} When a message is missing, came twice, or out of the order of its key. */
  get seconds(): number {
    if (this.done !== this.#count || this.orderBreaks > 0) {
      const what = `${this.done} of ${this.#count} messages, ${this.orderBreaks} order breaks`;
      throw new Error(`Cannot use this run as it must be complete and in key order: ${what}`);
    }
    return (this.#lastMs - this.#firstMs) / 1000;
  }
}

/** What a message costs follows from its partition and offset: the same in every subject. */
export function mix(offset: number, partition: number): number {
  let h = (offset ^ Math.imul(partition + 1, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Milliseconds that a message's handler waits; 0: it returns at once. */
export type Work = (offset: number, partition: number) => number;

/** Waits from `low` to `high` milliseconds, evenly. */
export function evenWork(low: number, high: number): Work {
  return (offset, partition) => low + (mix(offset, partition) % (high - low + 1));
}

/** One message in `oneIn` waits `slowMs`, all others `ms`. */
export function tailWork(ms: number, slowMs: number, oneIn: number): Work {
  return (offset, partition) => (mix(offset, partition) % oneIn === 0 ? slowMs : ms);
}

/** A handler that waits as its work says and is checked. */
export function checkedHandler(
  check: RunChecker,
  work: Work,
): (key: number, offset: number, partition: number) => Promise<void> | undefined {
  return (key, offset, partition) => {
    check.start(key, offset);
    const ms = work(offset, partition);
    if (ms === 0) {
      check.end(key);
      return undefined;
    }
    return new Promise((resolve) => {
      setTimeout(() => {
        check.end(key);
        resolve();
      }, ms);
    });
  };
}
