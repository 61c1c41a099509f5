import { afterEach, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ClosedError, CorruptLogError, LogError } from "../../src/errors.ts";
import { groupDirectory } from "../../src/log/group-directory.ts";
import { type Log, openLog } from "../../src/log/log.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import { resolveLogOptions } from "../../src/log/log-options.ts";
import { LogStore } from "../../src/log/log-store.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: Log[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((log) => log.close()));
  removeTemporary();
});

async function openAt(directory: string, options?: LogOptions): Promise<Log> {
  const log = await openLog(directory, options);
  open.push(log);
  return log;
}

const two = { topics: { orders: { partitions: 2 } } };

function partitionDirectory(root: string, partition = 0): string {
  return join(root, "topics", "1-orders", "partitions", String(partition));
}

function activeLog(root: string): string {
  const directory = partitionDirectory(root);
  const names = readdirSync(directory).filter((name) => name.endsWith(".log"));
  return join(directory, names.sort().at(-1)!);
}

describe("openLog()", () => {
  test("lays the directory out as log.md says", async () => {
    const root = temporaryDirectory();
    const log = await openAt(root, two);
    await log.append("orders", 1, numbered(0, 3));
    await log.commit("workers", "orders", [{ partition: 1, offset: 2 }]);
    expect(readdirSync(root).sort()).toEqual(["LOCK", "store.json", "topics"]);
    const topic = join(root, "topics", "1-orders");
    expect(readdirSync(topic).sort()).toEqual(["groups", "partitions", "topic.json"]);
    const group = groupDirectory(join(topic, "groups"), "workers");
    expect(readdirSync(join(topic, "groups"))).toEqual([basename(group)]);
    expect(basename(group)).toMatch(/^[0-9a-f]{16}-workers$/);
    expect(readdirSync(group).sort()).toEqual(["1.offset", "group.json"]);
    expect(readdirSync(partitionDirectory(root, 1)).sort()).toEqual([
      "00000000000000000000.log",
      "head",
    ]);
    await log.close();
    expect(existsSync(join(root, "LOCK"))).toBe(false);
  });

  test("keeps topics, records and offsets, and raises the writer epoch", async () => {
    const root = temporaryDirectory();
    const first = await openAt(root, two);
    await first.createTopic("Größe / 2", 1);
    await first.append("Größe / 2", 0, numbered(0, 3));
    await first.commit("g", "orders", [{ partition: 1, offset: 7, metadata: "m" }]);
    await first.close();
    const second = await openAt(root);
    expect(await second.topics()).toEqual([
      { topic: "orders", partitions: 2 },
      { topic: "Größe / 2", partitions: 1 },
    ]);
    expect(await second.bounds("Größe / 2", 0)).toEqual({ logStart: 0, logEnd: 3 });
    expect((await second.read("Größe / 2", 0, 1))[0]?.count).toBe(3);
    expect(await second.committed("g", "orders")).toEqual([
      { partition: 0, offset: null, metadata: "" },
      { partition: 1, offset: 7, metadata: "m" },
    ]);
    expect(JSON.parse(readFileSync(join(root, "store.json"), "utf8")).writerEpoch).toBe(2);
  });

  test("shares one log among opens of a directory; the last close closes", async () => {
    const root = temporaryDirectory();
    const first = await openAt(root, two);
    const second = await openAt(`${root}/.`, { topics: { more: { partitions: 1 } } });
    await first.append("more", 0, numbered(0, 1));
    expect((await second.bounds("more", 0)).logEnd).toBe(1);
    await first.close();
    await first.close();
    await expect(first.topics()).rejects.toThrow(ClosedError);
    expect((await second.bounds("more", 0)).logEnd).toBe(1);
    const closing = second.close();
    const third = await openAt(root);
    await closing;
    expect((await third.bounds("more", 0)).logEnd).toBe(1);
    await expect(openLog(root, { segment: { bytes: 2048 } })).rejects.toThrow("segment.bytes");
  });

  test("adds partitions to a topic, and refuses to take some away", async () => {
    const root = temporaryDirectory();
    await (await openAt(root, two)).close();
    const log = await openAt(root, { topics: { orders: { partitions: 3 } } });
    await log.append("orders", 2, numbered(0, 1));
    await expect(openLog(root, two)).rejects.toThrow("partitions cannot be removed");
    expect(await log.topics()).toEqual([{ topic: "orders", partitions: 3 }]);
  });

  test("keeps a topic's own options until another open says otherwise", async () => {
    const root = temporaryDirectory();
    const options = async (): Promise<unknown> => {
      const file = join(root, "topics", "1-orders", "topic.json");
      return JSON.parse(readFileSync(file, "utf8")).options;
    };
    const segments = async (topic: { partitions: number; segment?: object }): Promise<number> => {
      const log = await openAt(root, { topics: { orders: topic } });
      for (let at = 0; at < 20; at++) await log.append("orders", 0, numbered(0, 10));
      await log.close();
      return readdirSync(partitionDirectory(root)).filter((name) => name.endsWith(".log")).length;
    };
    expect(await segments({ partitions: 1 })).toBe(1);
    expect(await options()).toEqual({});
    expect(await segments({ partitions: 1, segment: { bytes: 2048 } })).toBe(6);
    expect(await segments({ partitions: 1 })).toBe(11);
    expect(await options()).toEqual({ segment: { bytes: 2048 } });
    expect(await segments({ partitions: 2, segment: { bytes: 1 << 20 } })).toBe(11);
    expect(await options()).toEqual({ segment: { bytes: 1 << 20 } });
    const log = await openAt(root);
    await log.createTopic("more", 1, { segment: { bytes: 4096 } });
    await expect(log.createTopic("bad", 1, { segment: { bytes: 1 } })).rejects.toThrow("bytes");
    await log.close();
    const file = join(root, "topics", "1-orders", "topic.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"bytes"', '"bites"'));
    await expect(openLog(root)).rejects.toThrow(CorruptLogError);
  });

  test("batches carry the topic epoch, which rises with the partition count", async () => {
    const root = temporaryDirectory();
    const log = await openAt(root, two);
    await log.append("orders", 0, numbered(0, 1));
    await (await openAt(root, { topics: { orders: { partitions: 3 } } })).close();
    await log.append("orders", 0, numbered(1, 1));
    const stored = await log.read("orders", 0, 0);
    expect(stored.map(({ bytes }) => bytes.readUInt32LE(48))).toEqual([1, 2]);
  });

  test("tells of a torn tail", async () => {
    const root = temporaryDirectory();
    const first = await openAt(root, two);
    await first.append("orders", 0, numbered(0, 3));
    await first.close();
    appendFileSync(activeLog(root), "HRB1 torn");
    const events: unknown[] = [];
    const second = await openAt(root, { on: { tornTail: (event) => events.push(event) } });
    expect(events).toMatchObject([{ topic: "orders", partition: 0, bytes: 9, lastOffset: 2 }]);
    expect((await second.bounds("orders", 0)).logEnd).toBe(3);
  });

  test("tells of a group that is ahead of a log whose end was lost", async () => {
    const root = temporaryDirectory();
    const first = await openAt(root, two);
    await first.append("orders", 0, numbered(0, 3));
    await first.commit("g", "orders", [
      { partition: 0, offset: 5 },
      { partition: 1, offset: 0 },
    ]);
    await first.close();
    const events: unknown[] = [];
    const second = await openAt(root, { on: { offsetAheadOfLog: (event) => events.push(event) } });
    expect(events).toEqual([{ groupId: "g", topic: "orders", partition: 0, offset: 5, logEnd: 3 }]);
    await second.append("orders", 0, numbered(3, 2));
    await second.close();
    await openAt(root, { on: { offsetAheadOfLog: (event) => events.push(event) } });
    expect(events.length).toBe(1);
  });

  test("rejects for a damaged log and gives the lock back", async () => {
    const root = temporaryDirectory();
    const first = await openAt(root, two);
    for (let at = 0; at < 3; at++) await first.append("orders", 0, numbered(at, 1));
    await first.close();
    const bytes = readFileSync(activeLog(root));
    bytes[20] = 9;
    writeFileSync(activeLog(root), bytes);
    await expect(openLog(root)).rejects.toThrow(CorruptLogError);
    await expect(openLog(root)).rejects.toThrow(`at position 0 of ${activeLog(root)}`);
    expect(existsSync(join(root, "LOCK"))).toBe(false);
  });

  test("sweeps what a crash left half made", async () => {
    const root = temporaryDirectory();
    await (await openAt(root, two)).close();
    mkdirSync(join(root, "topics", "2-half.tmp", "groups"), { recursive: true });
    writeFileSync(join(root, "LOCK.someone"), "");
    await openAt(root);
    expect(readdirSync(join(root, "topics"))).toEqual(["1-orders"]);
    expect(existsSync(join(root, "LOCK.someone"))).toBe(false);
  });

  test("refuses writes, offsets included, once another writer has raised the epoch", async () => {
    const root = temporaryDirectory();
    const store = new LogStore(root, resolveLogOptions());
    const partition = store.ensureTopic("orders", { partitions: 1, overrides: {} }).partitions[0]!;
    partition.append(numbered(0, 1));
    const path = join(root, "store.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"writerEpoch": 1', '"writerEpoch": 2'));
    await store.sync();
    expect(store.fenced).toBe(true);
    expect(() => partition.append(numbered(1, 1))).toThrow("another process has taken over");
    await store.close();
  });

  test("onCorruption concerns one partition: the others are written to as ever", async () => {
    const root = temporaryDirectory();
    const first = await openAt(root, two);
    for (let at = 0; at < 3; at++) await first.append("orders", 0, numbered(at, 1));
    await first.append("orders", 1, numbered(0, 1));
    await first.close();
    const bytes = readFileSync(activeLog(root));
    bytes[20] = 9;
    writeFileSync(activeLog(root), bytes);
    const seen: unknown[] = [];
    const on = { corrupt: (event: unknown) => seen.push(event) };
    const readonly = await openAt(root, { onCorruption: "readonly", on });
    expect(await readonly.bounds("orders", 0)).toEqual({ logStart: 0, logEnd: 3 });
    await expect(readonly.read("orders", 0, 0)).rejects.toThrow(CorruptLogError);
    await expect(readonly.append("orders", 0, numbered(0, 1))).rejects.toThrow("reading only");
    await readonly.append("orders", 1, numbered(1, 1));
    await readonly.close();
    const log = await openAt(root, { onCorruption: "quarantine", on });
    expect((await log.append("orders", 0, numbered(3, 1))).baseOffset).toBe(3);
    expect((await log.append("orders", 1, numbered(2, 1))).baseOffset).toBe(2);
    expect(await log.bounds("orders", 0)).toEqual({ logStart: 3, logEnd: 4 });
    expect(seen).toMatchObject([
      { policy: "readonly", partition: 0, position: 0, firstLost: 0, nextOffset: 3 },
      { policy: "quarantine", partition: 0, position: 0, firstLost: 0, nextOffset: 3 },
    ]);
  });

  test.each([
    ["segments", { segments: {} }, TypeError],
    ["segment.bytes", { segment: { bytes: 100 } }, RangeError],
    ["topics.a.partitions", { topics: { a: {} } }, TypeError],
    ["topics.a.partitions", { topics: { a: { partitions: 0 } } }, RangeError],
    ["on.tornTail", { on: { tornTail: 1 } }, TypeError],
  ] as [string, object, typeof TypeError][])("refuses a wrong %s", async (name, options, type) => {
    await expect(openLog("unused", options)).rejects.toThrow(name);
    await expect(openLog("unused", options)).rejects.toThrow(type);
  });

  test("accepts the values that are the defaults", async () => {
    const options = { sync: "interval", acknowledge: "written", verify: "read" } as LogOptions;
    await openAt(temporaryDirectory(), { ...options, onCorruption: "fail" });
  });
});

describe("Log", () => {
  test("refuses unknown topics, partitions and offsets", async () => {
    const log = await openAt(temporaryDirectory(), two);
    await expect(log.append("none", 0, numbered(0, 1))).rejects.toThrow(LogError);
    await expect(log.append("orders", 2, numbered(0, 1))).rejects.toThrow(LogError);
    await expect(log.read("orders", 0, 1)).rejects.toThrow(LogError);
    await expect(log.committed("g", "none")).rejects.toThrow(LogError);
    await expect(log.createTopic("orders", 1)).rejects.toThrow(LogError);
    await expect(log.offsetForTime("none", 0, 0)).rejects.toThrow(LogError);
    await expect(log.offsetForTime("orders", 0, Number.NaN)).rejects.toThrow(TypeError);
    const wrong = log.commit("g", "orders", [{ partition: 0, offset: -1 }]);
    await expect(wrong).rejects.toThrow(RangeError);
  });
});

describe("two processes", () => {
  const children: ChildProcess[] = [];

  afterEach(async () => {
    await Promise.all(children.splice(0).map(kill));
  });

  /** A process that opens the log, appends one record, says "open" and stays. */
  function writer(root: string, stderr: "inherit" | "ignore" = "inherit"): ChildProcess {
    const script = fileURLToPath(new URL("./lock-child.ts", import.meta.url));
    const args = "Deno" in globalThis ? ["run", "-A", "--no-check", script] : [script];
    const child = spawn(process.execPath, [...args, root], { stdio: ["ignore", "pipe", stderr] });
    children.push(child);
    return child;
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }

  /** True when it has the log open, false when it has ended. */
  function opens(child: ChildProcess): Promise<boolean> {
    return new Promise((resolve) => {
      child.stdout!.once("data", () => resolve(true));
      child.once("exit", () => resolve(false));
    });
  }

  test("only one writes; the lock of one that was killed is taken over", async () => {
    const root = temporaryDirectory();
    const child = writer(root);
    expect(await opens(child)).toBe(true);
    await expect(openLog(root)).rejects.toThrow(LogError);
    await expect(openLog(root)).rejects.toThrow(`process ${child.pid} (pid ${child.pid}`);
    await kill(child);
    const log = await openAt(root);
    expect((await log.bounds("t", 0)).logEnd).toBe(1);
    expect((await log.append("t", 0, numbered(0, 1))).baseOffset).toBe(1);
  });

  test("of writers that race for the lock of a dead one, one gets it", async () => {
    const root = temporaryDirectory();
    const first = writer(root);
    expect(await opens(first)).toBe(true);
    await kill(first);
    const racers = Array.from({ length: 3 }, () => writer(root, "ignore"));
    const won = await Promise.all(racers.map(opens));
    expect(won.filter(Boolean).length).toBe(1);
    await kill(racers[won.indexOf(true)]!);
    expect((await (await openAt(root)).bounds("t", 0)).logEnd).toBe(2);
  });
});
