import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError } from "../../src/errors.ts";
import { readBatches, type SegmentView, type StoredBatch } from "../../src/log/read-batches.ts";
import { encodeBatch } from "./encode-batch.ts";
import { numbered, random, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  removeTemporary();
});

/** A segment of batches of so many records; its index knows the start of the file only. */
function segmentOf(counts: readonly number[]): { view: SegmentView; batches: StoredBatch[] } {
  let baseOffset = 50;
  const batches = counts.map((count) => {
    const place = { baseOffset, writerEpoch: 1, topicEpoch: 1, appendTimeUs: 0 };
    const { bytes } = encodeBatch(numbered(baseOffset, count), place);
    baseOffset += count;
    return { baseOffset: baseOffset - count, count, bytes };
  });
  const path = join(temporaryDirectory(), "00000000000000000050.log");
  const bytes = Buffer.concat(batches.map((batch) => batch.bytes));
  writeFileSync(path, bytes);
  const fd = openSync(path, "r");
  open.push(fd);
  const index = { floor: () => 0 };
  return { view: { fd, path, baseOffset: 50, size: bytes.length, index }, batches };
}

describe("readBatches()", () => {
  test("gives all batches one after the other, whatever fits into one read", () => {
    const next = random(9);
    const counts = Array.from({ length: 60 }, () => 1 + (next() % 30));
    const { view, batches } = segmentOf(counts);
    for (const maxBytes of [1, 63, 64, 65, 500, 1000, 4096, 10 ** 6]) {
      const read: StoredBatch[] = [];
      while (read.length < batches.length) {
        const last = read.at(-1);
        const offset = last === undefined ? 50 : last.baseOffset + last.count;
        const got = readBatches(view, offset, maxBytes);
        const bytes = got.reduce((sum, batch) => sum + batch.bytes.length, 0);
        expect(got.length === 1 || bytes <= maxBytes).toBe(true);
        read.push(...got);
      }
      expect(read).toEqual(batches);
    }
  });

  test("begins with the batch that holds the offset", () => {
    const { view, batches } = segmentOf([3, 5, 200, 2]);
    for (let offset = 50; offset < 260; offset++) {
      const wanted = batches.findIndex(({ baseOffset, count }) => offset < baseOffset + count);
      for (const maxBytes of [1, 300, 10 ** 6]) {
        expect(readBatches(view, offset, maxBytes)[0]).toEqual(batches[wanted]!);
      }
    }
  });

  test("gives batches of one read in one buffer, a batch larger than the read alone", () => {
    const { view, batches } = segmentOf([2, 2, 400, 2]);
    const [first, second] = readBatches(view, 50, 1000);
    expect(second!.bytes.buffer).toBe(first!.bytes.buffer);
    expect(second!.bytes.byteOffset).toBe(first!.bytes.byteOffset + first!.bytes.length);
    expect(readBatches(view, 54, 1000)).toEqual([batches[2]!]);
  });

  test("names the file and the position of a damaged batch, read as a whole or in parts", () => {
    const { view, batches } = segmentOf([2, 300, 2]);
    const damaged = Buffer.concat(batches.map((batch) => batch.bytes));
    const start = batches[0]!.bytes.length;
    damaged[start + 5000]! ^= 1;
    writeFileSync(view.path, damaged);
    for (const maxBytes of [1, 1000, 10 ** 6]) {
      const read = (): StoredBatch[] => readBatches(view, 52, maxBytes);
      expect(read).toThrow(CorruptLogError);
      expect(read).toThrow(`a wrong checksum at position ${start} of ${view.path}`);
    }
  });

  test("names the end of a file that has become shorter", () => {
    const { view, batches } = segmentOf([2, 300]);
    const whole = Buffer.concat(batches.map((batch) => batch.bytes));
    writeFileSync(view.path, whole.subarray(0, whole.length - 1));
    for (const maxBytes of [1, 1000, 10 ** 6]) {
      expect(() => readBatches(view, 52, maxBytes)).toThrow(
        `the end of the file at position ${whole.length - 1} of ${view.path}`,
      );
    }
  });
});
