import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError } from "../../src/errors.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { openPartition } from "./open-partition.ts";
import { numbered, random, removeTemporary, temporaryDirectory } from "./temporary.ts";

afterEach(removeTemporary);

const BATCHES = 8;
const RECORDS = 2;
const SYNCED_BATCHES = 4;

interface Crashed {
  readonly directory: string;
  readonly path: string;
  /** The active log as the crash left it. */
  readonly log: Uint8Array;
  readonly head: Uint8Array;
  /** Where each batch begins, and the end. */
  readonly starts: readonly number[];
}

/** Files as a process leaves them that dies with four batches synced and four more written. */
async function crash(): Promise<Crashed> {
  const directory = temporaryDirectory();
  const partition = openPartition(directory);
  const starts = [0];
  for (let at = 0; at < BATCHES; at++) {
    partition.append(numbered(at * RECORDS, RECORDS));
    starts.push(starts.at(-1)! + partition.read(at * RECORDS, 1)[0]!.bytes.length);
    if (at === SYNCED_BATCHES - 1) await partition.sync();
  }
  const path = join(directory, readdirSync(directory).find((name) => name.endsWith(".log"))!);
  const [log, head] = [readFileSync(path), readFileSync(join(directory, "head"))];
  partition.close();
  return { directory, path, log, head, starts };
}

/** Opens the partition with another log in it. */
function reopen(crashed: Crashed, log: Uint8Array): PartitionLog {
  writeFileSync(crashed.path, log);
  writeFileSync(join(crashed.directory, "head"), crashed.head);
  return openPartition(crashed.directory, { writerEpoch: 2 });
}

/** Checks that exactly the first `batches` are there and that the partition goes on from them. */
function checkPrefix(crashed: Crashed, partition: PartitionLog, batches: number): void {
  expect(partition.logEnd).toBe(batches * RECORDS);
  partition.append(numbered(partition.logEnd, 1));
  const stored = partition.read(0, 1 << 20);
  const values = stored.flatMap((batch) => {
    const records = new RawRecords(batch);
    return Array.from({ length: records.count }, (_, at) => String(records.valueAt(at)));
  });
  expect(values).toEqual(numbered(0, batches * RECORDS + 1).map(({ value }) => text(value)));
  partition.close();
  expect(statSync(crashed.path).size).toBeGreaterThan(crashed.starts[batches]!);
}

const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? new Uint8Array());

describe("PartitionLog recovery", () => {
  test("keeps everything when nothing is torn", async () => {
    const crashed = await crash();
    const partition = reopen(crashed, crashed.log);
    expect(partition.tornTail).toBeUndefined();
    checkPrefix(crashed, partition, BATCHES);
  });

  test("cuts a log that ends at any byte of its last three batches", async () => {
    const crashed = await crash();
    const { log, starts } = crashed;
    for (let size = starts[BATCHES - 3]!; size < log.length; size++) {
      const good = starts.findLastIndex((start) => start <= size);
      const partition = reopen(crashed, log.subarray(0, size));
      const torn = partition.tornTail;
      if (size === starts[good]) expect(torn).toBeUndefined();
      else {
        expect(torn).toMatchObject({
          topic: "t",
          partition: 0,
          file: crashed.path,
          position: starts[good],
          bytes: size - starts[good]!,
          lastOffset: good * RECORDS - 1,
        });
        expect(statSync(crashed.path).size).toBe(starts[good]!);
      }
      checkPrefix(crashed, partition, good);
    }
  });

  test("cuts the last batch when any byte of it has a bit flipped", async () => {
    const crashed = await crash();
    const { log, starts } = crashed;
    const seed = 7;
    const next = random(seed);
    for (let at = starts[BATCHES - 1]!; at < log.length; at++) {
      const flipped = Uint8Array.from(log);
      flipped[at] = flipped[at]! ^ (1 << (next() % 8));
      const partition = reopen(crashed, flipped);
      expect([seed, at, partition.tornTail?.bytes]).toEqual([
        seed,
        at,
        log.length - starts[BATCHES - 1]!,
      ]);
      checkPrefix(crashed, partition, BATCHES - 1);
    }
  });

  test.each([1, 63, 64, 4096])("cuts zeros and garbage of %i bytes behind the log", async (n) => {
    const crashed = await crash();
    const garbage = Uint8Array.from({ length: n }, random(n));
    for (const tail of [new Uint8Array(n), garbage]) {
      const partition = reopen(crashed, Buffer.concat([crashed.log, tail]));
      expect(partition.tornTail?.bytes).toBe(n);
      checkPrefix(crashed, partition, BATCHES);
    }
  });

  test("cuts a batch that is there twice", async () => {
    const crashed = await crash();
    const last = crashed.log.subarray(crashed.starts[BATCHES - 1]!);
    const partition = reopen(crashed, Buffer.concat([crashed.log, last]));
    expect(partition.tornTail?.reason).toContain("base offset");
    checkPrefix(crashed, partition, BATCHES);
  });

  test("refuses a batch that is there twice before others", async () => {
    const crashed = await crash();
    const { log, starts } = crashed;
    const twice = log.subarray(starts[BATCHES - 2]!, starts[BATCHES - 1]!);
    const before = log.subarray(0, starts[BATCHES - 1]!);
    const doubled = Buffer.concat([before, twice, log.subarray(starts[BATCHES - 1]!)]);
    expect(() => reopen(crashed, doubled)).toThrow(CorruptLogError);
    expect(statSync(crashed.path).size).toBe(doubled.length);
  });

  test("cuts a log that ends anywhere when nothing of it was synced, also at 0", async () => {
    const crashed = await crash();
    const { log, starts } = crashed;
    const head = new Uint8Array(0);
    for (const size of [0, 1, 63, 64, starts[1]! - 1, starts[1]!, starts[1]! + 1]) {
      const partition = reopen({ ...crashed, head }, log.subarray(0, size));
      const good = starts.findLastIndex((start) => start <= size);
      expect(partition.tornTail?.bytes ?? 0).toBe(size - starts[good]!);
      checkPrefix(crashed, partition, good);
    }
  });

  test("refuses a bad batch before a good one, naming file and position", async () => {
    const crashed = await crash();
    for (const batch of [SYNCED_BATCHES, BATCHES - 2]) {
      for (const at of [0, 12, 20, 70]) {
        const flipped = Uint8Array.from(crashed.log);
        const position = crashed.starts[batch]!;
        flipped[position + at] = flipped[position + at]! ^ 4;
        expect(() => reopen(crashed, flipped)).toThrow(CorruptLogError);
        expect(() => reopen(crashed, flipped)).toThrow(
          `at position ${position} of ${crashed.path}`,
        );
        expect(statSync(crashed.path).size).toBe(crashed.log.length);
      }
    }
  });

  test("refuses a log that lost bytes below the synced position", async () => {
    const crashed = await crash();
    const synced = crashed.starts[SYNCED_BATCHES]!;
    for (const size of [0, crashed.starts[1]!, crashed.starts[2]! + 9, synced - 1]) {
      expect(() => reopen(crashed, crashed.log.subarray(0, size))).toThrow(CorruptLogError);
    }
    reopen(crashed, crashed.log.subarray(0, synced)).close();
  });

  test("refuses a bad header below the synced position, and read() a bad body", async () => {
    const crashed = await crash();
    const flipped = Uint8Array.from(crashed.log);
    flipped[crashed.starts[1]! + 16] = 77;
    expect(() => reopen(crashed, flipped)).toThrow(CorruptLogError);
    const body = Uint8Array.from(crashed.log);
    body[crashed.starts[1]! + 70] = body[crashed.starts[1]! + 70]! ^ 1;
    const partition = reopen(crashed, body);
    expect(() => partition.read(RECORDS, 1)).toThrow(`at position ${crashed.starts[1]}`);
    partition.close();
  });

  test("uses the older slot of a torn head, and none of two", async () => {
    const crashed = await crash();
    for (const spoilt of [[0], [64], [0, 64]]) {
      const head = Uint8Array.from(crashed.head);
      for (const at of spoilt) head[at + 30] = head[at + 30]! ^ 1;
      const partition = reopen({ ...crashed, head }, crashed.log);
      checkPrefix(crashed, partition, BATCHES);
    }
  });

  test("refuses a batch of a writer epoch that is yet to come", async () => {
    const crashed = await crash();
    reopen(crashed, crashed.log).close();
    const partition = openPartition(crashed.directory, { writerEpoch: 9 });
    partition.append(numbered(16, 1));
    partition.close();
    expect(() => openPartition(crashed.directory, { writerEpoch: 3 })).toThrow("writer epoch 9");
  });
});
