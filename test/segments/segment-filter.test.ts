import { describe, expect, test } from "bun:test";
import { multiplyShift } from "../../src/distribute/reducers.ts";
import { type SegmentFailure, SegmentFilter } from "../../src/segments/segment-filter.ts";
import { recordList } from "../../src/source/record-list.ts";
import type { RecordBatch, SourceBatch } from "../../src/source/source.ts";
import type { Message, Partitioner, Reducer } from "../../src/types.ts";
import { hashKeys } from "../../src/wasm/hash.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const lease = { topic: "t", partition: 0 };

function batchOf(keys: readonly (string | null)[], more: Partial<RecordBatch> = {}): SourceBatch {
  const records = recordList(
    keys.map((key, index) => ({
      offset: 10 + 2 * index,
      timestamp: index,
      key: key === null ? null : encoder.encode(key),
      value: encoder.encode(`v${index}`),
      headers: [["n", encoder.encode(`h${index}`)]],
    })),
  );
  const raw = Object.assign(records, more);
  return { lease, records: raw, nextOffset: 10 + 2 * keys.length, highWatermark: 1000 };
}

function filterOf(
  index: number,
  count: number,
  rule: { partitioner?: Partitioner; reducer?: Reducer; stops?: boolean } = {},
  failures: SegmentFailure[] = [],
): SegmentFilter {
  const { partitioner = null, reducer = null, stops = false } = rule;
  const all = { index, count, partitioner, reducer, stops };
  return new SegmentFilter(all, (failure) => failures.push(failure));
}

function offsetsOf(records: RecordBatch | null): number[] {
  if (records === null) throw new Error("It stopped");
  const deltas = records.offsetDeltas ?? Uint32Array.from({ length: records.count }, (_, i) => i);
  return [...deltas].map((delta) => records.baseOffset + delta);
}

const KEYS = Array.from({ length: 300 }, (_, i) => (i % 37 === 0 ? null : `k${(i * 7919) % 101}`));

describe("SegmentFilter", () => {
  const shapes: [string, (keys: readonly (string | null)[]) => SourceBatch][] = [
    ["decoded", batchOf],
    [
      "raw with hashes",
      (keys) => {
        const column = new Uint32Array(keys.length);
        hashKeys(batchOf(keys).records, keys.length, column);
        return batchOf(keys, { keyHashes: column });
      },
    ],
    [
      "raw with places of keys",
      (keys) => {
        const encoded = keys.map((key) => encoder.encode(key ?? ""));
        const ends = new Uint32Array(keys.length);
        let end = 0;
        for (const [i, key] of encoded.entries()) ends[i] = end += key.length;
        const bytes = new Uint8Array(end);
        const starts = ends.map((to, i) => to - encoded[i]!.length);
        for (const [i, key] of encoded.entries()) bytes.set(key, starts[i]);
        for (const [i, key] of keys.entries()) if (key === null) starts[i] = 0xffffffff;
        return batchOf(keys, { rawKeys: { bytes, starts, ends } });
      },
    ],
  ];

  test.each(shapes)("S1: the default is multiply-shift of the key's hash: %s", (_, make) => {
    for (const count of [2, 3, 7, 64]) {
      const found = new Map<number, number>();
      for (let index = 0; index < count; index++) {
        for (const offset of offsetsOf(filterOf(index, count).select(make(KEYS), null))) {
          expect(found.has(offset)).toBe(false);
          found.set(offset, index);
        }
      }
      expect(found.size).toBe(KEYS.length);
      for (const [i, key] of KEYS.entries()) {
        expect(found.get(10 + 2 * i)).toBe(multiplyShift(key, count));
      }
    }
  });

  test("S1: partitioner and reducer are asked message by message, through one view", () => {
    const views = new Set<Message>();
    const seen: unknown[] = [];
    const rule = {
      partitioner: (message: Message) => {
        views.add(message);
        seen.push([message.offset, message.text(), message.headers.text("n"), message.payload]);
        return message.offset;
      },
      reducer: (key: unknown, count: number) => (Number(key) / 2) % count,
    };
    const value = (bytes: Uint8Array | null): string => `p${decoder.decode(bytes!)}`;
    const left = filterOf(1, 3, rule).select(batchOf(["a", "b", "c", "d", "e"]), value);
    expect(offsetsOf(left)).toEqual([14]);
    expect(views.size).toBe(1);
    expect(seen.slice(0, 2)).toEqual([
      [10, "v0", "h0", "pv0"],
      [12, "v1", "h1", "pv1"],
    ]);
    expect(seen.length).toBe(5);
  });

  test("S2: what is left has its bytes, headers and hashes; none, all and few of a batch", () => {
    const own = (offsets: number[]) => {
      const reducer = (key: unknown) => (offsets.includes(Number(key)) ? 1 : 0);
      return filterOf(1, 2, { partitioner: (message) => message.offset, reducer });
    };
    const batch = batchOf(["a", null, "c", "d", "e", "f", "g", "h", "i"]);
    expect(own(Array.from(KEYS, (_, i) => 10 + 2 * i)).select(batch, null)).toBe(batch.records);
    const none = own([]).select(batch, null)!;
    expect([none.count, none.byteLength]).toEqual([0, 0]);
    for (const offsets of [
      [12, 16],
      [12, 16, 18, 20],
    ]) {
      const left = own(offsets).select(batch, null)!;
      expect(offsetsOf(left)).toEqual(offsets);
      expect([left.keyAt(0), decoder.decode(left.keyAt(1)!)]).toEqual([null, "d"]);
      expect(decoder.decode(left.valueAt(1)!)).toBe("v3");
      expect([left.timestampAt(1), left.headersAt(1).text("n")]).toEqual([3, "h3"]);
      // Few are copied out, so that the rest is not kept in memory for them.
      expect(left.heldCount).toBe(offsets.length === 2 ? 2 : 9);
      expect(left.byteLength).toBe(Math.ceil((batch.records.byteLength * offsets.length) / 9));
    }
    const hashed = filterOf(0, 2).select(batchOf(KEYS), null)!;
    const column = new Uint32Array(hashed.count);
    hashKeys(hashed, hashed.count, column);
    expect([...hashed.keyHashes!]).toEqual([...column]);
  });

  const bad: [string, unknown, { partitioner?: Partitioner; reducer?: Reducer }][] = [
    ["a promise", undefined, { partitioner: (async () => "k") as unknown as Partitioner }],
    ["a boolean", true, { partitioner: (() => true) as unknown as Partitioner }],
    ["a number out of range", 2, { reducer: () => 2 }],
    ["a negative number", -1, { reducer: () => -1 }],
    ["a fraction", 0.5, { reducer: () => 0.5 }],
    ["NaN", Number.NaN, { reducer: () => Number.NaN }],
  ];
  test.each(bad)("S3: %s is an error, and the message belongs to segment 0", (_, value, rule) => {
    for (const index of [0, 1]) {
      const failures: SegmentFailure[] = [];
      const left = filterOf(index, 2, rule, failures).select(batchOf(["a", "b"]), null);
      expect(offsetsOf(left)).toEqual(index === 0 ? [10, 12] : []);
      expect(failures.map(({ offset }) => offset)).toEqual([10, 12]);
      expect("value" in failures[0]!).toBe(true);
      if (value !== undefined) expect(failures[0]!.value).toBe(value);
    }
  });

  test("S3: who stops hands nothing over, and names the first message that failed", () => {
    const failures: SegmentFailure[] = [];
    const error = new Error("no schema");
    const partitioner = (message: Message) => {
      if (message.offset > 10) throw error;
      return "a";
    };
    const filter = filterOf(0, 2, { partitioner, stops: true }, failures);
    expect(filter.select(batchOf(["a", "b", "c"]), null)).toBe(null);
    expect(failures).toEqual([{ offset: 12, error }]);
  });
});
