import { describe, expect, test } from "bun:test";
import type { Lane } from "../../src/lane.ts";
import { ReadyLanes } from "../../src/schedule/ready-lanes.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";
import { laneOf, same } from "./lanes.ts";

describe("ReadyLanes", () => {
  for (const seed of SEEDS) {
    test(`D7: pop() gives the lane with the lowest first offset (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        const ready = new ReadyLanes();
        const model: Lane[] = [];
        let next = 0;
        const returned: number[] = [];
        for (let step = 0; step < 5_000; step++) {
          if (random() < 0.52) {
            // New lanes come in ascending order; others come back with an older message.
            next += 1 + Math.floor(random() * 3);
            const old = random() < 0.3 && returned.length > 0;
            const offset = old
              ? returned.splice(Math.floor(random() * returned.length), 1)[0]!
              : next;
            const lane = laneOf([offset], step);
            ready.push(lane);
            same(lane.ready, true);
            model.push(lane);
            model.sort((a, b) => a.firstOffset - b.firstOffset);
          } else {
            const expected = model.shift();
            same(ready.peek(), expected as Lane);
            const lane = ready.pop();
            same(lane, expected as Lane);
            if (lane !== undefined) {
              same(lane.ready, false);
              if (random() < 0.5) returned.push(lane.firstOffset);
            }
          }
          same(ready.size, model.length);
          if (model.length > 200) model.length = drain(ready, model);
        }
      });
    });
  }
});

/** Empties both, comparing. */
function drain(ready: ReadyLanes, model: readonly Lane[]): 0 {
  for (const expected of model) same(ready.pop(), expected);
  expect(ready.pop()).toBeUndefined();
  return 0;
}
