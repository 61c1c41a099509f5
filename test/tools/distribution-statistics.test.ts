import { describe, expect, test } from "bun:test";
import { distributionStatistics } from "../../src/tools/distribution-statistics.ts";

const rounded = (value: number): number => Number(value.toFixed(4));

describe("distributionStatistics()", () => {
  const vectors: [counts: number[], ...statistics: number[]][] = [
    [[100, 100, 100, 100], 1, 0, 4, 1, 0, 0],
    [[900, 50, 30, 20], 3.6, 1.5017, 1.2288, 0.3088, 0.665, 0],
    [[600, 0, 0, 0, 0, 0], 6, 2.2361, 1, 0, 0.8333, 5],
    [[7], 1, 0, 1, 1, 0, 0],
  ];
  test.each(vectors)("of %j", (counts, ...expected) => {
    const { imbalance, cv, effective, entropy, gini, empty } = distributionStatistics(counts);
    const found = [imbalance, cv, effective, entropy, gini, empty].map(rounded);
    expect(found).toEqual(expected);
  });

  test("does not depend on the order of the counts, and not on their unit", () => {
    const one = distributionStatistics([5, 1, 0, 3]);
    const other = distributionStatistics([0, 300, 500, 100]);
    for (const name of Object.keys(one) as (keyof typeof one)[]) {
      expect(other[name]).toBeCloseTo(one[name], 12);
    }
  });
});
