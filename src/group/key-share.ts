/** Messages that are looked at. */
const WINDOW = 10_000;
/** Above this share one key binds the partition (X3). */
const BOUND_SHARE = 0.9;

/**
 * Tells once whether one key has more than 90 % of 10,000 messages of a lease.
 *
 * The candidate is the majority key of the first batch (Boyer and Moore's vote, 1981); then its share is counted.
 */
export class KeyShare {
  #candidate: number | null = null;
  #hits = 0;
  #seen = 0;

  /** @returns The share, once, when it is above the bound. */
  add(hashes: Uint32Array): number | null {
    if (this.#seen >= WINDOW || hashes.length === 0) return null;
    this.#candidate ??= majority(hashes);
    for (const hash of hashes) if (hash === this.#candidate) this.#hits++;
    this.#seen += hashes.length;
    if (this.#seen < WINDOW) return null;
    const share = this.#hits / this.#seen;
    return share > BOUND_SHARE ? share : null;
  }
}

function majority(hashes: Uint32Array): number {
  let candidate = hashes[0]!;
  let votes = 0;
  for (const hash of hashes) {
    if (votes === 0) candidate = hash;
    votes += hash === candidate ? 1 : -1;
  }
  return candidate;
}
