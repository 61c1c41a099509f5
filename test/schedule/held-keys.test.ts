import { describe, expect, test } from "bun:test";
import { HeldKeys, LeaseHolds } from "../../src/schedule/held-keys.ts";
import { batchOf, laneOf } from "./lanes.ts";

describe("HeldKeys", () => {
  test("R6: hold() blocks messages of those hashes until each holder has released them", () => {
    const keys = new HeldKeys();
    const batch = batchOf([0, 1, 2, 3], [7, 8, 7, 9]);
    let released = 0;
    keys.onRelease(() => released++);
    expect(keys.empty).toBe(true);
    expect(keys.blocks(batch, 0)).toBe(false);
    const first = keys.hold([
      [batch, 0],
      [batch, 1],
    ]);
    const second = keys.hold([[batch, 2]]);
    const blocked = (): boolean[] => [0, 1, 2, 3].map((index) => keys.blocks(batch, index));
    expect(blocked()).toEqual([true, true, true, false]);
    first();
    expect(blocked()).toEqual([true, false, true, false]);
    second();
    expect(blocked()).toEqual([false, false, false, false]);
    expect(keys.empty).toBe(true);
    expect(released).toBe(2);
  });

  test("R6: a batch whose keys are not known holds everything, and is held by anything", () => {
    const keys = new HeldKeys();
    const known = batchOf([0], [1]);
    const unknown = batchOf([1], [2]);
    unknown.ordered = true;
    const all = keys.hold([[unknown, 0]]);
    expect(keys.blocks(known, 0)).toBe(true);
    all();
    const one = keys.hold([[known, 0]]);
    expect(keys.blocks(unknown, 0)).toBe(true);
    one();
    expect(keys.empty).toBe(true);
  });
});

describe("LeaseHolds", () => {
  test("R6: leases of one group, topic and partition share their keys; others do not", () => {
    const releases: string[] = [];
    const open = (group: string, partition: number): LeaseHolds =>
      new LeaseHolds(group, "t", partition, () => releases.push(group));
    const first = open("one", 0);
    const lane = laneOf([5]);
    first.end([{ lane, length: 1 }]);
    const again = open("one", 0);
    const elsewhere = [open("one", 1), open("two", 0)];
    expect(again.keys.blocks(lane.batch, 0)).toBe(true);
    for (const other of elsewhere) expect(other.keys.empty).toBe(true);
    first.settled(lane);
    first.settled(lane);
    expect(again.keys.empty).toBe(true);
    expect(releases).toEqual(["one"]);
    again.end([]);
    for (const other of elsewhere) other.end([]);
    const fresh = open("one", 0);
    expect(fresh.keys).not.toBe(first.keys);
    fresh.end([]);
  });
});
