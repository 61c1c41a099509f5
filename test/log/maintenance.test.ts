import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ClosedError, LogError } from "../../src/errors.ts";
import { GroupOffsets } from "../../src/log/group-offsets.ts";
import { type Log, openLog } from "../../src/log/log.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

let root: string;
let writer: Log;
let reader: Log;
beforeEach(async () => {
  root = temporaryDirectory();
  writer = await openLog(root, {
    topics: { a: { partitions: 2 }, b: { partitions: 1 } },
    segment: { bytes: 1024 },
  });
  reader = await openLog(root, { readOnly: true });
});
afterEach(async () => {
  await reader.close();
  await writer.close();
  removeTemporary();
});

describe("Log.segments()", () => {
  test("lists what there is, the same to a reader and the writer", async () => {
    expect(await reader.segments("a", 0)).toEqual([]);
    for (let batch = 0; batch < 12; batch++) await writer.append("a", 0, numbered(batch * 4, 4));
    const segments = await reader.segments("a", 0);
    expect(segments.length).toBeGreaterThan(2);
    expect(await writer.segments("a", 0)).toEqual(segments);
    expect(segments[0]).toMatchObject({ baseOffset: 0, sealed: true });
    segments.forEach(({ file, nextOffset, bytes, sealed }, at) => {
      const next = segments[at + 1];
      expect([nextOffset, sealed]).toEqual([next?.baseOffset ?? 48, next !== undefined]);
      expect(bytes).toBeGreaterThan(0);
      expect(existsSync(file)).toBe(true);
    });
  });

  test("refuses what is not there", async () => {
    await expect(reader.segments("c", 0)).rejects.toThrow("the topic must exist: received c");
    await expect(reader.segments("a", 2)).rejects.toThrow("partition must exist: received a#2");
  });
});

describe("Log.topicOptions()", () => {
  test("gives what is stored with a topic, and nothing else", async () => {
    const options = { retention: { maxAgeMs: 5000 }, segment: { bytes: 2048 } };
    await writer.createTopic("c", 1, options);
    for (const log of [reader, writer]) {
      expect(await log.topicOptions("c")).toEqual(options);
      expect(await log.topicOptions("a")).toEqual({});
    }
    await expect(reader.topicOptions("d")).rejects.toThrow("the topic must exist");
  });
});

describe("Log.groupProcess()", () => {
  test("says where a group runs", async () => {
    await reader.commit("g", "a", [{ partition: 0, offset: 0 }]);
    expect(await reader.groupProcess("g", "a")).toBeNull();
    const lock = new GroupOffsets(join(root, "topics/1-a/groups")).lock("g", "Cannot");
    try {
      for (const log of [reader, writer]) {
        expect(await log.groupProcess("g", "a")).toMatchObject({ pid: process.pid });
      }
      expect(await reader.groupProcess("g", "b")).toBeNull();
      expect(await reader.groupProcess("other", "a")).toBeNull();
    } finally {
      lock.release();
    }
    expect(await reader.groupProcess("g", "a")).toBeNull();
  });
});

describe("Log.deleteTopic()", () => {
  test("removes messages and offsets; the name can be used again", async () => {
    await writer.append("a", 0, numbered(0, 3));
    await writer.commit("g", "a", [{ partition: 0, offset: 3 }]);
    await writer.deleteTopic("a");
    expect((await writer.topics()).map(({ topic }) => topic)).toEqual(["b"]);
    expect((await reader.topics()).map(({ topic }) => topic)).toEqual(["b"]);
    await expect(reader.bounds("a", 0)).rejects.toThrow("the topic must exist");
    await expect(writer.append("a", 0, numbered(0, 1))).rejects.toThrow(LogError);
    expect(readdirSync(join(root, "topics"))).toEqual(["2-b"]);
    await writer.createTopic("a", 1);
    expect(await reader.bounds("a", 0)).toEqual({ logStart: 0, logEnd: 0 });
    expect(await reader.groups("a")).toEqual([]);
  });

  test("refuses a topic that is not there, a log that is only read, and a closed one", async () => {
    await expect(writer.deleteTopic("c")).rejects.toThrow("must exist here: received c");
    await expect(reader.deleteTopic("a")).rejects.toThrow("open for reading only");
    await writer.close();
    await expect(writer.deleteTopic("a")).rejects.toThrow(ClosedError);
    expect(readdirSync(join(root, "topics")).sort()).toEqual(["1-a", "2-b"]);
  });

  test("a writer that was taken over from removes nothing", async () => {
    writeFileSync(join(root, "store.json"), '{"format":1,"storeId":"x","writerEpoch":99}');
    await expect(writer.deleteTopic("a")).rejects.toThrow("another process has taken over");
    expect(readdirSync(join(root, "topics")).sort()).toEqual(["1-a", "2-b"]);
  });

  test("what a crash left of it is swept when the log is opened", async () => {
    await writer.close();
    const gone = join(root, "topics/1-a.removed.tmp");
    renameSync(join(root, "topics/1-a"), gone);
    writer = await openLog(root);
    expect((await writer.topics()).map(({ topic }) => topic)).toEqual(["b"]);
    expect(existsSync(gone)).toBe(false);
  });
});

describe("Log.deleteGroup()", () => {
  test("removes offsets in one topic or in all", async () => {
    for (const topic of ["a", "b"]) {
      await writer.commit("g", topic, [{ partition: 0, offset: 1 }]);
    }
    await writer.commit("other", "a", [{ partition: 0, offset: 1 }]);
    expect(await reader.deleteGroup("g", "a")).toEqual(["a"]);
    expect((await reader.committed("g", "a"))[0]!.offset).toBeNull();
    expect((await reader.committed("g", "b"))[0]!.offset).toBe(1);
    await writer.commit("g", "a", [{ partition: 0, offset: 1 }]);
    expect(await writer.deleteGroup("g")).toEqual(["a", "b"]);
    expect(await reader.groups("a")).toEqual(["other"]);
    expect(await reader.groups("b")).toEqual([]);
  });

  test("refuses a group that runs, in any topic, and removes nothing", async () => {
    for (const topic of ["a", "b"]) {
      await writer.commit("g", topic, [{ partition: 0, offset: 1 }]);
    }
    const lock = new GroupOffsets(join(root, "topics/2-b/groups")).lock("g", "Cannot");
    try {
      await expect(writer.deleteGroup("g")).rejects.toThrow("must have no member");
      await expect(writer.deleteGroup("g")).rejects.toThrow(`pid ${process.pid}`);
    } finally {
      lock.release();
    }
    expect((await reader.committed("g", "a"))[0]!.offset).toBe(1);
    expect((await reader.committed("g", "b"))[0]!.offset).toBe(1);
  });

  test("refuses a group without offsets, and makes nothing", async () => {
    await expect(reader.deleteGroup("g")).rejects.toThrow("must have stored offsets: received g");
    await expect(reader.deleteGroup("g", "c")).rejects.toThrow("the topic must exist");
    expect(readdirSync(join(root, "topics/1-a/groups"))).toEqual([]);
  });
});
