import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../../src/errors.ts";
import { readHoles } from "../../src/log/holes.ts";
import { type CorruptPartition, LogEventHub } from "../../src/log/log-events.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { segmentName } from "../../src/log/segment-names.ts";
import { openPartition } from "./open-partition.ts";
import { numbered, random, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: PartitionLog[] = [];

afterEach(() => {
  for (const partition of open.splice(0)) partition.close();
  removeTemporary();
});

type Policy = NonNullable<LogOptions["onCorruption"]>;

const BATCHES = 42;
const SIZE = 5;
const END: number = BATCHES * SIZE;

function opened(directory: string, onCorruption: Policy, writerEpoch: number) {
  const seen: CorruptPartition[] = [];
  const events = new LogEventHub();
  events.add({ corrupt: (event) => seen.push(event) });
  const options: LogOptions = { segment: { bytes: 2048 }, onCorruption, verify: "open" };
  const partition = openPartition(directory, { options, writerEpoch, events });
  open.push(partition);
  return { partition, seen };
}

/** Files of a closed partition with several segments, the last one synced. */
function made() {
  const directory = temporaryDirectory();
  const { partition } = opened(directory, "fail", 1);
  for (let at = 0; at < BATCHES; at++) partition.append(numbered(at * SIZE, SIZE));
  partition.close();
  const bases = [...partition.sealed.map(({ baseOffset }) => baseOffset)];
  bases.push(partition.sealed.at(-1)!.nextOffset);
  expect(bases.length).toBeGreaterThan(4);
  return { directory, bases, path: (at: number) => join(directory, segmentName(bases[at]!)) };
}

/** Spoils the batch that holds the offset `skip` batches behind a segment's start. */
function spoil(path: string, skip: number): number {
  const bytes = readFileSync(path);
  let at = 0;
  for (let batch = 0; batch < skip; batch++) at += bytes.readUInt32LE(at + 12);
  bytes[at + 120] = bytes[at + 120]! ^ 1;
  writeFileSync(path, bytes);
  return at;
}

/** Offsets that can be read, one batch after the other, over what is told as damaged. */
function readable(partition: PartitionLog): number[] {
  const offsets: number[] = [];
  for (let at = partition.logStart; at < partition.logEnd; ) {
    try {
      const batches = partition.read(at, 1);
      if (batches.length === 0) break;
      const records = new RawRecords(batches[0]!, Math.max(at, batches[0]!.baseOffset));
      for (let index = 0; index < records.count; index++) {
        const offset = records.baseOffset + index;
        expect(String(records.valueAt(index))).toBe(`v${offset}`);
        offsets.push(offset);
      }
      at = records.baseOffset + records.count;
    } catch (error) {
      expect(error).toBeInstanceOf(CorruptLogError);
      at++;
    }
  }
  return offsets;
}

/** All offsets but those from `from` to below `to`. */
function without(from: number, to: number, end = END): number[] {
  return Array.from({ length: end }, (_, at) => at).filter((at) => at < from || at >= to);
}

function logs(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.includes(".log"));
}

interface Case {
  readonly name: string;
  readonly damage: (files: ReturnType<typeof made>) => void;
  /** First lost offset, and first behind, by the bases of segments. */
  readonly lost: (bases: readonly number[]) => readonly [number, number];
  /** Nothing is there to be set aside. */
  readonly missing?: true;
}

const cases: readonly Case[] = [
  {
    name: "a bad batch inside a sealed segment",
    damage: ({ path }) => void spoil(path(2), 1),
    lost: (bases) => [bases[2]! + SIZE, bases[3]!],
  },
  {
    name: "a bad first batch of a sealed segment",
    damage: ({ path }) => void spoil(path(1), 0),
    lost: (bases) => [bases[1]!, bases[2]!],
  },
  {
    name: "a bad first batch of all",
    damage: ({ path }) => void spoil(path(0), 0),
    lost: (bases) => [0, bases[1]!],
  },
  {
    name: "a bad batch below the synced position of the active segment",
    damage: ({ path, bases }) => void spoil(path(bases.length - 1), 1),
    lost: (bases) => [bases.at(-1)! + SIZE, END],
  },
  {
    name: "a bad first batch of the active segment",
    damage: ({ path, bases }) => void spoil(path(bases.length - 1), 0),
    lost: (bases) => [bases.at(-1)!, END],
  },
  {
    name: "an active segment that is too short",
    damage: ({ path, bases }) => {
      const last = path(bases.length - 1);
      writeFileSync(last, readFileSync(last).subarray(0, 100));
    },
    lost: (bases) => [bases.at(-1)!, END],
  },
  {
    name: "a sealed segment that is gone",
    damage: ({ path }) => rmSync(path(2)),
    lost: (bases) => [bases[2]!, bases[3]!],
    missing: true,
  },
  {
    name: "a first segment that is gone",
    damage: ({ path }) => rmSync(path(0)),
    lost: (bases) => [0, bases[1]!],
    missing: true,
  },
  {
    name: "an active segment that is gone",
    damage: ({ path, bases }) => rmSync(path(bases.length - 1)),
    lost: (bases) => [bases.at(-1)!, END],
    missing: true,
  },
];

describe.each(cases)("$name", ({ damage, lost, missing }) => {
  test("fail: refuses to open, and changes nothing", () => {
    const files = made();
    damage(files);
    const before = logs(files.directory);
    expect(() => opened(files.directory, "fail", 2)).toThrow(CorruptLogError);
    expect(() => opened(files.directory, "fail", 3)).toThrow(files.directory);
    expect(logs(files.directory)).toEqual(before);
  });

  test("readonly: gives what is good, tells what is not, takes no appends, changes nothing", () => {
    const files = made();
    damage(files);
    const [from, to] = lost(files.bases);
    const before = logs(files.directory);
    const { partition, seen } = opened(files.directory, "readonly", 2);
    expect([partition.logStart, partition.logEnd]).toEqual([0, END]);
    expect(readable(partition)).toEqual(without(from, to));
    expect(() => partition.append(numbered(0, 1))).toThrow(LogError);
    expect(() => partition.append(numbered(0, 1))).toThrow("open for reading only");
    expect(() => partition.dropOldest()).toThrow("open for reading only");
    expect(seen.map(({ policy }) => policy)).toEqual(["readonly"]);
    partition.close();
    expect(logs(files.directory)).toEqual(before);
    expect(() => opened(files.directory, "fail", 3)).toThrow(CorruptLogError);
  });

  test("quarantine: keeps what is good, goes on behind, and never gives an offset twice", () => {
    const files = made();
    damage(files);
    const [from, to] = lost(files.bases);
    const bytes = missing
      ? undefined
      : readFileSync(join(files.directory, damagedName(files, from)));
    const { partition, seen } = opened(files.directory, "quarantine", 2);
    expect(seen).toMatchObject([
      { topic: "t", partition: 0, policy: "quarantine", firstLost: from, nextOffset: to },
    ]);
    expect(readHoles(files.directory)).toMatchObject([{ from, to }]);
    if (bytes !== undefined) expect(readFileSync(seen[0]!.file)).toEqual(bytes);
    expect(readable(partition)).toEqual(without(from, to));
    expect(partition.append(numbered(END, SIZE))).toBe(END);
    const all = without(from, to, END + SIZE);
    expect(readable(partition)).toEqual(all);
    partition.close();
    // The hole is declared: nothing is wrong any more.
    const again = opened(files.directory, "fail", 3);
    expect(readable(again.partition)).toEqual(all);
    expect(logs(files.directory).filter((name) => name.includes(".bad-")).length).toBe(
      missing ? 0 : 1,
    );
  });
});

function damagedName({ bases }: ReturnType<typeof made>, from: number): string {
  return segmentName(bases.findLast((base) => base <= from)!);
}

describe("quarantine", () => {
  test("sets a segment aside that begins inside the one before it", () => {
    const files = made();
    const inside = files.bases[2]! + SIZE;
    copyFileSync(files.path(2), join(files.directory, segmentName(inside)));
    expect(() => opened(files.directory, "fail", 2)).toThrow(CorruptLogError);
    const { partition } = opened(files.directory, "quarantine", 3);
    expect(readable(partition)).toEqual(without(END, END));
    expect(readHoles(files.directory)).toEqual([]);
  });

  test("deals with any number of damages, and reading only gives what is left", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const next = random(seed);
      const files = made();
      for (let at = 0; at < 1 + (next() % 4); at++) {
        const path = files.path(next() % files.bases.length);
        const bytes = readFileSync(path);
        for (let flips = next() % 3; flips >= 0; flips--) bytes[next() % bytes.length]! ^= 4;
        writeFileSync(path, bytes);
      }
      const readonly = opened(files.directory, "readonly", 2).partition;
      const left = readable(readonly);
      readonly.close();
      const { partition } = opened(files.directory, "quarantine", 3);
      expect([seed, readable(partition)]).toEqual([seed, left]);
      expect([seed, partition.append(numbered(END, 1))]).toEqual([seed, END]);
      partition.close();
      expect(readable(opened(files.directory, "fail", 4).partition)).toEqual([...left, END]);
    }
  });

  test("a good batch behind a bad one is kept in the file that is set aside, its offsets stay given", () => {
    const directory = temporaryDirectory();
    const first = opened(directory, "fail", 1).partition;
    for (let at = 0; at < 5; at++) first.append(numbered(at * SIZE, SIZE));
    first.close();
    const path = join(directory, segmentName(0));
    rmSync(join(directory, "head"));
    spoil(path, 2);
    const { partition } = opened(directory, "quarantine", 2);
    expect(readHoles(directory)).toMatchObject([{ from: 2 * SIZE, to: 5 * SIZE }]);
    expect(partition.append(numbered(5 * SIZE, 1))).toBe(5 * SIZE);
    expect(readable(partition)).toEqual(without(2 * SIZE, 5 * SIZE, 5 * SIZE + 1));
  });
});
