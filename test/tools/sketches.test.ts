import { describe, expect, test } from "bun:test";
import { DistinctKeys } from "../../src/tools/distinct-keys.ts";
import { SpaceSaving } from "../../src/tools/space-saving.ts";
import { murmur3Text, xxh32 } from "../../src/wasm/hash.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

const encoder = new TextEncoder();

/** Key numbers, low ones often: number floor(range × u^skew). */
function drawKeys(random: () => number, count: number, range: number, skew: number): number[] {
  return Array.from({ length: count }, () => Math.floor(range * random() ** skew));
}

function countOf(keys: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function sketchOf(keys: readonly number[], capacity: number): SpaceSaving {
  const sketch = new SpaceSaving(capacity);
  for (const key of keys) {
    const bytes = encoder.encode(`key-${key}`);
    // Few different hashes: places of the table are fought for.
    sketch.add(key % 97, key, bytes, 0, bytes.length);
  }
  return sketch;
}

const numberOf = (bytes: Uint8Array): number => Number(new TextDecoder().decode(bytes).slice(4));

describe("SpaceSaving", () => {
  test.each([...SEEDS])("keeps its bounds: seed %d", (seed) => {
    withSeed(seed, (random) => {
      for (const [capacity, range, skew] of [
        [8, 1000, 4],
        [50, 5000, 3],
        [64, 64, 1],
        [200, 100_000, 1],
      ] as const) {
        const keys = drawKeys(random, 4000, range, skew);
        const truth = countOf(keys);
        const sketch = sketchOf(keys, capacity);
        const top = sketch.top(capacity);
        const bound = keys.length / capacity;
        for (const { bytes, count, error } of top) {
          const true_ = truth.get(numberOf(bytes))!;
          expect(count).toBeGreaterThanOrEqual(true_);
          expect(count - error).toBeLessThanOrEqual(true_);
          expect(error).toBeLessThanOrEqual(bound);
        }
        const watched = new Set(top.map(({ bytes }) => numberOf(bytes)));
        const frequent = [...truth].filter(([, count]) => count > bound).map(([key]) => key);
        expect(frequent.filter((key) => !watched.has(key))).toEqual([]);
        // No counter is lost or made up: counts add up to the messages.
        expect(top.reduce((sum, { count }) => sum + count, 0)).toBe(keys.length);
        expect(sketch.size).toBe(Math.min(capacity, truth.size));
        expect(sketch.exact).toBe(truth.size <= capacity);
      }
    });
  });

  test("is exact while there is a counter for each key, most frequent first", () => {
    const sketch = sketchOf([5, 3, 5, 9, 5, 3], 3);
    const top = sketch.top(2).map(({ bytes, count, error }) => [numberOf(bytes), count, error]);
    expect(top).toEqual([
      [5, 3, 0],
      [3, 2, 0],
    ]);
  });

  test("keeps the beginning of a long key, as a copy", () => {
    const sketch = new SpaceSaving(1);
    const bytes = new Uint8Array(1000).fill(65);
    sketch.add(1, 2, bytes, 10, 1000, 7);
    bytes.fill(66);
    const [key] = sketch.top(1);
    expect(key!.bytes).toEqual(new Uint8Array(256).fill(65));
    expect([key!.byteLength, key!.count]).toEqual([990, 7]);
  });
});

describe("DistinctKeys", () => {
  test.each([
    [0, 0],
    [1, 0],
    [100, 0.02],
    [5000, 0.03],
    [60_000, 0.03],
    [120_000, 0.03],
  ])("counts %d keys within %d", (count, tolerance) => {
    const keys = new DistinctKeys();
    for (let round = 0; round < 2; round++) {
      for (let key = 0; key < count; key++) {
        const bytes = encoder.encode(`k${key}`);
        keys.add(murmur3Text(`k${key}`, 1), xxh32(bytes, 0));
      }
    }
    expect(Math.abs(keys.estimate() - count)).toBeLessThanOrEqual(count * tolerance);
  });
});
