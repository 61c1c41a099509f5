import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError } from "../../src/errors.ts";
import { GroupOffsets } from "../../src/log/group-offsets.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";

const SLOT_BYTES = 16_384;

afterEach(removeTemporary);

function setUp() {
  const directory = temporaryDirectory();
  const offsets = new GroupOffsets(directory, 1);
  const stored = (offset: number) => ({ offset, metadata: `m${offset}`, generation: offset });
  return { directory, offsets, stored, file: join(directory, "1-workers", "2.offset") };
}

describe("GroupOffsets", () => {
  test("gives back what was stored, after it is opened again too", () => {
    const { directory, offsets } = setUp();
    const value = { offset: 2 ** 45, metadata: "ü".repeat(4096), generation: 3 };
    offsets.set("Größe/..", 0, value);
    offsets.set("other", 7, { offset: 0, metadata: "", generation: 0 });
    offsets.syncNow();
    const again = new GroupOffsets(directory, 2);
    expect(again.get("Größe/..", 0)).toEqual(value);
    expect(again.get("other", 7)?.offset).toBe(0);
    expect(again.get("other", 0)).toBeUndefined();
    expect(again.get("nobody", 0)).toBeUndefined();
  });

  test("falls back to the older slot when the newer is torn, at every byte", () => {
    const { directory, offsets, stored, file } = setUp();
    offsets.set("workers", 2, stored(1));
    offsets.set("workers", 2, stored(2));
    const good = readFileSync(file);
    for (let at = 0; at < 24 + 24 + 2; at++) {
      const torn = Uint8Array.from(good);
      torn[at] = torn[at]! ^ 0x10;
      writeFileSync(file, torn);
      expect(new GroupOffsets(directory, 2).get("workers", 2)).toEqual(stored(1));
    }
  });

  test("goes on in the torn slot", () => {
    const { directory, offsets, stored, file } = setUp();
    for (const offset of [1, 2]) offsets.set("workers", 2, stored(offset));
    const torn = readFileSync(file).fill(0, 0, SLOT_BYTES);
    writeFileSync(file, torn);
    const again = new GroupOffsets(directory, 2);
    again.set("workers", 2, stored(3));
    expect(new GroupOffsets(directory, 3).get("workers", 2)).toEqual(stored(3));
    again.set("workers", 2, stored(1));
    expect(new GroupOffsets(directory, 3).get("workers", 2)).toEqual(stored(1));
  });

  test("refuses a file without a good slot, naming it", () => {
    const { directory, offsets, stored, file } = setUp();
    offsets.set("workers", 2, stored(1));
    writeFileSync(file, readFileSync(file).fill(1));
    expect(() => new GroupOffsets(directory, 2)).toThrow(CorruptLogError);
    expect(() => new GroupOffsets(directory, 2)).toThrow("2.offset");
  });

  test("takes a file that was made and never written as no offset", () => {
    const { directory, offsets, stored, file } = setUp();
    offsets.set("workers", 2, stored(1));
    writeFileSync(file, "");
    expect(new GroupOffsets(directory, 2).get("workers", 2)).toBeUndefined();
  });
});
