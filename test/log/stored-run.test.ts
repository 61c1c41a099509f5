import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { RawRecords } from "../../src/log/raw-records.ts";
import type { StoredBatch } from "../../src/log/read-batches.ts";
import { joinRun, takeRun } from "../../src/log/stored-run.ts";
import { encodeBatch } from "./encode-batch.ts";
import { numbered } from "./temporary.ts";

/** Batches of so many records, one behind the other in one buffer, as one read gives them. */
function batchesOf(counts: readonly number[], firstOffset = 100): StoredBatch[] {
  let baseOffset = firstOffset;
  const encoded = counts.map((count) => {
    const place = { baseOffset, writerEpoch: 1, topicEpoch: 1, appendTimeUs: 0 };
    const { bytes } = encodeBatch(numbered(baseOffset, count), place);
    baseOffset += count;
    return { baseOffset: baseOffset - count, count, bytes };
  });
  const all = Buffer.concat(encoded.map(({ bytes }) => bytes));
  let at = 0;
  return encoded.map((batch) => {
    at += batch.bytes.length;
    return { ...batch, bytes: all.subarray(at - batch.bytes.length, at) };
  });
}

const takeCount = (batches: StoredBatch[]) => joinRun(takeRun(batches)).count;

describe("takeRun() and joinRun()", () => {
  test("joins batches that follow each other, and RawRecords reads them as one", () => {
    const batches = batchesOf([1, 3, 1, 20]);
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
    const run = joinRun(takeRun(batches));
    expect(batches).toEqual([]);
    expect([run.baseOffset, run.count, run.bytes.length]).toEqual([100, 25, bytes]);
    const records = new RawRecords(run);
    expect([records.count, records.byteLength, records.keyHashes.length]).toEqual([25, bytes, 25]);
    const values = Array.from({ length: 25 }, (_, index) => String(records.valueAt(index)));
    expect(values).toEqual(Array.from({ length: 25 }, (_, index) => `v${100 + index}`));
    const rest = new RawRecords(run, 103);
    expect([rest.baseOffset, rest.count, String(rest.valueAt(0))]).toEqual([103, 22, "v103"]);
  });

  test("stops at 1024 records, and leaves a larger batch whole", () => {
    const batches = batchesOf([1000, 24, 1, 2000, 1, 1]);
    const counts: number[] = [];
    while (batches.length > 0) counts.push(takeCount(batches));
    expect(counts).toEqual([1024, 1, 2000, 2]);
  });

  test("gives one batch back as it is, and none for none", () => {
    const [batch] = batchesOf([7]);
    expect(joinRun(takeRun([batch!]))).toBe(batch!);
    expect(takeRun([])).toEqual([]);
  });

  test("joins neither over a gap of offsets nor over a gap of bytes", () => {
    const batches = batchesOf([2, 2, 2, 2]);
    const [first, second, , fourth] = batches as [StoredBatch, StoredBatch, unknown, StoredBatch];
    const holed = [first, second, fourth];
    expect(takeCount(holed)).toBe(4);
    expect(holed).toEqual([fourth]);
    const moved = [first, { ...second, baseOffset: 103 }];
    expect(takeRun(moved)).toEqual([first]);
    const copied = [first, { ...second, bytes: Buffer.from(second.bytes) }];
    expect(takeRun(copied)).toEqual([first]);
  });
});
