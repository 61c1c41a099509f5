/** A range of offsets: `from` is in it, `to` is not. */
export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Completed offsets that a map in the commit metadata names: what a former owner of the partition has done.
 *
 * Ranges, ascending and apart. Reading it goes from low to high, as offsets are delivered.
 *
 * @example
 * const completed = CompletedOffsets.fromRuns(100, [1, 9]); // 100 is not done, 101 to 109 are
 * completed.has(100); // false
 * completed.has(101); // true
 */
export class CompletedOffsets {
  /** Starts and ends in turn: from, to, from, to … */
  readonly #bounds: Float64Array;
  /** Index of the lowest range that is left, in bounds. */
  #first = 0;
  /** Index of the range that the last question was about, in bounds. */
  #cursor = 0;
  #count = 0;

  constructor(bounds: Float64Array) {
    this.#bounds = bounds;
    for (let i = 0; i < bounds.length; i += 2) this.#count += bounds[i + 1]! - bounds[i]!;
  }

  /** No offsets. */
  static none(): CompletedOffsets {
    return new CompletedOffsets(new Float64Array(0));
  }

  /**
   * Offsets that alternating lengths name.
   *
   * @param base Offset that the runs start at.
   * @param runs Lengths: not done, done, not done, done …
   * @param end Offsets from here on do not exist and are left out.
   * @throws Never: what is beyond `end`, or not a length, ends the list.
   */
  static fromRuns(
    base: number,
    runs: ArrayLike<number>,
    end: number = Number.MAX_SAFE_INTEGER,
  ): CompletedOffsets {
    const bounds: number[] = [];
    let position = base;
    for (let i = 0; i < runs.length && position < end; i++) {
      const next = Math.min(position + runs[i]!, end);
      if (!(next >= position)) break;
      if (i % 2 === 1 && next > position) {
        // Lengths of 0 between two runs make them one.
        if (bounds[bounds.length - 1] === position) bounds[bounds.length - 1] = next;
        else bounds.push(position, next);
      }
      position = next;
    }
    return new CompletedOffsets(Float64Array.from(bounds));
  }

  /** How many offsets there are. O(1). */
  get count(): number {
    return this.#count;
  }

  /** The offset after the highest one; 0 when there is none. O(1). */
  get end(): number {
    return this.#count === 0 ? 0 : this.#bounds[this.#bounds.length - 1]!;
  }

  /** The ranges, ascending. */
  *ranges(): IterableIterator<OffsetRange> {
    for (let i = this.#first; i < this.#bounds.length; i += 2) {
      yield { from: this.#bounds[i]!, to: this.#bounds[i + 1]! };
    }
  }

  /**
   * Whether an offset is among them.
   *
   * Amortised O(1) for offsets that ascend from call to call; correct for others too.
   */
  has(offset: number): boolean {
    if (this.#count === 0) return false;
    const bounds = this.#bounds;
    let at = this.#cursor;
    while (at < bounds.length && bounds[at + 1]! <= offset) at += 2;
    while (at > this.#first && bounds[at - 1]! > offset) at -= 2;
    this.#cursor = at;
    return at < bounds.length && bounds[at]! <= offset;
  }

  /** Forgets what lies below a position: it was delivered, and will not be asked for again. Amortised O(1). */
  dropBelow(position: number): void {
    const bounds = this.#bounds;
    let at = this.#first;
    for (; at < bounds.length && bounds[at + 1]! <= position; at += 2) {
      this.#count -= bounds[at + 1]! - bounds[at]!;
    }
    if (at < bounds.length && bounds[at]! < position) {
      this.#count -= position - bounds[at]!;
      bounds[at] = position;
    }
    this.#first = at;
    if (this.#cursor < at) this.#cursor = at;
  }
}
