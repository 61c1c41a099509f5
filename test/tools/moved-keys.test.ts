import { describe, expect, test } from "bun:test";
import { MovedKeys, movedKeyShare } from "../../src/tools/moved-keys.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

describe("movedKeyShare()", () => {
  test.each([
    [3, 5, 0.8],
    [6, 12, 0.5],
    [5, 5, 0],
    [12, 6, 0.5],
    [1, 4, 0.75],
  ])("of %d to %d is %d", (from, to, share) => {
    expect(movedKeyShare(from, to)).toBeCloseTo(share, 12);
  });

  test("is the share of the remainders that differ", () => {
    for (const [from, to] of [
      [4, 6],
      [7, 9],
      [10, 15],
    ] as const) {
      const hashes = Array.from({ length: from * to }, (_, hash) => hash);
      const moved = hashes.filter((hash) => hash % from !== hash % to).length;
      expect(movedKeyShare(from, to)).toBeCloseTo(moved / hashes.length, 12);
    }
  });

  test("refuses what is no count", () => {
    const message = "Cannot foretell which keys move as to must be from 1 to 1000000: received 0";
    expect(() => movedKeyShare(3, 0)).toThrow(message);
    expect(() => movedKeyShare(3, undefined as never)).toThrow("to must be a number");
  });
});

describe("MovedKeys", () => {
  test("is exact for few keys", () => {
    const moved = new MovedKeys();
    for (const [id, partition] of [
      [1, 0],
      [2, 1],
      [1, 0],
      [3, 2],
      [4, 0],
      [3, 1],
      [3, 2],
    ] as const) {
      moved.add(id, partition);
    }
    expect(moved.share()).toBe(1 / 4);
    expect(new MovedKeys().share()).toBe(0);
  });

  test.each([...SEEDS])("estimates the share of many keys: seed %d", (seed) => {
    withSeed(seed, (random) => {
      const keys = Array.from({ length: 20_000 }, () => Math.floor(random() * 2 ** 53));
      const moved = new MovedKeys();
      for (const key of keys) moved.add(key, key % 3);
      // A fifth of them comes again, elsewhere.
      for (const [at, key] of keys.entries()) moved.add(key, (key + (at % 5 === 0 ? 1 : 0)) % 3);
      // Five standard errors of a sample of 1024.
      expect(Math.abs(moved.share() - 0.2)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / 1024));
    });
  });
});
