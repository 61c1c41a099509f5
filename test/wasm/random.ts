/** Seeded randomness for the oracle tests. */

/** Random numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Fixed seeds, and one of its own for every run. */
export const SEEDS: readonly number[] = [1, 2, 3, 4, Date.now() >>> 0];

/** Runs the body and names the seed when it throws. */
export function withSeed(seed: number, body: (random: () => number) => void): void {
  try {
    body(randomOf(seed));
  } catch (error) {
    throw new Error(`With seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}
