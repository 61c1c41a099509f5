import { describe, expect, test } from "bun:test";
import { LatencyHistogram, percentile } from "../src/latency-histogram.ts";

const NONE = new LatencyHistogram();

function histogramOf(values: Iterable<number>): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

/** Numbers in [0, 1), the same ones every time. */
function* random(seed: number): Generator<number, never> {
  for (let state = seed >>> 0; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe("percentile()", () => {
  test("is null without a value", () => {
    expect(percentile(0.5, NONE, new LatencyHistogram())).toBeNull();
  });

  test("is exact for one value, and for many equal ones", () => {
    for (const value of [0, 0.001, 1, 140, 99_999.5, 1e12]) {
      for (const share of [0.5, 0.99, 1]) {
        expect(percentile(share, histogramOf([value]), NONE)).toBe(value);
        expect(percentile(share, histogramOf([value, value, value]), NONE)).toBe(value);
      }
    }
  });

  test("is within 1/32 of the value of that rank, from 1/64 to 2^31", () => {
    const numbers = random(20_261_126);
    for (let round = 0; round < 20; round++) {
      const values = Array.from({ length: 500 }, () => 2 ** (numbers.next().value * 37 - 6));
      const sorted = [...values].sort((a, b) => a - b);
      // Half in each: they count as one.
      const one = histogramOf(values.slice(0, 250));
      const other = histogramOf(values.slice(250));
      for (const share of [0.001, 0.1, 0.5, 0.9, 0.99, 1]) {
        const exact = sorted[Math.min(499, Math.floor(500 * share))]!;
        const ratio = percentile(share, one, other)! / exact;
        expect(ratio).toBeGreaterThan(1 - 1 / 32);
        expect(ratio).toBeLessThan(1 + 1 / 32);
      }
    }
  });

  test("counts what is below 0 as 0, and what is above the last bucket as the greatest", () => {
    const histogram = histogramOf([-5, Number.NaN, 2 ** 40, 2 ** 41]);
    expect(histogram.least).toBe(0);
    expect(percentile(0.25, histogram, NONE)).toBe(0);
    expect(percentile(1, histogramOf([2 ** 40]), NONE)).toBe(2 ** 40);
    expect(histogram.greatest).toBe(2 ** 41);
  });
});

describe("LatencyHistogram", () => {
  test("clear() forgets everything", () => {
    const histogram = histogramOf([1, 2, 1000]);
    histogram.clear();
    expect([histogram.count, histogram.greatest]).toEqual([0, 0]);
    expect(percentile(0.5, histogram, NONE)).toBeNull();
    histogram.add(7);
    expect(percentile(0.99, histogram, NONE)).toBe(7);
  });
});
