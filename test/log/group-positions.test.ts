import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { groupDirectory } from "../../src/log/group-directory.ts";
import { GroupOffsets } from "../../src/log/group-offsets.ts";
import { readGroupPositions } from "../../src/log/group-positions.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";

const NOW = 5_000_000;
const COMMITTED = 4_000_000;

afterEach(removeTemporary);

function setUp() {
  const directory = temporaryDirectory();
  const groups = new GroupOffsets(directory);
  const commit = (groupId: string, partition: number, offset: number): void => {
    const group = groups.lock(groupId, "Cannot commit");
    group.set(partition, { offset, metadata: "", generation: 1 });
    group.release();
  };
  commit("Größe", 0, 7);
  commit("workers", 0, 9);
  commit("workers", 3, 11);
  const file = (partition: number): string => {
    return join(groupDirectory(directory, "workers"), `${partition}.offset`);
  };
  for (const partition of [0, 3]) utimesSync(file(partition), 1, COMMITTED / 1000);
  utimesSync(join(groupDirectory(directory, "Größe"), "0.offset"), 1, COMMITTED / 1000);
  const read = (...partitions: number[]) => {
    const positions = readGroupPositions(directory, partitions, NOW);
    return [...positions].sort((a, b) => a.offset - b.offset);
  };
  return { directory, commit, file, read };
}

function at(groupId: string, partition: number, offset: number, committedAtMs = COMMITTED) {
  return { groupId, partition, offset, committedAtMs };
}

describe("readGroupPositions()", () => {
  test("gives the positions of the partitions that are asked for, with the time of the commit", () => {
    const { read } = setUp();
    expect(read(0)).toEqual([at("Größe", 0, 7), at("workers", 0, 9)]);
    expect(read(3, 4)).toEqual([at("workers", 3, 11)]);
    expect(read()).toEqual([]);
  });

  test("sees what was committed since, and when", () => {
    const { commit, read } = setUp();
    const before = Date.now() - 2000;
    commit("workers", 3, 12);
    const [position] = read(3);
    expect(position?.offset).toBe(12);
    expect(position!.committedAtMs).toBeGreaterThan(before);
  });

  test("a file that cannot be read holds everything, one without a commit nothing", () => {
    const { directory, file, read } = setUp();
    writeFileSync(file(3), "garbage".repeat(1000));
    expect(read(3)).toEqual([at("workers", 3, 0, NOW)]);
    rmSync(file(3));
    mkdirSync(file(3));
    expect(read(3)).toEqual([at("workers", 3, 0, NOW)]);
    writeFileSync(file(4), new Uint8Array(32_768));
    expect(read(4)).toEqual([]);
    // A group that nobody can name is named by its directory.
    writeFileSync(join(groupDirectory(directory, "workers"), "group.json"), "{");
    expect(read(0)[1]).toEqual(at(basename(groupDirectory(directory, "workers")), 0, 9));
  });

  test("there may be no groups at all, and half made ones", () => {
    const { directory, read } = setUp();
    mkdirSync(join(directory, "3-new.tmp"));
    expect(read(3).length).toBe(1);
    expect(readGroupPositions(join(directory, "none"), [0], NOW)).toEqual([]);
  });

  test("a directory that cannot be read holds everything", () => {
    const { file } = setUp();
    const [position, ...more] = readGroupPositions(file(0), [5], NOW);
    expect(position).toEqual(at(position!.groupId, 5, 0, NOW));
    expect(position!.groupId).toContain("ENOTDIR");
    expect(more).toEqual([]);
  });
});
