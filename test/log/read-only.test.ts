import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ClosedError, CorruptLogError, LogError } from "../../src/errors.ts";
import { type Log, openLog } from "../../src/log/log.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";
import { WriterProcess } from "./writer-process.ts";

const logs: Log[] = [];
const writers: WriterProcess[] = [];

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  for (const writer of writers.splice(0)) await writer.child.kill();
  removeTemporary();
});

async function openAt(directory: string, options: LogOptions = { readOnly: true }): Promise<Log> {
  const log = await openLog(directory, options);
  logs.push(log);
  return log;
}

/** A log that another process has open, with two topics. */
async function writtenElsewhere(): Promise<{ directory: string; writer: WriterProcess }> {
  const directory = temporaryDirectory();
  const topics = { orders: { partitions: 2 }, bills: { partitions: 1 } };
  const writer = new WriterProcess(directory, { topics, segment: { bytes: 1024 } });
  writers.push(writer);
  await writer.ready();
  return { directory, writer };
}

function append(writer: WriterProcess, partition: number, count: number): Promise<unknown> {
  const records = Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: `v${at}` }));
  return writer.do({ act: "append", topic: "orders", partition, records });
}

/** Every file with size and time of change. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map((name) => {
      const { size, mtimeMs } = statSync(join(directory, String(name)));
      return `${name} ${size} ${mtimeMs}`;
    })
    .sort();
}

describe("openLog() with readOnly", () => {
  test("reads beside another process that writes, always as it is now", async () => {
    const { directory, writer } = await writtenElsewhere();
    const log = await openAt(directory);
    expect(await log.topics()).toEqual([
      { topic: "orders", partitions: 2 },
      { topic: "bills", partitions: 1 },
    ]);
    expect(await log.bounds("orders", 1)).toEqual({ logStart: 0, logEnd: 0 });
    for (let at = 0; at < 20; at++) await append(writer, 1, 3);
    expect(await log.bounds("orders", 1)).toEqual({ logStart: 0, logEnd: 60 });
    const [batch] = await log.read("orders", 1, 31, 1);
    expect([batch!.baseOffset, batch!.count]).toEqual([30, 3]);
    expect(String(new RawRecords(batch!).valueAt(1))).toBe("v1");
    await writer.do({ act: "createTopic", topic: "made", partitions: 1 });
    await writer.do({ act: "grow", topic: "orders", partitions: 3 });
    expect((await log.topics()).map(({ partitions }) => partitions)).toEqual([3, 1, 1]);
    expect(await log.bounds("orders", 2)).toEqual({ logStart: 0, logEnd: 0 });
  });

  test("changes nothing in the directory, and refuses to write", async () => {
    const { directory, writer } = await writtenElsewhere();
    await append(writer, 0, 3);
    await writer.child.kill();
    const before = filesIn(directory);
    const log = await openAt(directory);
    await log.read("orders", 0, 0);
    await log.committed("g", "orders");
    await expect(log.append("orders", 0, numbered(0, 1))).rejects.toThrow(LogError);
    await expect(log.append("orders", 0, numbered(0, 1))).rejects.toThrow("for reading only");
    await expect(log.createTopic("new", 1)).rejects.toThrow("for reading only");
    await log.close();
    await expect(log.topics()).rejects.toThrow(ClosedError);
    expect(filesIn(directory)).toEqual(before);
  });

  test("stores offsets of a group that nobody runs, which the writer's process sees", async () => {
    const { directory } = await writtenElsewhere();
    const [log, other] = [await openAt(directory), await openAt(directory)];
    expect(await log.groups("orders")).toEqual([]);
    await log.commit("g", "orders", [{ partition: 1, offset: 7, metadata: "m" }]);
    const stored = [
      { partition: 0, offset: null, metadata: "" },
      { partition: 1, offset: 7, metadata: "m" },
    ];
    expect(await other.committed("g", "orders")).toEqual(stored);
    await writers[0]!.child.kill();
    const writer = await openAt(directory, {});
    expect(await writer.committed("g", "orders")).toEqual(stored);
    await writer.commit("a", "orders", [{ partition: 0, offset: 1 }]);
    expect(await log.groups("orders")).toEqual(["a", "g"]);
    expect(await log.groups("bills")).toEqual([]);
    await writer.close();
  });

  test("can be opened before, during and after writing in the same process", async () => {
    const directory = temporaryDirectory();
    const first = await openLog(directory, { topics: { orders: { partitions: 1 } } });
    const reader = await openAt(directory);
    await first.append("orders", 0, numbered(0, 2));
    expect(await reader.bounds("orders", 0)).toEqual({ logStart: 0, logEnd: 2 });
    await first.close();
    expect(existsSync(join(directory, "LOCK"))).toBe(false);
    expect((await reader.read("orders", 0, 0)).length).toBe(1);
    const again = await openAt(directory, {});
    await again.append("orders", 0, numbered(2, 1));
    expect(await reader.bounds("orders", 0)).toEqual({ logStart: 0, logEnd: 3 });
  });

  test("visibility synced sees no more than the disk has", async () => {
    const directory = temporaryDirectory();
    const options: LogOptions = { topics: { t: { partitions: 1 } }, syncIntervalMs: 3_600_000 };
    const writer = await openLog(directory, options);
    await writer.append("t", 0, numbered(0, 2));
    const synced = await openAt(directory, { readOnly: true, visibility: "synced" });
    const written = await openAt(directory);
    expect((await written.bounds("t", 0)).logEnd).toBe(2);
    expect((await synced.bounds("t", 0)).logEnd).toBe(0);
    await writer.close();
    expect((await synced.bounds("t", 0)).logEnd).toBe(2);
  });

  test("onAppend() calls back for what another process writes, until it is removed", async () => {
    const { directory, writer } = await writtenElsewhere();
    const log = await openAt(directory);
    expect(() => log.onAppend("none", () => {})).toThrow(LogError);
    let calls = 0;
    let grown = (): void => {};
    const stop = log.onAppend("orders", () => {
      calls++;
      grown();
    });
    for (const partition of [0, 1]) {
      const called = new Promise<void>((resolve) => {
        grown = resolve;
      });
      await append(writer, partition, 1);
      await called;
    }
    stop();
    const before = calls;
    await append(writer, 0, 1);
    expect((await log.bounds("orders", 0)).logEnd).toBe(2);
    expect(calls).toBe(before);
  });

  test("refuses a directory that is missing, foreign, damaged or of a newer format", async () => {
    const directory = join(temporaryDirectory(), "log");
    await expect(openLog(directory, { readOnly: true })).rejects.toThrow("directory must exist");
    expect(existsSync(directory)).toBe(false);
    mkdirSync(directory);
    writeFileSync(join(directory, "photo.jpg"), "");
    await expect(openLog(directory, { readOnly: true })).rejects.toThrow(LogError);
    await expect(openLog(directory, { readOnly: true })).rejects.toThrow("received no store.json");
    writeFileSync(join(directory, "store.json"), "{");
    await expect(openLog(directory, { readOnly: true })).rejects.toThrow(CorruptLogError);
    const newer = { format: 2, storeId: "s", writerEpoch: 1 };
    writeFileSync(join(directory, "store.json"), JSON.stringify(newer));
    await expect(openLog(directory, { readOnly: true })).rejects.toThrow("must be 1: received 2");
    expect(readdirSync(directory).sort()).toEqual(["photo.jpg", "store.json"]);
  });

  test.each([
    ["topics", { readOnly: true, topics: { a: { partitions: 1 } } }, RangeError],
    ["sync", { readOnly: true, sync: "never" }, RangeError],
    ["visibility", { visibility: "synced" }, RangeError],
    ["visibility", { readOnly: true, visibility: "all" }, RangeError],
    ["readOnly", { readOnly: "yes" }, TypeError],
    ["writable", { writable: false }, TypeError],
  ] as [string, object, typeof TypeError][])("refuses a wrong %s", async (name, options, type) => {
    await expect(openLog("unused", options)).rejects.toThrow(name);
    await expect(openLog("unused", options)).rejects.toThrow(type);
    expect(existsSync(join(process.cwd(), "unused"))).toBe(false);
  });
});
