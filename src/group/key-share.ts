/** Messages that are looked at. */
const WINDOW = 10_000;
/** Above this share one key binds the partition (X3). */
const BOUND_SHARE = 0.9;

/** Tells once whether one key has more than 90 % of the first 10,000 messages of a lease. */
export class KeyShare {
  /** Key hashes of the window; null once it was full. */
  #hashes: Uint32Array | null = new Uint32Array(WINDOW);
  #seen = 0;

  /** @returns The share, once, when it is above the bound. */
  add(hashes: Uint32Array): number | null {
    const window = this.#hashes;
    if (window === null) return null;
    const taken = hashes.subarray(0, WINDOW - this.#seen);
    window.set(taken, this.#seen);
    this.#seen += taken.length;
    if (this.#seen < WINDOW) return null;
    this.#hashes = null;
    const share = countOf(window, majorityOf(window)) / WINDOW;
    return share > BOUND_SHARE ? share : null;
  }
}

/** The only value that can have more than half (Boyer and Moore, "MJRTY", 1981). */
function majorityOf(values: Uint32Array): number {
  let candidate = 0;
  let lead = 0;
  for (const value of values) {
    if (lead === 0) candidate = value;
    lead += value === candidate ? 1 : -1;
  }
  return candidate;
}

function countOf(values: Uint32Array, wanted: number): number {
  let count = 0;
  for (const value of values) if (value === wanted) count++;
  return count;
}
