import { describe, expect, test } from "bun:test";
import { InvariantError } from "../../src/errors.ts";
import { decodeRuns, encodeRuns } from "../../src/metadata/run-code.ts";
import { same } from "../schedule/lanes.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";
import { SHAPES } from "./shapes.ts";

const PLENTY = 1 << 20;

/** Without the open run at the end, of which a map says nothing. */
function even(runs: readonly number[]): readonly number[] {
  return runs.length % 2 === 0 ? runs : runs.slice(0, -1);
}

function doneIn(runs: readonly number[]): number {
  return runs.reduce((sum, length, i) => (i % 2 === 1 ? sum + length : sum), 0);
}

function roundTrip(runs: readonly number[]): readonly number[] | null {
  return decodeRuns(encodeRuns(runs, PLENTY).bytes);
}

describe("encodeRuns() and decodeRuns()", () => {
  for (const [name, shape] of Object.entries(SHAPES)) {
    for (const seed of SEEDS) {
      test(`O5: keep every run: ${name} (seed ${seed})`, () => {
        withSeed(seed, (random) => {
          for (const size of [1, 2, 7, 100, 5000, 40_000]) {
            const runs = even(shape(random, size));
            const encoded = encodeRuns(runs, PLENTY);
            same(decodeRuns(encoded.bytes)?.join(), runs.join());
            same(encoded.completed, doneIn(runs));
            same(encoded.truncated, false);
          }
        });
      });

      test(`O6: keep the lowest runs where room is short: ${name} (seed ${seed})`, () => {
        withSeed(seed, (random) => {
          const runs = even(shape(random, 20_000));
          const whole = encodeRuns(runs, PLENTY).bytes.length;
          let before = 0;
          for (let maxBytes = 0; maxBytes <= whole + 2; maxBytes += 1 + Math.floor(random() * 9)) {
            const { bytes, completed, truncated } = encodeRuns(runs, maxBytes);
            same(bytes.length <= maxBytes, true);
            same(truncated, maxBytes < whole);
            const kept = decodeRuns(bytes)!;
            same(kept.join(), runs.slice(0, kept.length).join());
            same(doneIn(kept), completed);
            // More room never says less.
            same(completed >= before, true);
            before = completed;
          }
        });
      });
    }
  }

  test("O5: runs of extreme lengths", () => {
    const cases = [
      [1, 1],
      [0, 1],
      [0, 5, 3, 1],
      [2 ** 31, 1],
      [1, 2 ** 31],
      [1, 2 ** 32 - 2],
      [2 ** 32 - 2, 1],
      [0, 2 ** 32 - 1],
      [1, 1, 1, 2 ** 31 - 3],
      [2 ** 30, 2 ** 30, 2 ** 30, 2 ** 30 - 1],
      ...Array.from({ length: 32 }, (_, bit) => [
        1,
        2 ** bit - (bit > 30 ? 2 : 0),
        2 ** (31 - bit),
        1,
      ]),
    ];
    for (const runs of cases) expect(roundTrip(runs)).toEqual(runs);
  });

  test("O5: what lies 2³² above the start is left out", () => {
    const encoded = encodeRuns([1, 5, 2 ** 32 - 7, 2, 1, 1], PLENTY);
    expect(decodeRuns(encoded.bytes)).toEqual([1, 5]);
    same(encoded.completed, 5);
    same(encoded.truncated, true);
    same(encodeRuns([1, 2 ** 33], PLENTY).bytes.length, 0);
  });

  test("nothing done takes no bytes", () => {
    for (const runs of [[], [7]]) {
      expect(encodeRuns(runs, PLENTY)).toEqual({
        bytes: new Uint8Array(0),
        completed: 0,
        truncated: false,
      });
    }
    expect(decodeRuns(new Uint8Array(0))).toEqual([]);
  });

  test("encodeRuns() refuses an empty run, which would swap done and not done", () => {
    expect(() => encodeRuns([1, 0, 1, 5], PLENTY)).toThrow(InvariantError);
    expect(() => encodeRuns([1, 3, 0, 5], PLENTY)).toThrow(InvariantError);
    expect(() => encodeRuns([-1, 3], PLENTY)).toThrow(InvariantError);
  });

  test("decodeRuns() takes any bytes, and spans less than 2³²", () => {
    for (const seed of SEEDS) {
      withSeed(seed, (random) => {
        for (let round = 0; round < 3000; round++) {
          const length = Math.floor(random() * 40);
          const bytes = Uint8Array.from({ length }, () =>
            random() < 0.3 ? 255 : Math.floor(random() * 256),
          );
          const runs = decodeRuns(bytes);
          if (runs === null) continue;
          same(runs.length % 2, 0);
          same(
            runs.every((run, i) => Number.isInteger(run) && run >= (i === 0 ? 0 : 1)),
            true,
          );
          same(runs.reduce((sum, run) => sum + run, 0) < 2 ** 32, true);
        }
      });
    }
  });
});
