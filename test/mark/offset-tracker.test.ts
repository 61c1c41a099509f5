import { describe, expect, test } from "bun:test";
import { InvariantError } from "../../src/errors.ts";
import { OffsetTracker } from "../../src/mark/offset-tracker.ts";
import { same } from "../schedule/lanes.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

/** The plain model: open offsets in a set. */
class Model {
  readonly open = new Set<number>();
  nextOffset: number;
  constructor(startOffset: number) {
    this.nextOffset = startOffset;
  }
  get committable(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const offset of this.open) lowest = Math.min(lowest, offset);
    return this.open.size === 0 ? this.nextOffset : lowest;
  }
  /** From one open offset to the next. */
  runs(): number[] {
    const runs: number[] = [];
    let end = this.committable;
    for (const offset of [...this.open].sort((a, b) => a - b)) {
      if (offset > end) runs.push(offset - end);
      if (offset === end && runs.length > 0) runs[runs.length - 1]!++;
      else runs.push(1);
      end = offset + 1;
    }
    if (this.nextOffset > end) runs.push(this.nextOffset - end);
    return runs;
  }
}

/** How far offsets jump between records, by shape. */
const GAPS: Record<string, (random: () => number) => number> = {
  dense: () => 1,
  gaps: (random) => 1 + Math.floor(random() * random() * 50),
  pages: (random) => (random() < 0.1 ? 1000 + Math.floor(random() * 5000) : 1),
  "huge jumps": (random) => (random() < 0.02 ? Math.floor(random() * 2 ** 22) + 1 : 1),
};

describe("OffsetTracker", () => {
  for (const [shape, gap] of Object.entries(GAPS)) {
    for (const seed of SEEDS) {
      test(`O3: equals a plain set model: ${shape} (seed ${seed})`, () => {
        withSeed(seed, (random) => {
          const start = Math.floor(random() * 3) * 1_234_567_890_123;
          const tracker = new OffsetTracker(start);
          const model = new Model(start);
          const open: number[] = [];
          for (let step = 0; step < 300; step++) {
            if (random() < 0.4) {
              deliver(tracker, model, open, random, gap);
            } else {
              const marks = Math.floor(random() * 120);
              for (let i = 0; i < marks && open.length > 0; i++) {
                // Mostly the oldest, so that pages empty and the list is trimmed.
                const at = Math.floor(random() ** 3 * open.length);
                const [offset] = open.splice(at, 1);
                same(tracker.mark(offset!), true);
                same(tracker.mark(offset!), false);
                model.open.delete(offset!);
              }
            }
            same(tracker.openCount, model.open.size);
            same(tracker.nextOffset, model.nextOffset);
            same(tracker.committable, model.committable);
            same(tracker.runs().join(), model.runs().join());
            const probe = model.nextOffset - Math.floor(random() * 3000);
            if (probe >= 0) same(tracker.isOpen(probe), model.open.has(probe));
            if (probe >= 0 && !model.open.has(probe)) same(tracker.mark(probe), false);
          }
        });
      });
    }
  }

  test("O3: a stuck message holds the committable offset while a million pass it", () => {
    const tracker = new OffsetTracker(0);
    tracker.deliver(0, 1, null, 1);
    for (let base = 1; base < 1_000_000; base += 1000) {
      tracker.deliver(base, 1000, null, base + 1000);
      for (let i = 0; i < 1000; i++) tracker.mark(base + i);
      same(tracker.committable, 0);
    }
    same(tracker.mark(0), true);
    same(tracker.committable, 1_000_001);
  });

  test("O3: offsets up to the largest safe integer work", () => {
    const last = Number.MAX_SAFE_INTEGER - 1;
    const tracker = new OffsetTracker(last - 10);
    tracker.deliver(last - 1, 2, null, last + 1);
    same(tracker.committable, last - 1);
    same(tracker.mark(last), true);
    same(tracker.committable, last - 1);
    same(tracker.mark(last - 1), true);
    same(tracker.committable, last + 1);
  });

  test("F4: a hole of 2³¹ above an open offset works, one of 2³² is refused", () => {
    const tracker = new OffsetTracker(3);
    tracker.deliver(3, 1, null, 4);
    const far = 2 ** 31 + 77;
    tracker.deliver(far, 2, null, far + 2);
    same(tracker.committable, 3);
    same(tracker.mark(far + 1), true);
    same(tracker.mark(3), true);
    same(tracker.committable, far);
    expect(() => tracker.deliver(2 ** 33, 1, null, 2 ** 33 + 1)).toThrow(InvariantError);
    same(tracker.mark(far), true);
    tracker.deliver(2 ** 33, 1, null, 2 ** 33 + 1);
    same(tracker.committable, 2 ** 33);
  });

  test("O8: runs() names what is not done and done in turn, up to the next offset", () => {
    const tracker = new OffsetTracker(100);
    expect(tracker.runs()).toEqual([]);
    tracker.deliver(100, 3000, null, 3100);
    expect(tracker.runs()).toEqual([3000]);
    for (let offset = 100; offset < 3090; offset++) {
      if (offset !== 500 && offset !== 501) tracker.mark(offset);
    }
    expect(tracker.runs()).toEqual([2, 2588, 10]);
    // Holes that the log never delivers are done, behind the last record too.
    tracker.advance(4000);
    expect(tracker.runs()).toEqual([2, 2588, 10, 900]);
    tracker.mark(500);
    expect(tracker.runs()).toEqual([1, 2588, 10, 900]);
    tracker.mark(501);
    expect(tracker.runs()).toEqual([10, 900]);
    for (let offset = 3090; offset < 3100; offset++) tracker.mark(offset);
    expect(tracker.runs()).toEqual([]);
  });

  test("O8: runs() visits no page without an open offset, with one message stuck 2³¹ below", () => {
    const tracker = new OffsetTracker(0);
    tracker.deliver(0, 1, null, 1);
    const far = 2 ** 31 - 5;
    tracker.deliver(far, 3, null, far + 3);
    tracker.mark(far + 1);
    expect(tracker.runs()).toEqual([1, far - 1, 1, 1, 1]);
    // Two million empty pages lie between: visiting them would take seconds here.
    for (let i = 0; i < 10_000; i++) same(tracker.runs().length, 5);
    tracker.mark(0);
    expect(tracker.runs()).toEqual([1, 1, 1]);
  });

  test("advance() moves over holes and never back", () => {
    const tracker = new OffsetTracker(5);
    tracker.advance(9);
    tracker.advance(7);
    same(tracker.committable, 9);
    tracker.deliver(20, 1, null, 30);
    tracker.advance(40);
    same(tracker.committable, 20);
    tracker.mark(20);
    same(tracker.committable, 40);
  });

  test("deliver() refuses offsets that were delivered before, and a next offset that is too low", () => {
    const tracker = new OffsetTracker(10);
    expect(() => tracker.deliver(9, 1, null, 10)).toThrow(InvariantError);
    expect(() => tracker.deliver(10, 3, null, 12)).toThrow(InvariantError);
    tracker.deliver(10, 3, null, 13);
    expect(() => tracker.deliver(12, 2, null, 14)).toThrow(InvariantError);
    same(tracker.openCount, 3);
  });
});

function deliver(
  tracker: OffsetTracker,
  model: Model,
  open: number[],
  random: () => number,
  gap: (random: () => number) => number,
): void {
  const count = Math.floor(random() * 100);
  const base = model.nextOffset;
  const deltas: number[] = [];
  let delta = -1;
  for (let i = 0; i < count; i++) {
    const next = delta + gap(random);
    // A batch spans less than 2³² offsets.
    if (next >= 2 ** 32) break;
    delta = next;
    deltas.push(delta);
  }
  const hole = random() < 0.2 ? Math.floor(random() * 2000) : 0;
  const nextOffset = base + delta + 1 + hole;
  const dense = delta === deltas.length - 1;
  tracker.deliver(base, deltas.length, dense ? null : Uint32Array.from(deltas), nextOffset);
  for (const one of deltas) {
    model.open.add(base + one);
    open.push(base + one);
  }
  model.nextOffset = nextOffset;
}
