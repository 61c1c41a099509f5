import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { CorruptLogError } from "../../src/errors.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { indexPath, timeIndexPath } from "../../src/log/segment-names.ts";
import { openPartition } from "./open-partition.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: PartitionLog[] = [];

afterEach(() => {
  for (const partition of open.splice(0)) partition.close();
  removeTemporary();
});

const segment = { bytes: 2048 };

function opened(directory: string, options: LogOptions, writerEpoch: number): PartitionLog {
  const partition = openPartition(directory, { options: { segment, ...options }, writerEpoch });
  open.push(partition);
  return partition;
}

/** A closed partition of 60 batches of five records in several segments. */
function made() {
  const directory = temporaryDirectory();
  const partition = opened(directory, {}, 1);
  for (let at = 0; at < 60; at++) partition.append(numbered(at * 5, 5));
  partition.close();
  const { sealed } = partition;
  expect(sealed.length).toBeGreaterThan(4);
  return { directory, sealed, second: sealed[1]! };
}

/** Changes a byte in the value of the first record of a segment. */
function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[64 + 42] = bytes[64 + 42]! ^ 1;
  writeFileSync(path, bytes);
}

describe("verify", () => {
  test('"read" opens with a damaged sealed segment, and refuses to read it', () => {
    const { directory, second } = made();
    flip(second.path);
    const partition = opened(directory, { verify: "read" }, 2);
    expect(partition.read(0, 1).length).toBe(1);
    expect(() => partition.read(second.baseOffset, 1)).toThrow(CorruptLogError);
    expect(() => partition.read(second.baseOffset, 1)).toThrow(`at position 0 of ${second.path}`);
  });

  test('"open" refuses to open with any damaged batch, synced or not', () => {
    const { directory, second } = made();
    flip(second.path);
    expect(() => opened(directory, { verify: "open" }, 2)).toThrow(`position 0 of ${second.path}`);
    flip(second.path);
    const partition = opened(directory, { verify: "open" }, 3);
    const active = readFileSync(second.path.replace(/\d{20}/, activeName(partition)));
    expect(active.length).toBeGreaterThan(100);
    partition.close();
    flip(second.path.replace(/\d{20}/, activeName(partition)));
    expect(() => opened(directory, { verify: "open" }, 4)).toThrow("a wrong checksum");
    expect(opened(directory, {}, 5).logEnd).toBe(300);
  });

  test('"open" does not verify again when it reads', () => {
    const { directory, second } = made();
    const partition = opened(directory, { verify: "open" }, 2);
    flip(second.path);
    expect(partition.read(second.baseOffset, 1).length).toBe(1);
  });

  test('"off" verifies nothing that is synced, but headers', () => {
    const { directory, second } = made();
    flip(second.path);
    rmSync(indexPath(second.path));
    const partition = opened(directory, { verify: "off" }, 2);
    expect(partition.read(second.baseOffset, 1).length).toBe(1);
    partition.close();
    const bytes = readFileSync(second.path).fill(9, 0, 4);
    writeFileSync(second.path, bytes);
    rmSync(indexPath(second.path));
    expect(() => opened(directory, { verify: "off" }, 3)).toThrow("no batch magic");
  });

  test("sealed segments are not read through when a log is opened", () => {
    const { directory, sealed } = made();
    // As long as before, and not one byte of it is right.
    for (const { path, summary } of sealed) {
      truncateSync(path, 0);
      truncateSync(path, summary.logBytes);
    }
    const partition = opened(directory, {}, 2);
    expect([partition.logStart, partition.logEnd]).toEqual([0, 300]);
    expect(() => partition.read(0, 1)).toThrow(CorruptLogError);
    expect(partition.read(partition.sealed.at(-1)!.nextOffset, 1).length).toBe(1);
  });
});

function activeName(partition: PartitionLog): string {
  return String(partition.sealed.at(-1)!.nextOffset).padStart(20, "0");
}

describe("cacheIndexes", () => {
  /** Seeks into a segment whose index is gone, after one that used it. @returns It was needed. */
  function needsIndex(cacheIndexes: LogOptions["cacheIndexes"], reads: number[]): boolean[] {
    const { directory, second } = made();
    const partition = opened(directory, { cacheIndexes: cacheIndexes! }, 2);
    return reads.map((offset) => {
      rmSync(indexPath(second.path), { force: true });
      rmSync(timeIndexPath(second.path), { force: true });
      partition.read(offset < 0 ? 0 : second.baseOffset + offset, 1);
      return existsSync(indexPath(second.path));
    });
  }

  test('"all" reads an index when the log is opened, and never again', () => {
    expect(needsIndex("all", [7, 0, 7, -1, 7])).toEqual([false, false, false, false, false]);
  });

  test('"open" reads it when a segment is read, until another one is', () => {
    expect(needsIndex("open", [7, 0, 7, -1, 7])).toEqual([true, false, false, false, true]);
  });

  test('"none" reads it for each seek, and not when reading goes on', () => {
    expect(needsIndex("none", [5, 10, 15, 3, -1, 0])).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });
});
