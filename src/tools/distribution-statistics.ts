/** How even some counts are. */
export interface DistributionStatistics {
  /** Busiest partition against the mean: max × N / total. 1 is perfect, N is everything in one. */
  readonly imbalance: number;
  /** Population standard deviation / mean. */
  readonly cv: number;
  /** Equally busy partitions that would be as uneven: 1 / Σ share². */
  readonly effective: number;
  /** −Σ p ln p / ln N, in [0, 1]: 1 is even. 1 for one partition. */
  readonly entropy: number;
  /** Gini coefficient of the shares, in [0, 1): 0 is even. */
  readonly gini: number;
  /** Partitions without messages. */
  readonly empty: number;
}

/**
 * Statistics of counts per partition. O(N log N).
 *
 * @param counts At least one, none negative, not all 0.
 */
export function distributionStatistics(counts: readonly number[]): DistributionStatistics {
  const partitions = counts.length;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const mean = total / partitions;
  let [max, empty, squares, deviations, information] = [0, 0, 0, 0, 0];
  for (const count of counts) {
    const share = count / total;
    if (count > max) max = count;
    if (count === 0) empty++;
    else information -= share * Math.log(share);
    squares += share * share;
    deviations += (count - mean) ** 2;
  }
  return {
    imbalance: (max * partitions) / total,
    cv: Math.sqrt(deviations / partitions) / mean,
    effective: 1 / squares,
    entropy: partitions === 1 ? 1 : information / Math.log(partitions),
    gini: giniOf(counts, total),
    empty,
  };
}

/** With shares in ascending order: 2 Σ rank × share / N − (N + 1) / N, ranks from 1. */
function giniOf(counts: readonly number[], total: number): number {
  const partitions = counts.length;
  const sorted = Float64Array.from(counts).sort();
  const ranked = sorted.reduce((sum, count, at) => sum + (at + 1) * count, 0);
  // Rounding can leave a tiny negative number behind where all are equal.
  return Math.max(0, (2 * ranked) / (partitions * total) - (partitions + 1) / partitions);
}
