import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { LogError } from "../../src/errors.ts";
import type { RetentionBlocked, RetentionFailed } from "../../src/log/log-events.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import type { ArchivedSegment, RetentionOptions } from "../../src/log/topic-options.ts";
import { KeptLog } from "./kept-log.ts";
import { removeTemporary } from "./temporary.ts";

const logs: KeptLog[] = [];

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  removeTemporary();
});

function keptLog(retention: RetentionOptions, more: LogOptions = {}, partitions = 1): KeptLog {
  const log = new KeptLog({ retention, ...more }, partitions);
  logs.push(log);
  return log;
}

describe("Retention", () => {
  test("by age: on a timer, the log start first raised and kept", async () => {
    const log = keptLog({ maxAgeMs: 10_000 });
    log.fill(3);
    await log.clock.advance(5000);
    log.fill(2);
    const all = log.files();
    expect(all.length).toBe(6);
    await log.clock.advance(4999);
    expect(log.files()).toEqual(all);
    await log.clock.advance(1000);
    expect(log.files()).toEqual(all.slice(3));
    expect(log.files(".index")).toEqual(all.slice(3, 5));
    const [partition] = log.topic.partitions;
    expect(partition!.logStart).toBe(all[3]!);
    expect(() => partition!.read(all[3]! - 1, 1)).toThrow(LogError);
    expect(partition!.read(all[3]!, 1)[0]?.baseOffset).toBe(all[3]!);
    await log.reopen({ retention: { maxAgeMs: 10_000 } });
    expect(log.topic.partitions[0]!.logStart).toBe(all[3]!);
  });

  test("by age: never the active segment, however old", async () => {
    const log = keptLog({ maxAgeMs: 1000 });
    log.append();
    await log.clock.advance(1_000_000);
    expect(log.files()).toEqual([0]);
    expect(log.topic.partitions[0]!.logStart).toBe(0);
  });

  test("by age: a quiet topic too, when segments are sealed by age; no append is needed", async () => {
    const retention = { maxAgeMs: 10_000 };
    const segment = { bytes: 4096, maxAgeMs: 5000 };
    const log = keptLog(retention, { segment });
    log.append();
    log.append();
    await log.clock.advance(4999);
    expect(log.topic.partitions[0]!.sealed.length).toBe(0);
    await log.clock.advance(1);
    expect(log.topic.partitions[0]!.sealed.length).toBe(1);
    await log.clock.advance(5000);
    expect(log.topic.partitions[0]!.logStart).toBe(20);
    expect(log.files()).toEqual([20]);
    log.append();
    expect(log.offsets()).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    await log.reopen({ retention, segment });
    expect(log.offsets().length).toBe(10);
  });

  test("by size: soon after a segment was sealed, the oldest of the topic first", async () => {
    const log = keptLog({ maxTopicBytes: 4 * 4096, deleteOldestSegments: true }, {}, 2);
    for (let round = 0; round < 6; round++) {
      log.fill(1, round % 2);
      await log.clock.advance(10);
    }
    const bytes = log.topic.partitions.reduce((sum, partition) => sum + partition.bytes, 0);
    expect(bytes).toBeGreaterThan(2 * 4096);
    expect(bytes).toBeLessThanOrEqual(4 * 4096);
    const starts = log.topic.partitions.map(({ logStart }) => logStart);
    // The rounds went in turns, and so do the removals; nothing waited for the timer.
    expect(starts[0]! - starts[1]!).toBeGreaterThanOrEqual(0);
    expect(Math.min(...starts)).toBeGreaterThan(0);
    expect(log.clock.now()).toBeLessThan(1000);
  });

  test("protectUncommitted: a group holds what it has not committed, and is named once", async () => {
    const blocked: RetentionBlocked[] = [];
    const on = { retentionBlocked: (event: RetentionBlocked) => blocked.push(event) };
    const log = keptLog({ maxAgeMs: 1000 }, { on });
    log.fill(4);
    const all = log.files();
    log.commit("fast", all[4]!);
    log.commit("slow", all[2]! - 1);
    await log.clock.advance(5000);
    expect(log.files()).toEqual(all.slice(1));
    const sizes = log.topic.partitions[0]!.sealed.map(({ summary }) => summary.logBytes);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const event = { topic: "t", partition: 0, groupId: "slow", offset: all[2]! - 1, bytes };
    expect(blocked).toEqual([event]);
    log.commit("slow", all[2]!);
    await log.clock.advance(1000);
    expect(log.files()).toEqual(all.slice(2));
    expect(blocked.slice(1)).toEqual([{ ...event, offset: all[2]!, bytes: bytes - sizes[0]! }]);
    log.commit("slow", all[4]!);
    await log.clock.advance(1000);
    expect(log.files()).toEqual(all.slice(4));
    expect(blocked.length).toBe(2);
  });

  test("barrierMaxAgeMs: a group that stands still for so long holds no more", async () => {
    const log = keptLog({ maxAgeMs: 1000, barrierMaxAgeMs: 60_000 });
    log.fill(2);
    const all = log.files();
    log.commit("gone", 0);
    await log.clock.advance(59_999);
    expect(log.files()).toEqual(all);
    await log.clock.advance(1001);
    expect(log.files()).toEqual(all.slice(2));
  });

  test("options of a topic hold before those of the log, and may change", async () => {
    const log = keptLog({ maxAgeMs: 1000 });
    log.store.ensureTopic("t", { partitions: 1, overrides: { retention: null } });
    log.fill(2);
    await log.clock.advance(5000);
    expect(log.files().length).toBe(3);
    log.store.ensureTopic("t", { partitions: 1, overrides: { retention: { maxAgeMs: 5001 } } });
    await log.clock.advance(0);
    expect(log.files().length).toBe(3);
    await log.clock.advance(1000);
    expect(log.files().length).toBe(1);
  });

  test("retain() runs at once, and with dryRun only says what would go", async () => {
    const log = keptLog({ maxAgeMs: 1500 });
    log.fill(3);
    const all = log.files();
    const sealed = [...log.topic.partitions[0]!.sealed];
    log.commit("g", all[2]!);
    // The timer has looked after a second, and looks again after two.
    await log.clock.advance(1500);
    const removed = sealed.slice(0, 2).map(({ path: file, baseOffset, nextOffset, summary }) => {
      const bytes = summary.logBytes;
      return { topic: "t", partition: 0, file, bytes, baseOffset, nextOffset };
    });
    const hold = { topic: "t", partition: 0, groupId: "g", offset: all[2]! };
    const held = [{ ...hold, bytes: sealed[2]!.summary.logBytes }];
    expect(await log.store.retain("t", true)).toEqual({ removed, held, failed: [] });
    expect(log.files()).toEqual(all);
    expect(await log.store.retain("t", false)).toEqual({ removed, held, failed: [] });
    expect(log.files()).toEqual(all.slice(2));
    expect(await log.store.retain(undefined, false)).toEqual({ removed: [], held, failed: [] });
    await expect(log.store.retain("none", true)).rejects.toThrow(LogError);
  });

  test("without automaticRetention nothing goes but by retain()", async () => {
    const log = keptLog({ maxAgeMs: 1000 }, { automaticRetention: false });
    log.fill(2);
    await log.clock.advance(10_000);
    expect(log.files().length).toBe(3);
    expect((await log.store.retain("t", true)).removed.length).toBe(2);
    expect(log.files().length).toBe(3);
    expect((await log.store.retain("t", false)).removed.length).toBe(2);
    expect(log.files().length).toBe(1);
  });

  test("a crash after the log start was raised leaves what the next open sweeps", async () => {
    const log = keptLog({ maxAgeMs: 1000 });
    log.fill(3);
    const all = log.files();
    const sealed = [...log.topic.partitions[0]!.sealed];
    const files = [sealed[0]!.path, sealed[0]!.path.replace(/log$/, "index"), sealed[1]!.path];
    const bytes = files.map((file) => readFileSync(file));
    log.commit("g", all[2]!);
    await log.clock.advance(1000);
    expect(log.files()).toEqual(all.slice(2));
    await log.close();
    for (const [at, file] of files.entries()) writeFileSync(file, bytes[at]!);
    await log.reopen({});
    expect(log.files()).toEqual(all.slice(2));
    expect(log.files(".index")).toEqual(all.slice(2, 3));
    expect(log.offsets()[0]).toBe(all[2]!);
  });

  test("removes nothing once another writer has taken over", async () => {
    const log = keptLog({ maxAgeMs: 1000 });
    log.fill(2);
    writeFileSync(
      join(log.root, "store.json"),
      JSON.stringify({ format: 1, storeId: "x", writerEpoch: 99 }),
    );
    await log.clock.advance(10_000);
    expect((await log.store.retain("t", false)).removed).toEqual([]);
    expect(log.files().length).toBe(3);
    expect(log.store.fenced).toBe(true);
  });
});

describe("Retention with an archive", () => {
  test("a directory: segments are there before they leave the log", async () => {
    const log = keptLog({});
    const archive = join(log.root, "archive");
    await log.reopen({ retention: { maxAgeMs: 1500, archive } });
    log.fill(2);
    const all = log.files();
    const bytes = log.topic.partitions[0]!.sealed.map(({ path }) => readFileSync(path));
    await log.clock.advance(1500);
    const { removed } = await log.store.retain("t", false);
    expect(removed.length).toBe(2);
    expect(log.files()).toEqual(all.slice(2));
    const kept = join(archive, basename(log.topic.directory), "0");
    const names = readdirSync(kept).sort();
    expect(names).toEqual(removed.map(({ file }) => basename(file)));
    expect(names.map((name) => readFileSync(join(kept, name)))).toEqual(bytes);
  });

  test("a callback: a segment stays until its promise has resolved", async () => {
    const asked: ArchivedSegment[] = [];
    const taken: (() => void)[] = [];
    const archive = (segment: ArchivedSegment): Promise<void> => {
      asked.push(segment);
      return new Promise((resolve) => taken.push(resolve));
    };
    const log = keptLog({ maxAgeMs: 1000, archive });
    log.fill(2);
    const all = log.files();
    const [first, second] = log.topic.partitions[0]!.sealed;
    await log.clock.advance(60_000);
    expect(log.files()).toEqual(all);
    expect(asked.map(({ file }) => file)).toEqual([first!.path]);
    taken[0]!();
    await log.clock.advance(0);
    expect(log.files()).toEqual(all.slice(1));
    expect(asked.map(({ file }) => file)).toEqual([first!.path, second!.path]);
    taken[1]!();
    await log.clock.advance(0);
    expect(log.files()).toEqual(all.slice(2));
  });

  test("what a callback fails with is told; it is asked again, later and later", async () => {
    const times: number[] = [];
    const failures: RetentionFailed[] = [];
    let away = true;
    const archive = async (): Promise<void> => {
      times.push(log.clock.now() / 1000);
      if (away) throw new Error("store is away");
    };
    const on = { retentionFailed: (event: RetentionFailed) => failures.push(event) };
    const log = keptLog({ maxAgeMs: 1000, archive }, { on });
    log.fill(1);
    const all = log.files();
    const file = log.topic.partitions[0]!.sealed[0]!.path;
    await log.clock.advance(200_000);
    expect(times).toEqual([1, 2, 4, 8, 16, 32, 64, 124, 184]);
    expect(log.files()).toEqual(all);
    expect(failures.length).toBe(9);
    expect(failures[0]).toEqual({
      topic: "t",
      partition: 0,
      file,
      error: new Error("store is away"),
    });
    // Whoever asks does not wait for the next try.
    const report = await log.store.retain("t", false);
    expect(report.failed[0]?.error.message).toBe("store is away");
    away = false;
    await log.clock.advance(1000);
    expect(log.files()).toEqual(all.slice(1));
  });

  test("a failure of one partition does not stop the others, and without a listener is a warning", async () => {
    const warning = new Promise<Error>((resolve) => process.once("warning", resolve));
    const archive = ({ partition }: ArchivedSegment): void => {
      if (partition === 0) throw new Error("not this one");
    };
    const log = keptLog({ maxAgeMs: 1000, archive }, {}, 2);
    for (const partition of [0, 1]) log.fill(2, partition);
    await log.clock.advance(1000);
    expect(log.files(".log", 0).length).toBe(3);
    expect(log.files(".log", 1).length).toBe(1);
    expect((await warning).message).toContain("not this one");
  });

  test("a group that goes back while a segment is archived keeps it", async () => {
    let taken = (): void => {};
    const archive = (): Promise<void> => new Promise((resolve) => (taken = resolve));
    const log = keptLog({ maxAgeMs: 1000, archive });
    log.fill(1);
    const all = log.files();
    log.commit("g", all[1]!);
    await log.clock.advance(1000);
    log.commit("g", 3);
    taken();
    await log.clock.advance(5000);
    expect(log.files()).toEqual(all);
  });

  test("close() waits for an archive at work, but not forever, and then it removes nothing", async () => {
    let taken = (): void => {};
    const archive = (): Promise<void> => new Promise((resolve) => (taken = resolve));
    const log = keptLog({ maxAgeMs: 1000, archive });
    log.fill(1);
    const all = log.files();
    await log.clock.advance(1000);
    let closed = false;
    const closing = log.close().then(() => (closed = true));
    await log.clock.advance(4999);
    expect(closed).toBe(false);
    await log.clock.advance(1);
    await closing;
    taken();
    await log.clock.advance(1000);
    await log.reopen({});
    expect(log.files()).toEqual(all);
  });
});
