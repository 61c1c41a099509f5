import { describe, expect, test } from "bun:test";
import { TimeIndex } from "../../src/log/time-index.ts";
import { random } from "./temporary.ts";

const summary = { nextOffset: 99, logBytes: 5000, lastAppendTimeUs: 70, maxEventTimeUs: -3 };

function indexOf(entries: readonly (readonly [number, number])[]): TimeIndex {
  const index = new TimeIndex();
  for (const [timeUs, relative] of entries) index.add(timeUs, relative);
  return index;
}

describe("TimeIndex", () => {
  test("keeps the first batch of each time", () => {
    const index = indexOf([
      [10, 0],
      [10, 5],
      [20, 7],
      [15, 8],
      [30, 9],
    ]);
    expect(index.count).toBe(3);
    const asked = [9, 10, 11, 20, 21, 30, 31];
    expect(asked.map((timeUs) => index.before(timeUs))).toEqual([0, 0, 0, 0, 7, 7, 9]);
  });

  test("before() is the last entry below the time, for any entries", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const next = random(seed);
      const entries: [number, number][] = [];
      let time = 0;
      for (let at = 0; at < next() % 300; at++) {
        time += next() % 3;
        entries.push([time, at * 3]);
      }
      const index = indexOf(entries);
      for (let timeUs = 0; timeUs <= time + 1; timeUs++) {
        const first = entries.find(([one]) => one >= timeUs)?.[1] ?? Number.POSITIVE_INFINITY;
        const before = index.before(timeUs);
        const isBefore = entries.some(([one, at]) => at === before && one < timeUs);
        expect([seed, timeUs, isBefore || before === 0, before <= first]).toEqual([
          seed,
          timeUs,
          true,
          true,
        ]);
      }
    }
  });

  test("is a file with a footer, and refuses every damaged one", () => {
    const index = indexOf([
      [-5, 0],
      [2 ** 50, 7],
    ]);
    const bytes = index.encode(1000, summary);
    expect(bytes.length).toBe(16 + 2 * 12 + 48);
    expect(bytes.toString("latin1", 0, 4)).toBe("HRT1");
    const decoded = TimeIndex.decode(bytes, 1000);
    expect(decoded?.summary).toEqual(summary);
    expect([0, 2 ** 50, 2 ** 50 + 1].map((us) => decoded?.index.before(us))).toEqual([0, 0, 7]);
    expect(TimeIndex.decode(bytes, 1001)).toBeUndefined();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = damaged[at]! ^ 0x20;
      expect(TimeIndex.decode(damaged, 1000)).toBeUndefined();
      expect(TimeIndex.decode(bytes.subarray(0, at), 1000)).toBeUndefined();
    }
  });
});
