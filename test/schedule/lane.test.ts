import { describe, test } from "bun:test";
import { Lane } from "../../src/lane.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";
import { batchOf, same } from "./lanes.ts";

describe("Lane", () => {
  for (const seed of SEEDS) {
    test(`D4: is a FIFO of messages, whatever runs they came in (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        const lane = new Lane(3);
        const model: number[] = [];
        let next = 0;
        for (let step = 0; step < 2000; step++) {
          if (random() < 0.3) {
            const size = 1 + Math.floor(random() * 20);
            const batch = batchOf(Array.from({ length: size }, () => next++));
            // A lane gets one run of a batch's order, not all of it.
            const start = Math.floor(random() * size);
            const end = start + 1 + Math.floor(random() * (size - start));
            lane.add(batch, start, end);
            for (let i = start; i < end; i++) model.push(batch.offsetAt(i));
          } else if (model.length > 0) {
            same(lane.firstOffset, model[0]);
            lane.shift();
            model.shift();
          }
          same(lane.length, model.length);
          const peeked: number[] = [];
          const count = Math.floor(random() * 30);
          lane.peek(Math.min(count, lane.length), (batch, index) =>
            peeked.push(batch.offsetAt(index)),
          );
          same(String(peeked), String(model.slice(0, count)));
        }
      });
    });
  }
});
