import { describe, expect, test } from "bun:test";
import { InvariantError } from "../../src/errors.ts";
import { headerList } from "../../src/header-list.ts";
import type { PlainRecord } from "../../src/plain-record.ts";
import { recordList } from "../../src/source/record-list.ts";

const utf8 = new TextEncoder();
const record = (offset: number, more: Partial<PlainRecord> = {}): PlainRecord => {
  return { offset, timestamp: 0, key: null, value: null, headers: [], ...more };
};

describe("recordList()", () => {
  test("has no deltas when its offsets are dense", () => {
    const list = recordList([record(7), record(8)]);
    expect([list.count, list.baseOffset, list.offsetDeltas]).toEqual([2, 7, null]);
  });

  test("has the distances from its first offset when there are holes", () => {
    const list = recordList([record(7), record(9), record(7 + 0xffffffff)]);
    expect(list.offsetDeltas).toEqual(Uint32Array.of(0, 2, 0xffffffff));
  });

  test("F2: charges key, value and headers + 512 for each record", () => {
    const more = { key: utf8.encode("ab"), headers: [["h", utf8.encode("xyz")]] as const };
    expect(recordList([record(0), record(1, more)]).byteLength).toBe(512 + 512 + 2 + 4);
  });

  test("throws when it is empty, and when an index is out of range", () => {
    expect(() => recordList([])).toThrow(InvariantError);
    expect(() => recordList([record(0)]).keyAt(1)).toThrow(InvariantError);
  });
});

describe("headerList()", () => {
  const headers = headerList([
    ["a", utf8.encode("1")],
    ["b", utf8.encode("ü")],
    ["a", utf8.encode("2")],
  ]);

  test("answers the first value of a name", () => {
    expect(headers.get("a")).toEqual(utf8.encode("1"));
    expect(headers.text("b")).toBe("ü");
    expect(headers.has("b")).toBe(true);
  });

  test("answers null when a name is missing", () => {
    expect([headers.get("c"), headers.text("c"), headers.has("c")]).toEqual([null, null, false]);
  });

  test("keeps duplicates in their order", () => {
    expect(headers.entries().map(([name]) => name)).toEqual(["a", "b", "a"]);
  });

  test("answers an empty text when a value is empty", () => {
    expect(headerList([["e", new Uint8Array()]]).text("e")).toBe("");
  });
});
