import { describe, expect, test } from "bun:test";
import { CorruptLogError } from "../../src/errors.ts";
import { DeduplicationWindow, idText } from "../../src/log/deduplication-window.ts";
import type { StoredBatch } from "../../src/log/read-batches.ts";
import { type ReadableLog, restoreWindow } from "../../src/log/restore-window.ts";
import { encodeBatch } from "./encode-batch.ts";
import { record } from "./temporary.ts";

const LIMITS = { maxEntries: 100_000, ttlMs: 1000 };

function id(offset: number): Uint8Array {
  const bytes = new Uint8Array(16).fill(1);
  new DataView(bytes.buffer).setUint32(0, offset);
  return bytes;
}

/** One batch whose records have their offsets as ids. */
function batch(baseOffset: number, count: number, timeMs: number): StoredBatch {
  const records = Array.from({ length: count }, (_, at) => {
    return { ...record(null, ""), id: id(baseOffset + at) };
  });
  const place = { baseOffset, writerEpoch: 1, topicEpoch: 1, appendTimeUs: timeMs * 1000 };
  return { baseOffset, count, bytes: encodeBatch(records, place).bytes };
}

/** A log of batches, with holes where they leave some; each read is noted. */
function logOf(batches: readonly StoredBatch[], damagedAt = -1) {
  const reads: number[] = [];
  const last = batches.at(-1)!;
  const log: ReadableLog = {
    logStart: batches[0]!.baseOffset,
    logEnd: last.baseOffset + last.count,
    read(offset) {
      const found = batches.findIndex((one) => one.baseOffset + one.count > offset);
      reads.push(found);
      if (found === damagedAt) throw new CorruptLogError("Cannot read: a test says so");
      return batches.slice(found, found + 1);
    },
  };
  return { log, reads };
}

function restored(log: ReadableLog, limits = LIMITS, tolerant = false): DeduplicationWindow {
  const window = new DeduplicationWindow(limits);
  restoreWindow(window, limits, log, 1000 * 1000, tolerant);
  return window;
}

function knows(window: DeduplicationWindow, offset: number): boolean {
  const { outcomes } = window.select([{ ...record(null, ""), id: id(offset) }], 1e9, 1000 * 1000);
  return outcomes?.[0]?.offset === offset;
}

describe("restoreWindow()", () => {
  test("reads back no further than the time to live, and not the rest of the log", () => {
    const times = [0, 0, 0, 500, 500, 1000];
    const batches = times.map((timeMs, at) => batch(at * 5000, 5000, timeMs));
    const { log, reads } = logOf(batches);
    const window = restored(log);
    expect(window.size).toBe(15_000);
    expect([knows(window, 14_999), knows(window, 15_000)]).toEqual([false, true]);
    expect(Math.min(...reads)).toBe(2);
    // No batch is read twice.
    expect(new Set(reads).size).toBe(reads.length);
  });

  test("reads back no further than the number of entries", () => {
    const batches = Array.from({ length: 10 }, (_, at) => batch(at * 5000, 5000, 900));
    const { log, reads } = logOf(batches);
    const window = restored(log, { ...LIMITS, maxEntries: 5001 });
    expect(window.size).toBe(5001);
    expect([knows(window, 44_998), knows(window, 44_999)]).toEqual([false, true]);
    expect(Math.min(...reads)).toBe(8);
  });

  test("knows every offset of batches of any size, over holes too", () => {
    const sizes = [1, 9000, 3, 4096, 4095, 1, 1, 12_000, 2];
    const holes = [0, 0, 5000, 0, 1, 0, 20_000, 0, 4096];
    const batches: StoredBatch[] = [];
    let next = 7;
    for (const [at, size] of sizes.entries()) {
      batches.push(batch(next + holes[at]!, size, 500));
      next += holes[at]! + size;
    }
    const window = restored(logOf(batches).log);
    expect(window.size).toBe(sizes.reduce((sum, size) => sum + size, 0));
    for (const { baseOffset, count } of batches) {
      expect([knows(window, baseOffset), knows(window, baseOffset + count - 1)]).toEqual([
        true,
        true,
      ]);
    }
  });

  test("damage is an error, or where a tolerant one stops", () => {
    const batches = Array.from({ length: 6 }, (_, at) => batch(at * 5000, 5000, 900));
    expect(() => restored(logOf(batches, 3).log)).toThrow(CorruptLogError);
    expect(restored(logOf(batches, 3).log, LIMITS, true).size).toBe(10_000);
    // Also in the middle of what would be one step.
    const small = Array.from({ length: 50 }, (_, at) => batch(at * 7, 7, 900));
    for (const damaged of [0, 1, 20, 48, 49]) {
      expect(restored(logOf(small, damaged).log, LIMITS, true).size).toBe(7 * (49 - damaged));
    }
    const odd = batch(0, 2, 900);
    odd.bytes.writeUInt32LE(3, 64);
    expect(() => restored(logOf([odd]).log)).toThrow("received frame 0 in the batch at offset 0");
  });

  test("sixteen zeros are no id", () => {
    expect(idText(new Uint8Array(16))).toBe(null);
    expect(idText(null)).toBe(null);
    expect(idText(Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 1 : 0)))).not.toBe(null);
  });
});
