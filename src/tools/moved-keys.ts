/** Keys that change their partition: foretold from two counts, and found in a sample. */
import { Validator } from "../validate.ts";

const check = new Validator("foretell which keys move");
/** Most partitions that are planned, judged or compared. */
const MAX_PARTITIONS = 1_000_000;

/**
 * The share of keys that another partition gets when the count changes, for `hash % count`.
 *
 * A key stays where `hash % from === hash % to`. Of lcm(from, to) remainders min(from, to) do, so the share is
 * 1 − min / lcm: 3 to 5 moves 80 %, 6 to 12 half of them.
 *
 * @param from Partitions before, 1…1,000,000.
 * @param to Partitions after, 1…1,000,000.
 * @returns In [0, 1).
 * @throws {TypeError | RangeError} Naming the count that is no such integer.
 */
export function movedKeyShare(from: number, to: number): number {
  for (const [name, value] of Object.entries({ from, to })) {
    if (value === undefined) throw check.typeError(`${name} must be a number`, value);
    check.integer(name, value, 1, 1, MAX_PARTITIONS);
  }
  // min / lcm = min × gcd / (from × to) = gcd / max
  return 1 - greatestCommonDivisor(from, to) / Math.max(from, to);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Keys that are followed. */
const SAMPLED_KEYS = 1024;
/** In more than one partition. */
const SEVERAL = -1;

/**
 * How many keys lie in more than one partition, from a sample of keys in bounded memory.
 *
 * The sample are the keys with the lowest ids (bottom-k): every key has the same chance, whenever and how often it
 * comes, and a key that is in the sample at the end was in it from its first message on. So what is known of it is
 * exact, and the share is that of all keys within about ± 3 % (one standard error is at most 1.6 %).
 */
export class MovedKeys {
  readonly #partitions = new Map<number, number>();
  #threshold: number = Number.POSITIVE_INFINITY;

  /** @param id 53 bits of hash of the key. */
  add(id: number, partition: number): void {
    if (id > this.#threshold) return;
    const seen = this.#partitions.get(id);
    if (seen === undefined) {
      this.#partitions.set(id, partition);
      if (this.#partitions.size >= 2 * SAMPLED_KEYS) this.#shrink();
    } else if (seen !== partition && seen !== SEVERAL) {
      this.#partitions.set(id, SEVERAL);
    }
  }

  /** Share of the keys that lie in more than one partition, in [0, 1]. */
  share(): number {
    let several = 0;
    for (const partition of this.#partitions.values()) if (partition === SEVERAL) several++;
    return several === 0 ? 0 : several / this.#partitions.size;
  }

  #shrink(): void {
    const ids = Float64Array.from(this.#partitions.keys()).sort();
    this.#threshold = ids[SAMPLED_KEYS - 1]!;
    for (const id of ids.subarray(SAMPLED_KEYS)) this.#partitions.delete(id);
  }
}
