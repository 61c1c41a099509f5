/**
 * Lanes that work through their messages one step each, and what is in flight in them.
 *
 * Calls take whole steps, so what ends when is a ring of counts: no message is kept.
 */
export class LaneClock {
  readonly counts: Float64Array;
  /** Step at which each lane has nothing left to do. */
  readonly freeAt: Float64Array;
  /** Messages that end at a step, by step modulo its length: none ends later than `window` steps from now. */
  readonly #ends: Uint32Array;
  readonly #window: number;
  #inFlight = 0;
  now = 0;

  constructor(lanes: number, window: number) {
    this.counts = new Float64Array(lanes);
    this.freeAt = new Float64Array(lanes);
    this.#ends = new Uint32Array(window + 1);
    this.#window = window;
  }

  /** Lets time pass until there is room for one more message. */
  makeRoom(): void {
    const ends = this.#ends;
    while (this.#inFlight === this.#window) {
      this.now++;
      const at = this.now % ends.length;
      this.#inFlight -= ends[at]!;
      ends[at] = 0;
    }
  }

  /** Puts a message behind the others of a lane. @returns The step at which it is done. */
  append(lane: number): number {
    const end = Math.max(this.now, this.freeAt[lane]!) + 1;
    this.freeAt[lane] = end;
    const at = end % this.#ends.length;
    this.#ends[at] = this.#ends[at]! + 1;
    this.#inFlight++;
    this.counts[lane] = this.counts[lane]! + 1;
    return end;
  }

  /** The step at which everything is done. */
  lastEnd(): number {
    return this.freeAt.reduce((latest, end) => Math.max(latest, end), this.now);
  }
}
