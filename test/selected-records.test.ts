import { describe, expect, test } from "bun:test";
import { RawRecords } from "../src/log/raw-records.ts";
import { withoutDone } from "../src/selected-records.ts";
import { recordList } from "../src/source/record-list.ts";
import type { RecordBatch } from "../src/source/source.ts";
import { encodeBatch } from "./log/encode-batch.ts";
import { numbered } from "./log/temporary.ts";

const PLACE = { baseOffset: 0, writerEpoch: 1, topicEpoch: 1, appendTimeUs: 0 };
const bytes = (text: string) => new TextEncoder().encode(text);

/** Offsets 10, 11, 12, … */
function recordsOf(values: readonly string[]): RecordBatch {
  return recordList(
    values.map((value, index) => {
      const key = index === 1 ? null : bytes(`k${value}`);
      return { offset: 10 + index, timestamp: index, key, value: bytes(value), headers: [] };
    }),
  );
}

describe("withoutDone()", () => {
  test("gives the batch itself when nothing of it is done", () => {
    const records = recordsOf(["a", "b"]);
    expect(withoutDone(records, () => false)).toBe(records);
  });

  test("leaves what is done out, with offsets, keys and values of the rest", () => {
    const left = withoutDone(recordsOf(["a", "b", "c", "d"]), (offset) => offset % 2 === 0);
    expect([left.count, left.baseOffset, [...left.offsetDeltas!]]).toEqual([2, 10, [1, 3]]);
    expect([left.keyAt(0), left.keyAt(1)]).toEqual([null, bytes("kd")]);
    expect([left.valueAt(0), left.valueAt(1)]).toEqual([bytes("b"), bytes("d")]);
    expect(left.timestampAt(1)).toBe(3);
    expect(left.keyHashes).toBe(undefined);
  });

  test("keeps the hashes of keys that a raw source has", () => {
    const { bytes: stored } = encodeBatch(numbered(0, 6), PLACE);
    const records = new RawRecords({ baseOffset: 0, count: 6, bytes: stored });
    const left = withoutDone(records, (offset) => offset < 3 || offset === 4);
    const all = [...records.keyHashes];
    expect([...left.keyHashes!]).toEqual([all[3]!, all[5]!]);
    expect(new Set(all).size).toBe(3);
    expect(String(left.valueAt(1))).toBe("v5");
  });
});
