import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { LogError } from "../../src/errors.ts";
import { LogEventHub } from "../../src/log/log-events.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { segmentName } from "../../src/log/segment-names.ts";
import { newestSlot } from "../../src/log/slots.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { openPartition, type PartitionWish } from "./open-partition.ts";
import { numbered, random, removeTemporary, temporaryDirectory } from "./temporary.ts";

const HEAD_MAGIC = 0x31485248;

const open: PartitionLog[] = [];

afterEach(() => {
  for (const partition of open.splice(0)) partition.close();
  removeTemporary();
});

function opened(options: LogOptions, more: PartitionWish = {}, directory = temporaryDirectory()) {
  const clock = fakeClock();
  const partition = openPartition(directory, { options, clock, ...more });
  open.push(partition);
  const path = join(directory, "head");
  /** Counts the writes: each of them writes `head` once. */
  const writes = () => newestSlot(readFileSync(path), 64, HEAD_MAGIC)?.sequence ?? 0;
  const syncedBytes = () => {
    return Number(newestSlot(readFileSync(path), 64, HEAD_MAGIC)!.body.readBigUInt64LE(16));
  };
  return { partition, clock, directory, writes, syncedBytes };
}

function values(partition: PartitionLog): string[] {
  const all: string[] = [];
  for (let offset = partition.logStart; offset < partition.logEnd; ) {
    for (const batch of partition.read(offset, 1 << 20)) {
      const records = new RawRecords(batch);
      for (let at = 0; at < records.count; at++) all.push(String(records.valueAt(at)));
      offset = batch.baseOffset + batch.count;
    }
  }
  return all;
}

function expected(to: number): string[] {
  return Array.from({ length: to }, (_, at) => `v${at}`);
}

/** "resolved" or the message, once the promise has settled; "pending" when it has not. */
function watch(promise: Promise<void>): { state: string } {
  const seen = { state: "pending" };
  promise.then(
    () => {
      seen.state = "resolved";
    },
    (error: Error) => {
      seen.state = error.message;
    },
  );
  return seen;
}

describe('acknowledge: "written"', () => {
  test("appends of one tick share a write, and resolve when it is done", async () => {
    const { partition, writes } = opened({});
    const appended = [0, 3, 5].map((first, at) =>
      partition.enqueue(numbered(first, [3, 2, 1][at]!)),
    );
    expect(appended.map(({ baseOffset }) => baseOffset)).toEqual([0, 3, 5]);
    expect([partition.logEnd, writes()]).toEqual([0, 0]);
    const firstSeen = watch(appended[0]!.acknowledged);
    await Promise.all(appended.map(({ acknowledged }) => acknowledged));
    expect([firstSeen.state, partition.logEnd, writes()]).toEqual(["resolved", 6, 1]);
    expect(partition.read(0, 1 << 20).map(({ count }) => count)).toEqual([3, 2, 1]);
    expect(values(partition)).toEqual(expected(6));
  });

  test("appends that follow from promises of one tick share a write too", async () => {
    const { partition, writes } = opened({});
    const one = async (at: number): Promise<void> => {
      await Promise.resolve();
      await partition.enqueue(numbered(at, 1)).acknowledged;
    };
    await Promise.all(Array.from({ length: 50 }, (_, at) => one(at)));
    expect([partition.logEnd, writes()]).toEqual([50, 1]);
  });

  test("flush.messages and flush.bytes limit what waits", () => {
    const { partition, writes } = opened({ flush: { messages: 10, bytes: 1000 } });
    partition.enqueue(numbered(0, 9));
    expect(partition.logEnd).toBe(0);
    partition.enqueue(numbered(9, 1));
    expect([partition.logEnd, writes()]).toEqual([10, 1]);
    partition.enqueue([{ ...numbered(10, 1)[0]!, value: new Uint8Array(900) }]);
    expect([partition.logEnd, writes()]).toEqual([11, 2]);
  });

  test("append() has written what was enqueued before it, too", () => {
    const { partition, writes } = opened({});
    partition.enqueue(numbered(0, 2));
    expect(partition.append(numbered(2, 2))).toBe(2);
    expect([partition.logEnd, writes()]).toEqual([4, 1]);
  });

  test("one write may cross segments", async () => {
    const { partition } = opened({ segment: { bytes: 1024 } });
    const appended = Array.from({ length: 40 }, (_, at) => partition.enqueue(numbered(at * 4, 4)));
    await appended.at(-1)!.acknowledged;
    expect(partition.sealed.length).toBeGreaterThan(5);
    expect(partition.sealed.every(({ summary }) => summary.logBytes <= 1024)).toBe(true);
    expect(values(partition)).toEqual(expected(160));
  });
});

describe('acknowledge: "buffered"', () => {
  const buffered: LogOptions = { acknowledge: "buffered", flush: { messages: 5, intervalMs: 7 } };

  test("resolves at once; the interval writes", async () => {
    const { partition, clock, writes } = opened(buffered);
    await partition.enqueue(numbered(0, 1)).acknowledged;
    await clock.advance(6);
    await partition.enqueue(numbered(1, 1)).acknowledged;
    expect([partition.logEnd, writes()]).toEqual([0, 0]);
    await clock.advance(1);
    expect([partition.logEnd, writes(), clock.pendingTimers()]).toEqual([2, 1, 0]);
    await partition.enqueue(numbered(2, 1)).acknowledged;
    await clock.advance(7);
    expect([partition.logEnd, writes()]).toEqual([3, 2]);
  });

  test("flush.messages writes before the interval ends", async () => {
    const { partition } = opened(buffered);
    for (let at = 0; at < 5; at++) await partition.enqueue(numbered(at, 1)).acknowledged;
    expect(partition.logEnd).toBe(5);
  });

  test("close() writes what waits", () => {
    const { partition, directory } = opened(buffered);
    partition.enqueue(numbered(0, 3));
    partition.close();
    const again = opened({}, { writerEpoch: 2 }, directory);
    expect(values(again.partition)).toEqual(expected(3));
  });
});

describe("sync", () => {
  test('acknowledge: "synced" resolves when the disk has it', async () => {
    const { partition, syncedBytes } = opened({ acknowledge: "synced" });
    await partition.enqueue(numbered(0, 1)).acknowledged;
    expect(partition.dirty).toBe(false);
    expect(syncedBytes()).toBe(partition.bytes);
  });

  test("appends that come while a sync runs share the next one", async () => {
    const { partition, writes } = opened({ acknowledge: "synced" });
    const first = partition.enqueue(numbered(0, 1)).acknowledged;
    await Promise.resolve();
    expect(partition.logEnd).toBe(1);
    const later = watch(partition.enqueue(numbered(1, 1)).acknowledged);
    await first;
    expect([partition.logEnd, later.state]).toEqual([2, "pending"]);
    const last = partition.enqueue(numbered(2, 1)).acknowledged;
    await last;
    expect(later.state).toBe("resolved");
    // Three writes, three syncs at most.
    expect(writes()).toBeLessThanOrEqual(6);
  });

  test('sync: "flush" syncs after each write, without being waited for', async () => {
    const { partition, syncedBytes } = opened({ sync: "flush" });
    await partition.enqueue(numbered(0, 1)).acknowledged;
    expect(partition.dirty).toBe(true);
    while (partition.dirty) await new Promise((resolve) => setImmediate(resolve));
    expect(syncedBytes()).toBe(partition.bytes);
  });

  test('sync: "interval" starts one early after 8 MiB', async () => {
    const { partition } = opened({ segment: { bytes: 1 << 30 } });
    const value = new Uint8Array(1 << 20);
    const add = () => partition.append([{ ...numbered(0, 1)[0]!, value }]);
    for (let at = 0; at < 7; at++) add();
    await new Promise((resolve) => setImmediate(resolve));
    expect(partition.dirty).toBe(true);
    add();
    while (partition.dirty) await new Promise((resolve) => setImmediate(resolve));
  });

  test('sync: "never" does not sync when it closes', () => {
    const { partition, syncedBytes } = opened({ sync: "never", segment: { bytes: 1024 } });
    for (let at = 0; at < 20; at++) partition.append(numbered(at * 3, 3));
    partition.close();
    expect(syncedBytes()).toBe(0);
  });

  test("a roll has synced what an append waits for", async () => {
    const { partition } = opened({ acknowledge: "synced", segment: { bytes: 1024 } });
    const all = Array.from({ length: 30 }, (_, at) => partition.enqueue(numbered(at * 5, 5)));
    await Promise.all(all.map(({ acknowledged }) => acknowledged));
    expect(values(partition)).toEqual(expected(150));
  });

  test("close() resolves what waits for a sync", async () => {
    const { partition } = opened({ acknowledge: "synced" });
    const waiting = partition.enqueue(numbered(0, 1)).acknowledged;
    partition.close();
    await waiting;
  });
});

/** A device that takes no bytes, and one that cannot be synced. */
const noDevices = process.platform !== "linux";

describe.skipIf(noDevices)("a failure (needs the devices of Linux)", () => {
  /** A partition whose next write goes to a device. */
  function broken(device: string, options: LogOptions) {
    const directory = temporaryDirectory();
    const good = opened({}, {}, directory).partition;
    good.append(numbered(0, 4));
    good.close();
    const path = join(directory, segmentName(4));
    symlinkSync(device, path);
    // Sealed by hand: the next open finds the device as its newest segment.
    writeFileSync(join(directory, "head"), "");
    const failures: unknown[] = [];
    const events = new LogEventHub();
    events.add({ writeFailed: (event) => failures.push(event) });
    return { ...opened(options, { writerEpoch: 2, events }, directory), failures, path };
  }

  test("of a write rejects all of its appends, and refuses the next", async () => {
    const { partition, failures } = broken("/dev/full", {});
    expect(partition.logEnd).toBe(4);
    const rule = "Cannot append to t#0 as a write failed, and it must be opened again: received";
    const all = [1, 2].map((at) => watch(partition.enqueue(numbered(at, 1)).acknowledged));
    await new Promise((resolve) => setImmediate(resolve));
    for (const { state } of all) {
      expect(state.startsWith(rule)).toBe(true);
      expect(state.toLowerCase()).toContain("no space left on device");
    }
    expect(() => partition.enqueue(numbered(0, 1))).toThrow(rule);
    expect(() => partition.append(numbered(0, 1))).toThrow(LogError);
    expect(failures).toMatchObject([{ topic: "t", partition: 0 }]);
    expect(values(partition)).toEqual(expected(4));
  });

  test("of a buffered write is told by the event and by close()", async () => {
    const { partition, failures, clock } = broken("/dev/full", { acknowledge: "buffered" });
    await partition.enqueue(numbered(0, 1)).acknowledged;
    await clock.advance(5);
    expect(failures.length).toBe(1);
    expect(() => partition.enqueue(numbered(0, 1))).toThrow("a write failed");
    const other = broken("/dev/full", { acknowledge: "buffered" }).partition;
    await other.enqueue(numbered(0, 1)).acknowledged;
    expect(() => other.close()).toThrow("a write failed");
  });

  test("of a sync refuses further writes, and rejects what waits for it", async () => {
    const { partition, failures } = broken("/dev/null", { acknowledge: "synced" });
    const rule = "Cannot append to t#0 as a sync failed, and it must be opened again: received";
    await expect(partition.enqueue(numbered(0, 1)).acknowledged).rejects.toThrow(rule);
    expect(() => partition.enqueue(numbered(0, 1))).toThrow(rule);
    expect(failures.length).toBe(1);
  });

  test("of a sync leaves written appends acknowledged", async () => {
    const { partition } = broken("/dev/null", { sync: "flush" });
    await partition.enqueue(numbered(0, 1)).acknowledged;
    while (partition.dirty) await new Promise((resolve) => setImmediate(resolve));
    expect(() => partition.enqueue(numbered(0, 1))).toThrow("a sync failed");
  });
});

describe("PartitionLog", () => {
  test("refuse() rejects what is not acknowledged", async () => {
    const { partition } = opened({});
    const waiting = watch(partition.enqueue(numbered(0, 1)).acknowledged);
    partition.refuse("a test says so");
    await Promise.resolve();
    expect(waiting.state).toContain("a test says so");
    expect(partition.logEnd).toBe(0);
  });

  test("records that break a limit take no offset", () => {
    const { partition } = opened({});
    partition.enqueue(numbered(0, 1));
    expect(() => partition.enqueue([])).toThrow("at least one record");
    expect(partition.enqueue(numbered(1, 1)).baseOffset).toBe(1);
    partition.flush();
    expect(values(partition)).toEqual(expected(2));
  });

  test("any order of appends, writes, syncs and reopenings keeps what was appended", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const next = random(seed);
      const level = (["buffered", "written", "synced"] as const)[next() % 3]!;
      const options: LogOptions = {
        acknowledge: level,
        sync: next() % 2 === 0 ? "flush" : "interval",
        flush: { messages: 1 + (next() % 20), bytes: 200 + (next() % 3000) },
        segment: { bytes: 1024 + (next() % 4096) },
      };
      let writerEpoch = 1;
      let at = opened(options, { writerEpoch });
      let count = 0;
      const waiting: Promise<void>[] = [];
      for (let step = 0; step < 60; step++) {
        const choice = next() % 10;
        if (choice < 6) {
          const size = 1 + (next() % 6);
          const { baseOffset, acknowledged } = at.partition.enqueue(numbered(count, size));
          expect([seed, baseOffset]).toEqual([seed, count]);
          waiting.push(acknowledged);
          count += size;
        } else if (choice === 6) await at.clock.advance(next() % 9);
        else if (choice === 7) await at.partition.sync();
        else if (choice === 8) await Promise.resolve();
        else {
          at.partition.close();
          writerEpoch++;
          at = opened(options, { writerEpoch }, at.directory);
          expect([seed, at.partition.logEnd]).toEqual([seed, count]);
        }
      }
      at.partition.flush();
      await Promise.all(waiting);
      expect([seed, values(at.partition)]).toEqual([seed, expected(count)]);
    }
  });
});
