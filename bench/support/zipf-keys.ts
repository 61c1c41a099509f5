/**
 * Draws key numbers by Zipf's law: key i comes with weight 1 / (i + 1)^exponent. Seeded: every run
 * has the same.
 *
 * @param keys Distinct keys; 8 bytes each.
 * @param exponent 0: all keys are equally likely.
 * @returns The next key number. O(log keys).
 */
export function zipfKeys(keys: number, exponent: number): () => number {
  const cumulative = new Float64Array(keys);
  let sum = 0;
  for (let i = 0; i < keys; i++) {
    sum += 1 / (i + 1) ** exponent;
    cumulative[i] = sum;
  }
  let state = 12345;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const at = (state / 2 ** 32) * sum;
    let low = 0;
    for (let high = keys - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
