import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../../src/errors.ts";
import { readBatchHeader } from "../../src/log/format.ts";
import { OffsetIndex } from "../../src/log/offset-index.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { indexPath } from "../../src/log/segment-names.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import type { Clock } from "../../src/types.ts";
import { openPartition as openAlone } from "./open-partition.ts";
import { numbered, record, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: PartitionLog[] = [];

afterEach(() => {
  for (const partition of open.splice(0)) partition.close();
  removeTemporary();
});

function openPartition(
  directory: string,
  bytes = 4096,
  writerEpoch = 1,
  clock?: Clock,
): PartitionLog {
  const wish = { options: { segment: { bytes } }, writerEpoch };
  const partition = openAlone(directory, clock === undefined ? wish : { ...wish, clock });
  open.push(partition);
  return partition;
}

function fill(partition: PartitionLog, batches: number, size = 5): void {
  for (let at = 0; at < batches; at++) partition.append(numbered(partition.logEnd, size));
}

/** Values from an offset to the end, read in steps of `maxBytes`. */
function values(partition: PartitionLog, from = 0, maxBytes = 700): string[] {
  const all: string[] = [];
  for (let offset = from; offset < partition.logEnd; ) {
    for (const batch of partition.read(offset, maxBytes)) {
      const records = new RawRecords(batch, Math.max(offset, batch.baseOffset));
      for (let at = 0; at < records.count; at++) all.push(String(records.valueAt(at)));
      offset = batch.baseOffset + batch.count;
    }
  }
  return all;
}

function expected(to: number, from = 0): string[] {
  return Array.from({ length: to - from }, (_, at) => `v${from + at}`);
}

function names(directory: string, ending: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith(ending));
}

describe("PartitionLog", () => {
  test("append() gives dense offsets, read() one batch per append", () => {
    const partition = openPartition(temporaryDirectory());
    expect(partition.append(numbered(0, 3))).toBe(0);
    expect(partition.append(numbered(3, 1))).toBe(3);
    expect([partition.logStart, partition.logEnd]).toEqual([0, 4]);
    const batches = partition.read(0, 1 << 20);
    expect(batches.map(({ baseOffset, count }) => [baseOffset, count])).toEqual([
      [0, 3],
      [3, 1],
    ]);
    expect(partition.read(2, 1)[0]?.baseOffset).toBe(0);
    expect(partition.read(4, 1)).toEqual([]);
  });

  test("read() refuses offsets outside the log", () => {
    const partition = openPartition(temporaryDirectory());
    fill(partition, 1);
    for (const offset of [-1, 6, Number.NaN]) {
      expect(() => partition.read(offset, 1)).toThrow(LogError);
    }
  });

  test("rolls by size, seals with an index, and reads across segments from every offset", () => {
    const directory = temporaryDirectory();
    const partition = openPartition(directory);
    fill(partition, 60);
    expect(names(directory, ".log").length).toBeGreaterThan(3);
    expect(names(directory, ".index").length).toBe(names(directory, ".log").length - 1);
    for (let from = 0; from <= 300; from += 7) {
      expect(values(partition, from)).toEqual(expected(300, from));
    }
  });

  test("puts a batch that is larger than a segment into one of its own", () => {
    const partition = openPartition(temporaryDirectory(), 1024);
    partition.append(numbered(0, 2));
    partition.append([record("big", "x".repeat(5000))]);
    partition.append(numbered(3, 1));
    expect(partition.read(2, 100)[0]?.bytes.length).toBeGreaterThan(5000);
    expect(values(partition).length).toBe(4);
  });

  test("reads the same after it is opened again, and appends behind it", () => {
    const directory = temporaryDirectory();
    const first = openPartition(directory);
    fill(first, 30);
    first.close();
    const second = openPartition(directory, 4096, 2);
    expect(second.tornTail).toBeUndefined();
    expect(second.logEnd).toBe(150);
    fill(second, 10);
    expect(values(second)).toEqual(expected(200));
  });

  test.each([
    ["deleted", (path: string) => rmSync(path)],
    ["zeroed", (path: string) => writeFileSync(path, readFileSync(path).fill(0))],
    ["truncated", (path: string) => truncateSync(path, 21)],
    ["emptied", (path: string) => truncateSync(path, 0)],
  ] as [string, (path: string) => void][])("rebuilds an index that was %s", (_name, damage) => {
    const directory = temporaryDirectory();
    const first = openPartition(directory);
    fill(first, 60);
    first.close();
    const indexes = names(directory, ".index").map((name) => join(directory, name));
    const before = indexes.map((path) => readFileSync(path));
    for (const path of indexes) damage(path);
    const second = openPartition(directory, 4096, 2);
    expect(values(second)).toEqual(expected(300));
    expect(indexes.map((path) => readFileSync(path))).toEqual(before);
  });

  test("rebuilds an index whose footer disagrees with its segment", () => {
    const directory = temporaryDirectory();
    const first = openPartition(directory);
    fill(first, 60);
    first.close();
    const { path, baseOffset, summary } = first.sealed[1]!;
    const good = readFileSync(indexPath(path));
    const wrong = {
      ...summary,
      logBytes: summary.logBytes - 1,
      nextOffset: summary.nextOffset + 3,
    };
    writeFileSync(
      indexPath(path),
      OffsetIndex.decode(good, baseOffset)!.index.encode(baseOffset, wrong),
    );
    const second = openPartition(directory, 4096, 2);
    expect(values(second)).toEqual(expected(300));
    expect(readFileSync(indexPath(path))).toEqual(good);
  });

  test("refuses a missing segment at the start, in the middle and at the end", () => {
    const directory = temporaryDirectory();
    const first = openPartition(directory);
    fill(first, 60);
    first.close();
    const logs = names(directory, ".log").sort();
    const middle = readFileSync(join(directory, logs[1]!));
    rmSync(join(directory, logs[1]!));
    expect(() => openPartition(directory)).toThrow("segments must follow each other");
    writeFileSync(join(directory, logs[1]!), middle);
    const start = readFileSync(join(directory, logs[0]!));
    rmSync(join(directory, logs[0]!));
    expect(() => openPartition(directory)).toThrow("first segment must be there");
    writeFileSync(join(directory, logs[0]!), start);
    rmSync(join(directory, logs.at(-1)!));
    expect(() => openPartition(directory)).toThrow("newest segment must be there");
  });

  test("takes an empty last segment as legal", () => {
    const directory = temporaryDirectory();
    const first = openPartition(directory);
    fill(first, 3);
    first.close();
    rmSync(join(directory, "head"));
    writeFileSync(join(directory, `${"15".padStart(20, "0")}.log`), "");
    const second = openPartition(directory, 4096, 2);
    expect(second.logEnd).toBe(15);
    fill(second, 1);
    expect(values(second)).toEqual(expected(20));
  });

  test("append times never decrease, whatever the clock does", () => {
    let now = 0;
    const clock = { ...systemClock, wallTime: () => now };
    const partition = openPartition(temporaryDirectory(), 1024, 1, clock);
    for (now of [5000, 7000, 3000, 6000]) fill(partition, 3);
    const times: number[] = [];
    for (let offset = 0; offset < partition.logEnd; offset += 5) {
      const header = readBatchHeader(partition.read(offset, 1)[0]!.bytes, 0);
      if (typeof header !== "string") times.push(header.appendTimeUs / 1e6);
    }
    expect(times).toEqual([5, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
  });

  test("read() finds damage that came after the log was opened, naming file and position", () => {
    const directory = temporaryDirectory();
    const partition = openPartition(directory);
    fill(partition, 3);
    const path = join(directory, names(directory, ".log")[0]!);
    const bytes = readFileSync(path);
    const second = partition.read(0, 1)[0]!.bytes.length;
    bytes[second + 100] = bytes[second + 100]! ^ 1;
    writeFileSync(path, bytes);
    expect(partition.read(0, 1).length).toBe(1);
    expect(() => partition.read(5, 1)).toThrow(CorruptLogError);
    expect(() => partition.read(5, 1)).toThrow(`at position ${second} of ${path}`);
  });

  test("sync() moves the synced position, close() too", async () => {
    const partition = openPartition(temporaryDirectory());
    fill(partition, 1);
    expect(partition.dirty).toBe(true);
    await partition.sync();
    expect(partition.dirty).toBe(false);
  });

  test("dropOldest() raises the persisted log start and removes .log and indexes", () => {
    const directory = temporaryDirectory();
    const partition = openPartition(directory);
    fill(partition, 60);
    const before = partition.bytes;
    const [first, second] = partition.sealed;
    expect(values(partition, 0).length).toBe(300);
    expect(partition.dropOldest()).toBe(first);
    expect(partition.logStart).toBe(second!.baseOffset);
    expect(partition.bytes).toBe(before - first!.summary.logBytes);
    expect(names(directory, "").filter((name) => name.startsWith("0".repeat(20)))).toEqual([]);
    expect(() => partition.read(0, 1)).toThrow(`from ${second!.baseOffset} to 300`);
    expect(values(partition, second!.baseOffset)).toEqual(expected(300, second!.baseOffset));
    while (partition.dropOldest());
    expect(partition.sealed).toEqual([]);
    partition.close();
    const again = openPartition(directory, 4096, 2);
    expect([again.logStart, again.logEnd]).toEqual([partition.logStart, 300]);
  });

  test("sweeps what a crash left of a removal, and nothing else", () => {
    const directory = temporaryDirectory();
    const first = openPartition(directory);
    fill(first, 60);
    const [oldest, next] = first.sealed;
    const log = readFileSync(oldest!.path);
    const index = readFileSync(oldest!.path.replace(".log", ".index"));
    first.dropOldest();
    first.close();
    const good = readdirSync(directory).sort();
    writeFileSync(oldest!.path, log);
    writeFileSync(oldest!.path.replace(".log", ".index"), index);
    writeFileSync(oldest!.path.replace(".log", ".timeindex"), index);
    writeFileSync(join(directory, "00000000000000000009.index.tmp"), "");
    const second = openPartition(directory, 4096, 2);
    expect(readdirSync(directory).sort()).toEqual(good);
    expect(values(second, next!.baseOffset)).toEqual(expected(300, next!.baseOffset));
  });

  test("append() after close() or refuse() is a LogError", () => {
    const partition = openPartition(temporaryDirectory());
    fill(partition, 1);
    partition.refuse("a test says so");
    expect(() => partition.append(numbered(5, 1))).toThrow("a test says so");
    expect(values(partition).length).toBe(5);
  });

  test("a batch that breaks a limit leaves the partition usable", () => {
    const partition = openPartition(temporaryDirectory());
    expect(() => partition.append([{ ...record("", ""), id: new Uint8Array(3) }])).toThrow(
      LogError,
    );
    expect(partition.append(numbered(0, 1))).toBe(0);
  });
});
