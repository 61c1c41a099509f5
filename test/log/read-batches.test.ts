import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPartition } from "./open-partition.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

afterEach(removeTemporary);

describe("PartitionLog.read()", () => {
  test.each([
    ["a checksum", 70],
    ["a header", 0],
    ["an offset", 16],
  ])("gives what stands before damage, and the damage next: %s", (_name, at) => {
    const directory = temporaryDirectory();
    const partition = openPartition(directory);
    for (let batch = 0; batch < 4; batch++) partition.append(numbered(batch * 2, 2));
    const [first, second] = partition.read(0, 1 << 20);
    const path = join(directory, "00000000000000000000.log");
    const bytes = readFileSync(path);
    const third = first!.bytes.length + second!.bytes.length;
    bytes[third + at] = bytes[third + at]! ^ 8;
    writeFileSync(path, bytes);
    expect(partition.read(0, 1 << 20).map(({ baseOffset }) => baseOffset)).toEqual([0, 2]);
    expect(() => partition.read(4, 1 << 20)).toThrow(`at position ${third} of ${path}`);
    partition.close();
  });
});
