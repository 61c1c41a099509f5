import { describe, expect, test } from "bun:test";
import { OffsetTracker } from "../../src/mark/offset-tracker.ts";
import { CompletedOffsets } from "../../src/metadata/completed-offsets.ts";
import { joinRuns } from "../../src/metadata/join-runs.ts";
import { same } from "../schedule/lanes.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";
import { bursts, independent } from "./shapes.ts";

/** Every done offset. */
function listed(base: number, runs: readonly number[]): Set<number> {
  const done = new Set<number>();
  let position = base;
  for (const [i, length] of runs.entries()) {
    if (i % 2 === 1) for (let k = 0; k < length; k++) done.add(position + k);
    position += length;
  }
  return done;
}

describe("CompletedOffsets", () => {
  for (const seed of SEEDS) {
    test(`O5: equals a plain set while offsets are delivered (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        const base = Math.floor(random() * 2) * 9_000_000_000_000;
        const runs = independent(0.3)(random, 3000);
        const completed = CompletedOffsets.fromRuns(base, runs);
        const model = listed(base, runs);
        same(completed.count, model.size);
        let position = base;
        while (position < base + 3100) {
          const next = position + Math.floor(random() * 60);
          for (let offset = position; offset < next; offset += 1 + Math.floor(random() * 3)) {
            same(completed.has(offset), model.has(offset));
          }
          // Now and then a look back, which is slower and no less true.
          const back = position + Math.floor(random() * 100);
          same(completed.has(back), model.has(back));
          position = next;
          completed.dropBelow(position);
          for (const offset of model) if (offset < position) model.delete(offset);
          same(completed.count, model.size);
        }
        same(completed.count, 0);
      });
    });
  }

  test("O5: fromRuns() ends at the log's end and joins what touches", () => {
    const completed = CompletedOffsets.fromRuns(10, [2, 3, 0, 4, 1, 100], 25);
    expect([...completed.ranges()]).toEqual([
      { from: 12, to: 19 },
      { from: 20, to: 25 },
    ]);
    same(completed.count, 12);
    same(completed.end, 25);
    same(CompletedOffsets.fromRuns(10, [2, 3], 5).count, 0);
    same(CompletedOffsets.fromRuns(10, [2, Number.NaN, 1, 4]).count, 0);
  });

  test("ranges() and dropBelow() agree inside a range", () => {
    const completed = CompletedOffsets.fromRuns(0, [1, 9, 1, 9]);
    completed.dropBelow(5);
    expect([...completed.ranges()]).toEqual([
      { from: 5, to: 10 },
      { from: 11, to: 20 },
    ]);
    same(completed.count, 14);
    same(completed.has(4), false);
    same(completed.has(5), true);
    completed.dropBelow(100);
    same(completed.has(15), false);
    same(completed.end, 0);
    same(CompletedOffsets.none().has(3), false);
  });
});

describe("joinRuns()", () => {
  for (const seed of SEEDS) {
    test(`O5: keeps what a former owner did above the position (seed ${seed})`, () => {
      withSeed(seed, (random) => {
        const shape = random() < 0.5 ? independent(0.2) : bursts(8, 0.1);
        const inheritedRuns = shape(random, 2000);
        const inherited = CompletedOffsets.fromRuns(50, inheritedRuns);
        const former = listed(50, inheritedRuns);
        const tracker = new OffsetTracker(50);
        const done = new Set<number>();
        for (let round = 0; round < 12; round++) {
          const from = tracker.nextOffset;
          const count = 1 + Math.floor(random() * 200);
          tracker.deliver(from, count, null, from + count);
          for (let offset = from; offset < from + count; offset++) {
            const isDone = inherited.has(offset) || random() < 0.3;
            if (isDone && tracker.mark(offset)) done.add(offset);
          }
          if (random() < 0.5) inherited.dropBelow(tracker.nextOffset);
          const { committable, nextOffset } = tracker;
          const joined = joinRuns(tracker.runs(), nextOffset, inherited);
          const expected = [...done, ...[...former].filter((offset) => offset >= nextOffset)];
          const open = new Set(expected.filter((offset) => offset > committable));
          const said = listed(committable, joined);
          said.delete(committable);
          same([...said].sort().join(), [...open].sort().join());
          same(
            joined.every((length, i) => length > 0 || i === 0),
            true,
          );
        }
      });
    });
  }

  test("O5: starts with an empty run where the committable offset itself is done", () => {
    const inherited = CompletedOffsets.fromRuns(10, [1, 9]);
    expect(joinRuns([], 10, inherited)).toEqual([1, 9]);
    expect(joinRuns([], 11, inherited)).toEqual([0, 9]);
    expect(joinRuns([1, 4], 15, inherited)).toEqual([1, 9]);
    expect(joinRuns([1, 4, 2], 15, inherited)).toEqual([1, 4, 2, 5]);
    expect(joinRuns([1, 4, 2], 20, inherited)).toEqual([1, 4, 2]);
    expect(joinRuns([], 15, CompletedOffsets.none())).toEqual([]);
  });
});
