import { describe, expect, test } from "bun:test";
import { analyzeDistribution } from "../../src/tools/analyze-distribution.ts";
import type { DistributionReport } from "../../src/tools/distribution-report.ts";
import { balancedBound, severityOf } from "../../src/tools/verdicts.ts";

const headline = ({ verdicts }: DistributionReport): [string, string] => {
  return [verdicts[0].code, verdicts[0].message];
};
const codes = ({ verdicts }: DistributionReport): string[] => verdicts.map(({ code }) => code);
const numbered = (count: number): string[] => Array.from({ length: count }, (_, at) => `k${at}`);
const times = (count: number, key: string | null): (string | null)[] =>
  Array.from({ length: count }, () => key);

describe("verdicts", () => {
  test("insufficient-data below 100 messages per partition", () => {
    expect(codes(analyzeDistribution({ counts: [100, 99] }))).toContain("insufficient-data");
    expect(codes(analyzeDistribution({ counts: [100, 100] }))).toEqual(["balanced"]);
    const [code, message] = headline(analyzeDistribution({ counts: [30, 20] }));
    expect([code, message]).toEqual([
      "insufficient-data",
      "too few messages to judge: 50 for 2 partitions; take at least 200",
    ]);
  });

  test("balanced up to 1.25 times the mean", () => {
    expect(headline(analyzeDistribution({ counts: [1250, 750] }))).toEqual([
      "balanced",
      "balanced: the busiest partition has 1.25 × the mean; nothing to do",
    ]);
    expect(codes(analyzeDistribution({ counts: [1251, 749] }))).toEqual(["skewed"]);
    expect(headline(analyzeDistribution({ counts: [500] }))[1]).toContain("nothing to balance");
  });

  test("balanced up to what chance does with few keys: 1 + √(2 ln N · N / K), at most 2", () => {
    expect(balancedBound(10, 1000)).toBe(1.25);
    expect(balancedBound(10, 100)).toBeCloseTo(1 + Math.sqrt((2 * Math.log(10) * 10) / 100), 12);
    expect(balancedBound(10, 5)).toBe(2);
    const counts = [160, 60, 80, 100];
    expect(codes(analyzeDistribution({ counts, keys: 40 }))).toEqual(["skewed"]);
    expect(codes(analyzeDistribution({ counts, keys: 30 }))).toEqual([
      "balanced",
      "low-cardinality",
    ]);
  });

  test("all-one-partition, with what the keys are", () => {
    const counts = [0, 600, 0];
    const message = "all messages are in partition 1 of 3 (2 are empty): ";
    expect(headline(analyzeDistribution({ counts }))).toEqual([
      "all-one-partition",
      `${message}look at their keys`,
    ]);
    const of = (keys: Iterable<string | null>): string =>
      headline(analyzeDistribution({ counts, keys }))[1];
    expect(of(times(600, "a"))).toBe(`${message}they have one key, so take a finer one or salt it`);
    expect(of(times(600, null))).toBe(`${message}none has a key, so give them keys`);
    expect(of(numbered(600))).toBe(`${message}their keys differ, so look at the partitioner`);
  });

  test("hot-key above 1 / N of the messages, with the next step", () => {
    const sample = [...times(620, "x"), ...numbered(380)];
    const report = analyzeDistribution({ sample, partitions: 5, placement: "murmur2" });
    expect(report.verdicts[0]).toEqual({
      code: "hot-key",
      message: "hot key `x` has 62 %: salt it 5 ways or use per-key",
      key: "x",
      share: 0.62,
      salts: 5,
    });
    const eight = analyzeDistribution({
      sample: [...times(300, "x"), ...numbered(700)],
      partitions: 8,
    });
    expect(eight.verdicts[0]).toMatchObject({ code: "hot-key", salts: 4 });
    const perKey = analyzeDistribution({ sample, partitions: 5, distribution: "per-key" });
    expect(perKey.verdicts[0].message).toContain("wait for each other whatever is chosen");
  });

  test("low-cardinality below 10 keys per partition", () => {
    const sample = numbered(2000).map((_, at) => `k${at % 12}`);
    const report = analyzeDistribution({ sample, partitions: 10, placement: "murmur2" });
    expect(codes(report)).toContain("low-cardinality");
    const message = report.verdicts.find(({ code }) => code === "low-cardinality")!.message;
    expect(message).toContain(
      "12 different keys for 10 partitions: hashing is even from 100 keys on",
    );
  });

  test("hash-artefact when another hash of the same keys is inside the bound", () => {
    const sample = numbered(4000);
    const report = analyzeDistribution({
      sample,
      partitions: 4,
      reducer: (key) => (Number((key as string).slice(1)) % 16 === 0 ? 1 : 2),
    });
    expect(codes(report)).toEqual(["hash-artefact"]);
    expect(report.verdicts[0].message).toContain("so choose that reducer");
  });

  test("key-moved and no-key, behind the others", () => {
    const moved = numbered(1000).flatMap((key) => [
      { key, partition: 0 },
      { key, partition: 1 },
    ]);
    const report = analyzeDistribution({ sample: moved, partitions: 2, placement: "recorded" });
    expect(codes(report)).toEqual(["balanced", "key-moved"]);
    expect(report.verdicts[1]?.message).toContain(
      "100 % of the keys lie in more than one partition",
    );
    const keyless = [...times(600, null), ...numbered(1400)];
    const virtual = analyzeDistribution({ sample: keyless, partitions: 10 });
    expect(codes(virtual)).toEqual(["no-key"]);
    expect(virtual.verdicts[0].message).toBe(
      '30 % of the messages have no key: they count as one key, so give them keys or use `byKey({ missing: "spread" })`',
    );
    const spread = analyzeDistribution({ sample: keyless, partitions: 10, placement: "murmur2" });
    expect(codes(spread)).toEqual(["balanced", "no-key"]);
  });

  test("skewed when nothing else explains it", () => {
    expect(headline(analyzeDistribution({ counts: [900, 50, 30, 20], keys: 500 }))).toEqual([
      "skewed",
      "partition 0 has 3.60 × the mean and no single key is the reason: several frequent keys " +
        "meet there, so try another count, balanced or per-key",
    ]);
  });

  test.each([
    [1, "ok"],
    [1.25, "ok"],
    [1.26, "watch"],
    [2, "watch"],
    [2.01, "warn"],
    [3, "warn"],
    [3.01, "critical"],
  ])("severity of an imbalance of %d is %s", (imbalance, severity) => {
    expect(severityOf(imbalance)).toBe(severity as never);
  });
});
