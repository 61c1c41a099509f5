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
