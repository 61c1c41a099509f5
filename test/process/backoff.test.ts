import { describe, expect, test } from "bun:test";
import { backoffDelayMs } from "../../src/process/backoff.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

const retry = { backoffMs: 1000, maxBackoffMs: 30_000, multiplier: 2, jitter: 0 };

describe("backoffDelayMs", () => {
  test("E5: grows by the multiplier from the first failure on, and is capped", () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 5000].map((failures) => backoffDelayMs(retry, failures));
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test("E5: multiplier 1 stays where it is", () => {
    expect(backoffDelayMs({ ...retry, multiplier: 1 }, 50)).toBe(1000);
  });

  for (const seed of SEEDS) {
    test(`E5: jitter takes off its share at most, never adds (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        for (let failures = 1; failures < 40; failures++) {
          const jitter = random();
          const full = backoffDelayMs(retry, failures);
          const delay = backoffDelayMs({ ...retry, jitter }, failures, random);
          expect(delay).toBeLessThanOrEqual(full);
          expect(delay).toBeGreaterThanOrEqual(full * (1 - jitter));
        }
      });
    });
  }
});
