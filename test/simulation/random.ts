/** Seeded choices. */
import { randomOf } from "../wasm/random.ts";

/** Draws what a simulation does next; the same for the same seed. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomOf(seed);
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.#next() * (max - min + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[this.integer(0, from.length - 1)] as T;
  }

  /** An index from 0 to `count` - 1, the low ones more often. */
  skewed(count: number): number {
    return Math.floor(this.#next() ** 2 * count);
  }

  /** One of the entries, each as often as its weight says. */
  weighted<T>(entries: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.#next() * entries.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of entries) {
      left -= weight;
      if (left < 0) return value;
    }
    return entries[entries.length - 1]![1];
  }
}
