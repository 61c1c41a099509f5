import { describe, expect, test } from "bun:test";
import { HandedMessages } from "../../src/mark/handed-messages.ts";
import { Results } from "../../src/mark/results.ts";
import { same } from "../schedule/lanes.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

describe("HandedMessages", () => {
  for (const seed of SEEDS) {
    test(`O2: takeThrough() takes a lane's offsets up to one, in order (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        const handed = new HandedMessages();
        const model = new Map<number, number[]>();
        for (let offset = 0; offset < 2000; offset++) {
          const lane = Math.floor(random() * 8) - 1;
          handed.add(lane, offset);
          model.set(lane, [...(model.get(lane) ?? []), offset]);
          if (random() < 0.3) {
            const from = Math.floor(random() * 8) - 1;
            const through = Math.floor(random() * (offset + 10));
            const got: number[] = [];
            handed.takeThrough(from, through, (one) => got.push(one));
            const all = model.get(from) ?? [];
            same(String(got), String(all.filter((one) => one <= through)));
            model.set(
              from,
              all.filter((one) => one > through),
            );
          }
        }
      });
    });
  }
});

describe("Results", () => {
  test("H6: apply() hands over everything at once, nothing twice, and not without need", () => {
    const got: number[][] = [];
    let bytes = 0;
    const results = new Results((collected) => {
      got.push([...collected.offsets.subarray(0, collected.count)]);
      bytes += collected.bytes;
    });
    results.apply();
    expect(got).toEqual([]);
    for (let i = 0; i < 10_000; i++) results.add(i, 2);
    results.apply();
    results.apply();
    expect(got.flat()).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    expect(got.length).toBeLessThanOrEqual(4);
    expect(bytes).toBe(20_000);
  });
});
