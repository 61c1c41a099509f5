import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import type { StoredBatch } from "../../src/log/read-batches.ts";
import { ReadChunks } from "../../src/log/read-chunks.ts";

const BYTES = 64 * 1024;

/** Reads as the log does: into what it is given, else into memory of its own. */
function reading(bytes: number, seen: (Buffer | undefined)[] = []) {
  return (into: Buffer | undefined): StoredBatch[] => {
    seen.push(into);
    const fits = into !== undefined && bytes <= into.length;
    const chunk = fits ? into.subarray(0, bytes) : Buffer.allocUnsafe(bytes);
    return [{ baseOffset: 0, count: 1, bytes: chunk }];
  };
}

describe("ReadChunks", () => {
  test("a buffer is read into again once all that was delivered from it is released", () => {
    const chunks = new ReadChunks(BYTES);
    const seen: (Buffer | undefined)[] = [];
    const read = reading(BYTES, seen);
    const [first] = chunks.fill(read);
    const one = chunks.lend()!;
    const other = chunks.lend()!;
    one();
    // Another delivery is still read.
    chunks.fill(read);
    chunks.lend();
    expect(seen[1]).toBeUndefined();
    other();
    chunks.fill(read);
    expect(seen[2]?.buffer === first!.bytes.buffer).toBe(true);
  });

  test("it is not, while more of it may be delivered", () => {
    const chunks = new ReadChunks(BYTES);
    const seen: (Buffer | undefined)[] = [];
    const [first] = chunks.fill(reading(BYTES, seen));
    chunks.lend()!();
    const more = chunks.lend()!;
    chunks.fill(reading(BYTES, seen));
    chunks.lend();
    expect(seen[1]).toBeUndefined();
    more();
    chunks.fill(reading(BYTES, seen));
    expect(seen[2]?.buffer === first!.bytes.buffer).toBe(true);
  });

  test("buffers of other sizes are not kept, and one that was too small is there the next time", () => {
    const chunks = new ReadChunks(BYTES);
    const seen: (Buffer | undefined)[] = [];
    const [first] = chunks.fill(reading(BYTES, seen));
    chunks.lend()!();
    chunks.fill(reading(2 * BYTES, seen));
    expect(chunks.lend()).toBeNull();
    chunks.fill(reading(100, seen));
    expect(seen.slice(1).map((into) => into?.buffer === first!.bytes.buffer)).toEqual([true, true]);
  });

  test("at most 64 buffers wait, and none where there is nothing to read", () => {
    const chunks = new ReadChunks(BYTES);
    const released = Array.from({ length: 70 }, () => {
      chunks.fill(reading(BYTES));
      return chunks.lend()!;
    });
    for (const release of released) release();
    const seen: (Buffer | undefined)[] = [];
    for (let i = 0; i < 66; i++) {
      chunks.fill(reading(BYTES, seen));
      chunks.lend();
    }
    expect(seen.filter((into) => into !== undefined).length).toBe(64);
    chunks.drop();
    chunks.clear();
    chunks.fill(reading(BYTES, seen));
    expect(seen.at(-1)).toBeUndefined();
  });
});
