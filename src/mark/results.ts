/** Messages whose results are collected before they are applied. */
const CAPACITY = 4096;

/** What was collected. Offsets are valid until the next result is added. */
export interface CollectedResults {
  readonly offsets: Float64Array;
  readonly count: number;
  readonly bytes: number;
}

/** Results of handler calls, collected over a turn and applied together (H6). */
export class Results {
  readonly #offsets = new Float64Array(CAPACITY);
  readonly #apply: (results: CollectedResults) => void;
  #count = 0;
  #bytes = 0;

  constructor(apply: (results: CollectedResults) => void) {
    this.#apply = apply;
  }

  add(offset: number, bytes: number): void {
    if (this.#count === CAPACITY) this.apply();
    this.#offsets[this.#count++] = offset;
    this.#bytes += bytes;
  }

  apply(): void {
    if (this.#count === 0) return;
    const results = { offsets: this.#offsets, count: this.#count, bytes: this.#bytes };
    this.#count = 0;
    this.#bytes = 0;
    this.#apply(results);
  }
}
