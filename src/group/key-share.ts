/** Messages that are looked at. */
const WINDOW = 10_000;
/** Above this share one key binds the partition (X3). */
const BOUND_SHARE = 0.9;

/** Tells once whether one key has more than 90 % of the first 10,000 messages of a lease. */
export class KeyShare {
  /** Messages by key hash; empty again once the window is full. */
  readonly #counts = new Map<number, number>();
  #seen = 0;

  /** @returns The share, once, when it is above the bound. */
  add(hashes: Uint32Array): number | null {
    if (this.#seen >= WINDOW) return null;
    const counts = this.#counts;
    for (const hash of hashes) counts.set(hash, (counts.get(hash) ?? 0) + 1);
    this.#seen += hashes.length;
    if (this.#seen < WINDOW) return null;
    let most = 0;
    for (const count of counts.values()) most = Math.max(most, count);
    counts.clear();
    const share = most / this.#seen;
    return share > BOUND_SHARE ? share : null;
  }
}
