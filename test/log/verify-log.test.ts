import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { crc32c } from "../../src/log/crc32c.ts";
import { type Log, openLog } from "../../src/log/log.ts";
import { verifyLog } from "../../src/log/verify-log.ts";
import type { Damage } from "../../src/log/verify-report.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

const SEGMENT_BYTES = 1024;
const LARGE = { bytes: 32_768 };
const BATCHES = 12;
const RECORDS = 4;

let root: string;
let open: Log | undefined;
beforeEach(async () => {
  root = temporaryDirectory();
  const log = await openLog(root, {
    topics: { a: { partitions: 2 }, b: { partitions: 1 } },
    segment: { bytes: SEGMENT_BYTES },
  });
  for (let batch = 0; batch < BATCHES; batch++) {
    await log.append("a", 0, numbered(batch * RECORDS, RECORDS));
  }
  await log.append("b", 0, numbered(0, 1));
  await log.commit("g", "a", [{ partition: 0, offset: 3 }]);
  await log.commit("g", "a", [{ partition: 0, offset: 5 }]);
  await log.close();
});
afterEach(async () => {
  await open?.close();
  open = undefined;
  removeTemporary();
});

/** Partition 0 of topic a. */
function partition(): string {
  return join(root, "topics/1-a/partitions/0");
}

/** Names of its `.log` files. */
function segments(): string[] {
  return readdirSync(partition())
    .filter((name) => name.endsWith(".log"))
    .sort();
}

/** Path of a `.log` file, counted from the oldest; below 0 from the newest. */
function segment(at: number): string {
  return join(partition(), segments().at(at)!);
}

function baseOf(at: number): number {
  return Number(segments().at(at)!.slice(0, 20));
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(path, bytes);
}

async function damages(): Promise<readonly Damage[]> {
  const report = await verifyLog(root);
  expect(report.ok).toBe(report.damages.length === 0);
  return report.damages;
}

/** All files with their bytes, and when they were changed. */
function contents(): string[] {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => {
    const path = join(root, name);
    const { mtimeMs } = statSync(path);
    return statSync(path).isFile() ? `${name} ${mtimeMs} ${readFileSync(path, "hex")}` : name;
  });
}

describe("verifyLog()", () => {
  test("counts all of a good log, and changes nothing", async () => {
    const before = contents();
    const report = await verifyLog(root);
    expect(contents()).toEqual(before);
    expect(report).toMatchObject({
      directory: root,
      ok: true,
      writer: null,
      batches: BATCHES + 1,
      records: BATCHES * RECORDS + 1,
      segments: segments().length + 1,
      damages: [],
    });
    expect(report.partitions.map((one) => [one.topic, one.partition, one.logEnd])).toEqual([
      ["a", 0, BATCHES * RECORDS],
      ["a", 1, 0],
      ["b", 0, 1],
    ]);
    const [first] = report.partitions;
    expect(first!.segments.length).toBeGreaterThan(2);
    expect(first!.segments.map(({ sealed }) => sealed)).toEqual(
      first!.segments.map((_, at) => at < first!.segments.length - 1),
    );
    const bytes = report.partitions.flatMap((one) => one.segments.map((part) => part.bytes));
    expect(report.bytes).toBe(bytes.reduce((sum, one) => sum + one));
  });

  test("tells progress up to all bytes, and ends with its signal", async () => {
    const seen: number[] = [];
    let total = 0;
    const report = await verifyLog(root, {
      onProgress: ({ bytes, totalBytes, file }) => {
        seen.push(bytes);
        total = totalBytes;
        expect(file).toContain("partitions");
      },
    });
    expect([seen.at(-1), total]).toEqual([report.bytes, report.bytes]);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    const stop = new AbortController();
    const stopped = verifyLog(root, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(stopped).rejects.toThrow("abort");
  });

  test("refuses a directory without a log", async () => {
    const other = temporaryDirectory();
    writeFileSync(join(other, "notes"), "");
    for (const path of [other, join(other, "none"), join(other, "notes")]) {
      await expect(verifyLog(path)).rejects.toThrow("the directory must hold a log");
    }
    expect(readdirSync(other)).toEqual(["notes"]);
  });
});

describe("verifyLog() on damaged batches", () => {
  test("names file, position, bytes and offsets, and goes on behind", async () => {
    const path = segment(1);
    flip(path, 100);
    const [damage, ...others] = await damages();
    expect(others).toEqual([]);
    expect(damage).toMatchObject({
      kind: "batch",
      file: `topics/1-a/partitions/0/${segments()[1]}`,
      position: 0,
      topic: "a",
      partition: 0,
      firstOffset: baseOf(1),
      endOffset: baseOf(1) + RECORDS,
      problem: "a wrong checksum",
      loss: true,
    });
    const { records, partitions } = await verifyLog(root);
    expect(records).toBe(BATCHES * RECORDS - RECORDS + 1);
    expect(partitions[0]!.logEnd).toBe(BATCHES * RECORDS);
  });

  test("a damaged end of a sealed segment reaches to the next one", async () => {
    const path = segment(0);
    flip(path, statSync(path).size - 1);
    expect(await damages()).toMatchObject([
      { kind: "batch", firstOffset: baseOf(1) - RECORDS, endOffset: baseOf(1), loss: true },
    ]);
  });

  test("a sealed segment that is too short is no fault of its index", async () => {
    truncateSync(segment(0), 0);
    expect(await damages()).toMatchObject([
      { kind: "batch", position: 0, firstOffset: 0, endOffset: baseOf(1), loss: true },
    ]);
  });

  test("a torn tail above the synced position loses nothing", async () => {
    const { size } = statSync(segment(-1));
    appendFileSync(segment(-1), Buffer.alloc(77));
    expect(await damages()).toMatchObject([
      {
        kind: "torn-tail",
        position: size,
        bytes: 77,
        firstOffset: null,
        endOffset: null,
        problem: "no batch magic",
        loss: false,
      },
    ]);
  });

  test("a flaw or an end below the synced position is a loss", async () => {
    const path = segment(-1);
    const { size } = statSync(path);
    const good = readFileSync(path);
    flip(path, size - 1);
    expect(await damages()).toMatchObject([{ kind: "batch", loss: true, endOffset: null }]);
    writeFileSync(path, good.subarray(0, size - 1));
    expect(await damages()).toMatchObject([
      { kind: "batch", loss: true, problem: "a batch that is cut off" },
    ]);
    writeFileSync(path, "");
    expect(await damages()).toMatchObject([
      {
        kind: "batch",
        position: 0,
        firstOffset: baseOf(-1),
        problem: `the end of a file that had ${size} bytes`,
        loss: true,
      },
    ]);
  });
});

describe("verifyLog() on missing segments", () => {
  test.each([
    ["the first", 0],
    ["one in the middle", 1],
  ])("%s: names the offsets", async (_name, at) => {
    const [from, to] = [baseOf(at), baseOf(at + 1)];
    rmSync(segment(at));
    const [damage] = await damages();
    expect(damage).toMatchObject({
      kind: "missing",
      firstOffset: from,
      endOffset: to,
      problem: `nothing before it that holds offsets ${from} to ${to - 1}`,
      loss: true,
    });
  });

  test("the newest: the head tells", async () => {
    const [from, name] = [baseOf(-1), segments().at(-1)!];
    rmSync(segment(-1));
    const missing = (await damages()).find(({ kind }) => kind === "missing");
    expect(missing).toMatchObject({
      file: `topics/1-a/partitions/0/${name}`,
      firstOffset: from,
      endOffset: BATCHES * RECORDS,
      problem: "no such file, which the head names as the newest",
    });
  });
});

/** What becomes of an index, and how that is told. */
const INDEX_DAMAGE: [name: string, damage: (path: string) => void, problem: string][] = [
  ["deleted", (path: string) => rmSync(path), "no file"],
  ["emptied", (path: string) => truncateSync(path, 0), "a header or footer that does not fit"],
  ["cut", (path: string) => truncateSync(path, 30), "a header or footer that does not fit"],
  [
    "zeroed",
    (path: string) => writeFileSync(path, Buffer.alloc(statSync(path).size)),
    "a header or footer that does not fit",
  ],
  ["flipped", (path: string) => flip(path, 20), "a header or footer that does not fit"],
];

describe("verifyLog() on what was set aside", () => {
  test("a hole that is declared is no damage", async () => {
    const [from, to] = [baseOf(1), baseOf(2)];
    rmSync(segment(1));
    expect((await verifyLog(root)).outcomes).toMatchObject([{ givenUp: [{ from, to }] }]);
    const hole = { from, to, file: "x.log.bad-1", reason: "a wrong checksum" };
    writeFileSync(join(partition(), "quarantine.json"), JSON.stringify({ holes: [hole] }));
    const report = await verifyLog(root);
    expect([report.ok, report.outcomes]).toEqual([true, []]);
    writeFileSync(join(partition(), "quarantine.json"), "{}");
    expect(await damages()).toMatchObject([
      { kind: "description", file: "topics/1-a/partitions/0/quarantine.json" },
      { kind: "missing", firstOffset: from, endOffset: to },
    ]);
  });
});

describe("verifyLog() on indexes and heads", () => {
  describe.each([
    ["index", "index"],
    ["timeindex", "time-index"],
  ])(".%s", (ending, kind) => {
    const index = (): string => segment(0).replace(/log$/, ending);

    test.each(INDEX_DAMAGE)("that was %s loses nothing", async (_name, damage, problem) => {
      damage(index());
      const file = `topics/1-a/partitions/0/${segments()[0]!.replace(/log$/, ending)}`;
      expect(await damages()).toMatchObject([{ kind, file, problem, loss: false }]);
    });

    test("whose entries or footer are not of this segment loses nothing", async () => {
      const log = await openLog(root, { topics: { c: { partitions: 1, segment: LARGE } } });
      for (let batch = 0; batch < 40; batch++) await log.append("c", 0, numbered(0, 40));
      await log.close();
      const path = join(root, `topics/3-c/partitions/0/${"0".repeat(20)}.${ending}`);
      const bytes = readFileSync(path);
      const entryBytes = ending === "index" ? 8 : 12;
      const entries = (bytes.length - 16 - 48) / entryBytes;
      expect(entries).toBeGreaterThanOrEqual(ending === "index" ? 4 : 1);
      for (const at of [bytes.length - 40, bytes.length - 48 - entryBytes, bytes.length - 49]) {
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ 1;
        changed.writeUInt32LE(crc32c(changed, 0, changed.length - 4), changed.length - 4);
        writeFileSync(path, changed);
        const [damage, ...others] = await damages();
        expect(others).toEqual([]);
        expect(damage).toMatchObject({ kind, topic: "c", loss: false });
        expect(damage!.problem).toMatch(
          /^an entry for offset .* begins$|^a footer with nextOffset/,
        );
      }
    });
  });

  test("one damaged slot of a head loses nothing", async () => {
    flip(join(partition(), "head"), 64 + 30);
    expect(await damages()).toMatchObject([
      {
        kind: "head",
        file: "topics/1-a/partitions/0/head",
        position: 64,
        bytes: 64,
        problem: "a damaged slot; the other slot counts",
        loss: false,
      },
    ]);
    flip(join(partition(), "head"), 30);
    expect(await damages()).toMatchObject([
      { kind: "head", position: 0, problem: "a damaged slot; the segments are walked" },
    ]);
  });
});

describe("verifyLog() on a log that cannot be opened", () => {
  test.each([
    ["cut", "{", '"{", no JSON object'],
    ["empty", "", "an empty file"],
    ["of a newer format", '{"format":2,"writerEpoch":1}', "format 2 for 1"],
    ["without an epoch", '{"format":1}', "no writerEpoch"],
  ])("store.json is %s: says so and checks the rest", async (_name, text, problem) => {
    writeFileSync(join(root, "store.json"), text);
    flip(segment(1), 100);
    const report = await verifyLog(root);
    expect(report.damages).toMatchObject([
      { kind: "store", file: "store.json", topic: null, problem, loss: true },
      { kind: "batch", firstOffset: baseOf(1) },
    ]);
    expect(report.records).toBe(BATCHES * RECORDS - RECORDS + 1);
  });

  test("store.json is gone", async () => {
    rmSync(join(root, "store.json"));
    expect(await damages()).toMatchObject([{ kind: "store", problem: "no file" }]);
  });

  test.each([
    ["garbage", "boo", '"boo", no JSON object'],
    ["without an id", '{"name":"a","partitions":2,"epoch":1}', "no id"],
  ])("a topic.json that is %s: its partitions are checked", async (_name, text, problem) => {
    writeFileSync(join(root, "topics/1-a/topic.json"), text);
    const report = await verifyLog(root);
    expect(report.damages).toMatchObject([
      { kind: "description", file: "topics/1-a/topic.json", problem, loss: true },
    ]);
    expect(report.partitions.length).toBe(3);
    expect(report.records).toBe(BATCHES * RECORDS + 1);
  });

  test("group offsets: one slot of two loses nothing, both do", async () => {
    const [group] = readdirSync(join(root, "topics/1-a/groups"));
    const path = join(root, "topics/1-a/groups", group!, "0.offset");
    flip(path, 30);
    expect(await damages()).toMatchObject([
      {
        kind: "group-offset",
        file: `topics/1-a/groups/${group}/0.offset`,
        topic: "a",
        partition: 0,
        position: 0,
        problem: "a damaged slot; the other one counts",
        loss: false,
      },
    ]);
    flip(path, 16_384 + 30);
    expect(await damages()).toMatchObject([{ problem: "no intact slot", loss: true }]);
    rmSync(join(root, "topics/1-a/groups", group!, "group.json"));
    expect(await damages()).toMatchObject([
      { kind: "description", file: `topics/1-a/groups/${group}/group.json`, problem: "no file" },
      { kind: "group-offset" },
    ]);
  });
});

describe("verifyLog() beside a writer", () => {
  test("checks up to what may be read, names the writer, and leaves its lock", async () => {
    open = await openLog(root, { segment: { bytes: SEGMENT_BYTES } });
    await open.append("a", 0, numbered(BATCHES * RECORDS, RECORDS));
    const active = segment(-1);
    const before = contents();
    // As a writer leaves it that is in the middle of its next write.
    const good = readFileSync(active);
    writeFileSync(active, Buffer.concat([good, Buffer.alloc(50, 7)]));
    const report = await verifyLog(root);
    expect(report).toMatchObject({ ok: true, writer: { pid: process.pid } });
    expect(report.partitions[0]!.logEnd).toBe((BATCHES + 1) * RECORDS);
    writeFileSync(active, good);
    expect(contents().filter((line) => !line.includes(segments().at(-1)!))).toEqual(
      before.filter((line) => !line.includes(segments().at(-1)!)),
    );
    expect(existsSync(join(root, "LOCK"))).toBe(true);
  });

  test("damage below the limit is a loss, though it is at the end", async () => {
    open = await openLog(root, { segment: { bytes: SEGMENT_BYTES } });
    await open.append("a", 0, numbered(BATCHES * RECORDS, RECORDS));
    flip(segment(-1), statSync(segment(-1)).size - 1);
    expect(await damages()).toMatchObject([
      { kind: "batch", firstOffset: BATCHES * RECORDS, problem: "a wrong checksum", loss: true },
    ]);
    truncateSync(segment(-1), statSync(segment(-1)).size - 10);
    expect(await damages()).toMatchObject([{ kind: "batch", loss: true }]);
  });

  test("segments and topics that a writer has just made are left alone", async () => {
    open = await openLog(root, { segment: { bytes: SEGMENT_BYTES } });
    writeFileSync(join(partition(), `${"9".repeat(15).padStart(20, "0")}.log`), "new");
    mkdirSync(join(root, "topics/9-half.tmp"));
    expect((await verifyLog(root)).ok).toBe(true);
  });
});
