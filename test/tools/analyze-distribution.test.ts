import { describe, expect, test } from "bun:test";
import { byHeader, messagesKey, modulo, multiplyShift } from "../../src/index.ts";
import type { Placement, SampleKey } from "../../src/tools/analysis-options.ts";
import { analyzeDistribution, DistributionAnalysis } from "../../src/tools/analyze-distribution.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

function countsOf(partitions: number, places: readonly number[]): number[] {
  const counts = Array.from({ length: partitions }, () => 0);
  for (const place of places) counts[place]!++;
  return counts;
}

const keys = Array.from({ length: 3000 }, (_, at) => `user-${(at * 7919) % 700}`);

describe("analyzeDistribution({ counts })", () => {
  test("gives statistics, a verdict and plain data", () => {
    const report = analyzeDistribution({ counts: [900, 50, 30, 20] });
    expect(report.imbalance).toBeCloseTo(3.6, 12);
    expect(report.severity).toBe("critical");
    expect([report.total, report.verdict, report.keys]).toEqual([1000, "skewed", null]);
    expect(report.verdict).toBe(report.verdicts[0].code);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  test("takes keys as a number, one by one, or as pairs", () => {
    const counts = [620, 200, 180];
    const pairs: [string, number][] = [
      ["x", 620],
      ...keys.slice(0, 380).map((key) => [key, 1] as [string, number]),
    ];
    const single = pairs.flatMap(([key, count]) => Array.from({ length: count }, () => key));
    const record = Object.fromEntries(pairs);
    for (const given of [pairs, new Map(pairs), single, record]) {
      const report = analyzeDistribution({ counts, keys: given });
      expect(report.hotKeys[0]).toEqual({ key: "x", count: 620, error: 0, share: 0.62 });
      expect(report.keys).toEqual({
        distinct: 381,
        exact: true,
        withoutKey: 0,
        maxError: 0,
        movedShare: null,
      });
      expect(report.verdict).toBe("hot-key");
    }
    expect(analyzeDistribution({ counts, keys: 5 }).keys?.distinct).toBe(5);
  });
});

describe("analyzeDistribution({ sample })", () => {
  test("places as consumers do, by default", () => {
    const report = analyzeDistribution({ sample: keys, partitions: 9 });
    expect(report.counts).toEqual(
      countsOf(
        9,
        keys.map((key) => multiplyShift(key, 9)),
      ),
    );
    expect([report.placement, report.distribution]).toEqual(["virtual", "consistent"]);
  });

  test.each(["murmur2", "murmur3", "xxh32"] as const)(
    "places by %s as producers do",
    (placement) => {
      const strategy = messagesKey(placement);
      const places = keys.map((key) =>
        strategy.calculatePartitionId("t", { topic: "t", key, value: null }, 11),
      );
      const report = analyzeDistribution({ sample: keys, partitions: 11, placement });
      expect(report.counts).toEqual(countsOf(11, places));
      expect([report.distribution, report.prediction]).toEqual([null, null]);
    },
  );

  test("counts the partitions that messages tell", () => {
    const sample = keys.map((key, at) => ({ key, partition: at % 3 }));
    const report = analyzeDistribution({ sample, partitions: 3, placement: "recorded" });
    expect(report.counts).toEqual([1000, 1000, 1000]);
    expect(report.keys?.movedShare).toBeGreaterThan(0.9);
    expect(report.verdicts.map(({ code }) => code)).toContain("key-moved");
  });

  test("uses a partitioner and a reducer", () => {
    const sample = keys.map((key) => ({ name: key, key: "same" }));
    const report = analyzeDistribution({
      sample,
      partitions: 8,
      partitioner: ({ name }) => name,
      reducer: (key, count) => (key as string).length % count,
    });
    expect(report.counts).toEqual(
      countsOf(
        8,
        keys.map((key) => key.length % 8),
      ),
    );
    expect(report.verdict).toBe("hash-artefact");
  });

  test("takes messages of headrace and its partitioners", () => {
    const headers = { get: (name: string) => new TextEncoder().encode(`${name}!`) };
    const message = { key: null, headers } as never;
    const report = analyzeDistribution({
      sample: Array.from({ length: 500 }, () => message),
      partitions: 3,
      partitioner: byHeader("tenant"),
    });
    expect(report.hotKeys[0]?.key).toBe("tenant!");
  });

  test("treats text and its bytes as one key, and tells numbers, no key and the empty key apart", () => {
    const sample: SampleKey[] = [
      "é",
      new TextEncoder().encode("é"),
      5,
      5n,
      "5",
      "",
      null,
      undefined,
    ];
    const report = analyzeDistribution({ sample, partitions: 2 });
    expect(report.hotKeys.map(({ key, count }) => [key, count])).toEqual([
      ["5", 3],
      ["é", 2],
      ["", 1],
    ]);
    expect(report.keys).toMatchObject({ distinct: 3, exact: true, withoutKey: 2 });
  });

  test("tells binary and long keys as they are", () => {
    const sample = [new Uint8Array([0xff, 0x00, 0x80]), "x".repeat(5000), `${"y".repeat(255)}é`];
    const [binary, ...long] = analyzeDistribution({ sample, partitions: 1 }).hotKeys;
    const told = [binary!, ...long].map(({ key, keyBase64, keyBytes }) => ({
      key,
      keyBase64,
      keyBytes,
    }));
    expect(told).toContainEqual({ key: null, keyBase64: "/wCA", keyBytes: undefined });
    expect(told).toContainEqual({ key: "x".repeat(256), keyBase64: undefined, keyBytes: 5000 });
    expect(told).toContainEqual({ key: "y".repeat(255), keyBase64: undefined, keyBytes: 257 });
  });

  test("keeps messages without a key together in virtual partitions, and spreads them elsewhere", () => {
    const sample = Array.from({ length: 100 }, () => null);
    const virtual = analyzeDistribution({ sample, partitions: 4 });
    expect(virtual.counts.filter((count) => count > 0)).toEqual([100]);
    const spread = analyzeDistribution({ sample, partitions: 4, placement: "murmur2" });
    expect(spread.counts).toEqual([25, 25, 25, 25]);
  });

  test.each(["balanced", "per-key"] as const)(
    "counts what %s gives each virtual partition",
    (distribution) => {
      const hot = Array.from({ length: 3000 }, (_, at) => (at % 2 === 0 ? "hot" : `k${at}`));
      const fixed = analyzeDistribution({ sample: hot, partitions: 4 });
      const report = analyzeDistribution({
        sample: hot,
        partitions: 4,
        distribution,
        batchSize: 200,
      });
      expect(report.counts.reduce((sum, count) => sum + count, 0)).toBe(3000);
      expect(report.imbalance).toBeLessThanOrEqual(fixed.imbalance);
      expect(report.otherHashes).toEqual([]);
    },
  );

  test("says how balanced the same keys are with other hashes", () => {
    const kafka = (key: string): number =>
      messagesKey().calculatePartitionId("t", { topic: "t", key, value: null }, 8);
    // What one partition of a topic holds: all keys agree on murmur2 modulo 8.
    const sample = Array.from({ length: 40_000 }, (_, at) => `k${at}`).filter(
      (key) => kafka(key) === 3,
    );
    const reducer = modulo((bytes) => kafka(new TextDecoder().decode(bytes)));
    const report = analyzeDistribution({ sample, partitions: 8, reducer });
    expect(report.verdict).toBe("all-one-partition");
    expect(report.verdicts.map(({ code }) => code)).toEqual(["all-one-partition", "hash-artefact"]);
    expect(report.verdicts[1]?.hash).not.toBe("murmur2");
    expect(
      report.otherHashes.find(({ hash }) => hash === "multiply-shift")!.imbalance,
    ).toBeLessThan(1.25);
  });

  test.each([...SEEDS])("finds hot keys among many, within the bound: seed %d", (seed) => {
    withSeed(seed, (random) => {
      const analysis = new DistributionAnalysis<number>({ partitions: 20, placement: "murmur2" });
      const truth = new Map([
        [-1, 0],
        [-2, 0],
      ]);
      for (let at = 0; at < 20_000; at++) {
        const draw = random();
        const key = draw < 0.3 ? -1 : draw < 0.36 ? -2 : Math.floor(random() * 1e9);
        if (key < 0) truth.set(key, truth.get(key)! + 1);
        analysis.add(key);
      }
      const report = analysis.report();
      expect(report.hotKeys.slice(0, 2).map(({ key }) => key)).toEqual(["-1", "-2"]);
      for (const [at, key] of [-1, -2].entries()) {
        const { count, error } = report.hotKeys[at]!;
        expect(count).toBeGreaterThanOrEqual(truth.get(key)!);
        expect(count - error).toBeLessThanOrEqual(truth.get(key)!);
        expect(error).toBeLessThanOrEqual(report.keys!.maxError);
      }
      expect(report.keys!.exact).toBe(false);
      expect(report.keys!.distinct / (20_000 * 0.64)).toBeGreaterThan(0.95);
      expect(report.keys!.distinct / (20_000 * 0.64)).toBeLessThan(1.05);
    });
  });

  test("stays the same when it is asked twice, and takes nothing afterwards", () => {
    const analysis = new DistributionAnalysis({ partitions: 2 });
    analysis.add("a");
    expect(analysis.messages).toBe(1);
    expect(analysis.report()).toBe(analysis.report());
    expect(() => analysis.add("b")).toThrow(
      "Cannot analyze a distribution as messages come before",
    );
  });
});

describe("analyzeDistribution() predicts", () => {
  const speed = (sample: readonly string[], handlerMs = 10): Record<string, number> => {
    const { prediction } = analyzeDistribution({
      sample,
      partitions: 10,
      batchSize: 500,
      handlerMs,
    });
    return Object.fromEntries(
      prediction!.distributions.map(({ distribution, speedUp }) => [distribution, speedUp]),
    );
  };

  test("full speed for even keys, less for consistent than for the others", () => {
    const even = speed(Array.from({ length: 5000 }, (_, at) => `k${at}`));
    expect(even["per-key"]).toBeCloseTo(10, 1);
    expect(even.balanced).toBeGreaterThan(9.9);
    expect(even.consistent).toBeGreaterThan(7);
    expect(even.consistent).toBeLessThan(even.balanced!);
  });

  test("no more than the hottest key allows, and what overhead allows", () => {
    const hot = Array.from({ length: 5000 }, (_, at) => (at % 2 === 0 ? "hot" : `k${at}`));
    for (const speedUp of Object.values(speed(hot))) expect(speedUp).toBeLessThanOrEqual(2.01);
    const quick = speed(
      Array.from({ length: 5000 }, (_, at) => `k${at}`),
      0.001,
    );
    for (const speedUp of Object.values(quick)) expect(speedUp).toBeLessThan(1.3);
  });

  test("and chooses per-key where one key is hot: the others need not wait behind it", () => {
    const hot = Array.from({ length: 4000 }, (_, at) => (at % 2 === 0 ? "hot" : `k${at}`));
    const { prediction } = analyzeDistribution({ sample: hot, partitions: 10 });
    expect(prediction).toMatchObject({
      choose: "per-key",
      reason: "as fast as the others, and no key waits behind the hot one",
    });
  });

  test("and chooses the simplest that is nearly the fastest", () => {
    const sample = Array.from({ length: 4000 }, (_, at) => `k${at}`);
    const choose = (batchSize: number): string =>
      analyzeDistribution({ sample, partitions: 10, batchSize }).prediction!.choose;
    // A lane that chance leaves empty is refilled soon where much is polled.
    expect([choose(2000), choose(30)]).toEqual(["consistent", "balanced"]);
  });
});

describe("analyzeDistribution() refuses", () => {
  const cases: [string, unknown, string][] = [
    ["nothing", undefined, "input must be an object: received undefined"],
    ["neither", {}, 'one of counts and sample is given: received "none"'],
    ["both", { counts: [1], sample: [] }, 'one of counts and sample is given: received "both"'],
    [
      "no counts",
      { counts: [] },
      "counts must be of 1 to 65536 partitions: received an array of 0",
    ],
    ["counts of nothing", { counts: [0, 0] }, "there must be messages: received 0"],
    [
      "a negative count",
      { counts: [5, -1] },
      "counts[1] must be from 0 to 9007199254740991: received -1",
    ],
    ["NaN", { counts: [Number.NaN] }, "counts[0] must be from 0 to 9007199254740991: received NaN"],
    ["a hole", { counts: [undefined] }, "counts[0] must be a number: received undefined"],
    ["half a message", { counts: [0.5] }, "counts[0] must be an integer: received 0.5"],
    ["a text", { counts: "12" }, 'counts must be an array: received "12"'],
    ["no keys", { counts: [1], keys: 0 }, "keys must be from 1"],
    ["wrong keys", { counts: [1], keys: "abc" }, "keys must be a number, keys, or pairs"],
    ["a wrong pair", { counts: [1], keys: [["a", -1]] }, "messages of keys[0] must be from 1"],
    ["a wrong name", { counts: [1], key: 5 }, 'input has no option "key"'],
    ["an empty sample", { sample: [], partitions: 3 }, "there must be messages: received 0"],
    [
      "a text as sample",
      { sample: "abc", partitions: 3 },
      "sample must be an iterable of messages",
    ],
    [
      "no iterable",
      { sample: 5, partitions: 3 },
      "sample must be an iterable of messages: received 5",
    ],
    ["no partitions", { sample: [] }, "partitions must be a number: received undefined"],
    [
      "0 partitions",
      { sample: [], partitions: 0 },
      "partitions must be from 1 to 65536: received 0",
    ],
    [
      "a wrong placement",
      { sample: [], partitions: 1, placement: "md5" },
      "placement must be one of",
    ],
    [
      "a reducer where a hash places",
      { sample: [], partitions: 1, placement: "murmur2", reducer: multiplyShift },
      'reducer works with placement "virtual" only: received "murmur2"',
    ],
    [
      "a reducer where it is not asked",
      { sample: [], partitions: 1, distribution: "balanced", reducer: multiplyShift },
      'reducer works with distribution "consistent" only: received "balanced"',
    ],
    [
      "a wrong distribution",
      { sample: [], partitions: 1, distribution: "fair" },
      "distribution must be",
    ],
    ["batches of 0", { sample: [], partitions: 1, batchSize: 0 }, "batchSize must be from 1"],
    ["a handler of 0 ms", { sample: [], partitions: 1, handlerMs: 0 }, "handlerMs must be from"],
    [
      "a wrong key",
      { sample: ["a", true], partitions: 1 },
      "the key of message 1 must be string, number",
    ],
    [
      "a partition that is not there",
      { sample: [{ key: "a", partition: 3 }], partitions: 3, placement: "recorded" },
      "a message must lie in a partition from 0 to 2: received 3",
    ],
    [
      "a message that does not say where it lies",
      { sample: ["a"], partitions: 3, placement: "recorded" },
      "a message must lie in a partition from 0 to 2: received undefined",
    ],
    [
      "an answer of a reducer",
      { sample: ["a"], partitions: 3, reducer: () => 1.5 },
      "a reducer must return from 0 to 2: received 1.5",
    ],
    [
      "an option that is none",
      { sample: [], partitions: 3, placemnt: 1 },
      'has no option "placemnt"',
    ],
  ];
  test.each(cases)("%s", (_name, input, message) => {
    const analyze = (): unknown => analyzeDistribution(input as never);
    expect(analyze).toThrow("Cannot analyze a distribution as ");
    expect(analyze).toThrow(message);
  });

  test("what a partitioner throws, as it is", () => {
    const partitioner = (): string => {
      throw new Error("no tenant");
    };
    const analyze = (): unknown =>
      analyzeDistribution({ sample: ["a"], partitions: 1, partitioner });
    expect(analyze).toThrow("no tenant");
  });
});

test("a placement is one of five", () => {
  const all: Placement[] = ["virtual", "recorded", "murmur2", "murmur3", "xxh32"];
  const sample = [{ key: "a", partition: 0 }];
  for (const placement of all) {
    expect(analyzeDistribution({ sample, partitions: 1, placement }).placement).toBe(placement);
  }
});
