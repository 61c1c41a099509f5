import { describe, expect, test } from "bun:test";
import { DeduplicationWindow, idText } from "../../src/log/deduplication-window.ts";
import type { SinkRecord } from "../../src/source/source.ts";
import { random, record } from "./temporary.ts";

const MS = 1000;

function id(number: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? number & 255 : 1 + (number >> 8)));
}

function withIds(...numbers: (number | null)[]): SinkRecord[] {
  return numbers.map((number) => {
    return { ...record(null, `v${number}`), id: number === null ? null : id(number) };
  });
}

/** Appends as a partition does: decides, gives offsets, remembers. */
function appender(limits = { maxEntries: 100, ttlMs: 1000 }) {
  const window = new DeduplicationWindow(limits);
  let logEnd = 0;
  const append = (timeMs: number, ...numbers: (number | null)[]): (number | string)[] => {
    const selection = window.select(withIds(...numbers), logEnd, timeMs * MS);
    const all = numbers.map((_, at) => ({ offset: logEnd + at, duplicate: false }));
    logEnd += selection.fresh.length;
    window.remember(selection, timeMs * MS);
    return (selection.outcomes ?? all).map(({ offset, duplicate }) => {
      return duplicate ? `dup ${offset}` : offset;
    });
  };
  return { window, append };
}

describe("DeduplicationWindow", () => {
  test("answers a duplicate with the first offset", () => {
    const { append } = appender();
    expect(append(0, 1, 2, 3)).toEqual([0, 1, 2]);
    expect(append(1, 4, 2, 5)).toEqual([3, "dup 1", 4]);
    expect(append(2, 1, 2, 3, 4, 5)).toEqual(["dup 0", "dup 1", "dup 2", "dup 3", "dup 4"]);
    expect(append(3, 6)).toEqual([5]);
  });

  test("finds duplicates inside one append", () => {
    const { append } = appender();
    expect(append(0, 7, 7, 8, 7)).toEqual([0, "dup 0", 1, "dup 0"]);
  });

  test("never takes a record without an id, or with sixteen zeros, for a duplicate", () => {
    const { append, window } = appender();
    expect(append(0, null, null)).toEqual([0, 1]);
    const zeros = [{ ...record("k", "v"), id: new Uint8Array(16) }];
    for (const offset of [2, 3]) {
      const selection = window.select(zeros, offset, 0);
      expect(selection.outcomes).toBeUndefined();
      window.remember(selection, 0);
    }
    expect(window.size).toBe(0);
  });

  test("an id seen at t is a duplicate at t + ttl - 1 ms, and new at t + ttl", () => {
    for (const at of [0, 12_345]) {
      const { append } = appender({ maxEntries: 10, ttlMs: 1000 });
      expect(append(at, 1)).toEqual([0]);
      expect(append(at + 999, 1)).toEqual(["dup 0"]);
      // Being asked for does not make an id younger.
      expect(append(at + 1000, 1)).toEqual([1]);
      expect(append(at + 1999, 1)).toEqual(["dup 1"]);
    }
  });

  test("forgets the oldest above maxEntries, and expires from the front", () => {
    const { append, window } = appender({ maxEntries: 3, ttlMs: 1000 });
    append(0, 1, 2);
    append(500, 3);
    append(600, 4);
    expect(window.size).toBe(3);
    expect(append(700, 2, 3, 4)).toEqual(["dup 1", "dup 2", "dup 3"]);
    expect(append(700, 1)).toEqual([4]);
    append(1500, null);
    expect(window.size).toBe(2);
  });

  test("a decision that is not remembered changes nothing", () => {
    const { append, window } = appender();
    append(0, 1);
    window.select(withIds(2), 1, 0);
    expect(append(0, 2)).toEqual([1]);
  });

  test("restore() gives what appending had given, whatever lies in the log", () => {
    const limits = { maxEntries: 10, ttlMs: 1000 };
    const window = new DeduplicationWindow(limits);
    // Written while nothing was deduplicated.
    for (const [number, offset, timeMs] of [
      [1, 0, 0],
      [1, 1, 999],
      [2, 2, 999],
      [1, 3, 1000],
    ] as const) {
      window.restore(idText(id(number))!, offset, timeMs * MS);
    }
    const { outcomes } = window.select(withIds(1, 2), 4, 1500 * MS);
    expect(outcomes?.map(({ offset }) => offset)).toEqual([3, 2]);
  });

  test("agrees with a plain list of all that was appended, for random appends", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const next = random(seed);
      const limits = { maxEntries: 1 + (next() % 20), ttlMs: 1 + (next() % 50) };
      const { append } = appender(limits);
      let kept: { number: number; offset: number; timeMs: number }[] = [];
      let [timeMs, logEnd] = [0, 0];
      for (let round = 0; round < 100; round++) {
        timeMs += next() % 10;
        const numbers = Array.from({ length: 1 + (next() % 5) }, () => {
          return next() % 8 === 0 ? null : next() % 30;
        });
        kept = kept.filter((one) => timeMs - one.timeMs < limits.ttlMs);
        const before = [...kept];
        const expected = numbers.map((number) => {
          const fresh = kept.slice(before.length);
          const known = [...fresh, ...before].find((one) => one.number === number);
          if (number !== null && known !== undefined) return `dup ${known.offset}`;
          if (number !== null) kept.push({ number, offset: logEnd, timeMs });
          return logEnd++;
        });
        kept = kept.slice(-limits.maxEntries);
        expect({ seed, round, got: append(timeMs, ...numbers) }).toEqual({
          seed,
          round,
          got: expected,
        });
      }
    }
  });
});
