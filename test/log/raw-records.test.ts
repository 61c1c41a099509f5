import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { CorruptLogError, LogError } from "../../src/errors.ts";
import { checksumHolds, readBatchHeader } from "../../src/log/format.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import type { SinkRecord } from "../../src/source/source.ts";
import { murmur3, NULL_KEY_HASH, PARTITION_KEY_SEED } from "../../src/wasm/hash.ts";
import { encodeBatch } from "./encode-batch.ts";
import { numbered, record } from "./temporary.ts";

const place = { baseOffset: 2 ** 40, writerEpoch: 7, topicEpoch: 3, appendTimeUs: 1.7e15 };
const bytes = (text: string) => new TextEncoder().encode(text);

/** Bytes that compare by content alone, a Buffer or not. */
const plain = (found: Uint8Array | null) => found && [...found];

function stored(records: readonly SinkRecord[]) {
  const encoded = encodeBatch(records, place).bytes;
  return { baseOffset: place.baseOffset, count: records.length, bytes: encoded };
}

describe("encodeBatch()", () => {
  test("writes the header that format.ts draws", () => {
    const records = [record("a", "b"), { ...record(null, null), timestamp: 1_800_000_000_000 }];
    const batch = encodeBatch(records, place);
    expect(batch.bytes.toString("latin1", 0, 4)).toBe("HRB1");
    expect(batch.bytes.length).toBe(64 + 42 + 40);
    expect(batch.bytes.readUInt16LE(6)).toBe(64);
    expect(batch.bytes.readUInt32LE(48)).toBe(3);
    expect(batch.maxEventTimeUs).toBe(1_800_000_000_000_000);
    expect(readBatchHeader(batch.bytes, 0)).toEqual({
      totalBytes: batch.bytes.length,
      baseOffset: 2 ** 40,
      count: 2,
      writerEpoch: 7,
      appendTimeUs: 1.7e15,
      maxEventTimeUs: 1.8e15,
    });
    expect(checksumHolds(batch.bytes, 0, batch.bytes.length)).toBe(true);
  });

  test.each([
    ["no records", []],
    ["a key of 65535 bytes", [{ ...record("", ""), key: new Uint8Array(65_535) }]],
    ["an id of 15 bytes", [{ ...record("", ""), id: new Uint8Array(15) }]],
    ["half a millisecond", [{ ...record("", ""), timestamp: 0.5 }]],
    ["a long header name", [{ ...record("", ""), headers: [["n".repeat(65_536), bytes("")]] }]],
  ] as [string, SinkRecord[]][])("refuses %s", (_name, records) => {
    expect(() => encodeBatch(records, place)).toThrow(LogError);
  });
});

describe("RawRecords", () => {
  test("gives back keys, values, headers and times, null and empty apart", () => {
    const headers = [
      ["h", bytes("1")],
      ["ключ", bytes("значение")],
      ["h", bytes("")],
    ] as const;
    const records: SinkRecord[] = [
      { ...record("key", "value"), headers, timestamp: 1234 },
      { ...record("", ""), timestamp: -5 },
      record(null, null),
      { ...record("ключ", "ü"), id: new Uint8Array(16).fill(9) },
      { ...record(null, ""), key: new Uint8Array(65_534) },
    ];
    const raw = new RawRecords(stored(records));
    expect([raw.count, raw.baseOffset, raw.offsetDeltas]).toEqual([5, 2 ** 40, null]);
    records.forEach((one, at) => {
      expect(plain(raw.keyAt(at))).toEqual(plain(one.key));
      expect(plain(raw.valueAt(at))).toEqual(plain(one.value));
      expect(raw.timestampAt(at)).toBe(one.timestamp);
      const found = raw.headersAt(at).entries();
      const names = (pairs: typeof found) => pairs.map(([name, value]) => [name, plain(value)]);
      expect(names(found)).toEqual(names(one.headers));
    });
    const first = raw.headersAt(0);
    expect([first.text("h"), first.text("ключ"), first.text("x")]).toEqual(["1", "значение", null]);
    expect([first.has("h"), first.has("x")]).toEqual([true, false]);
    expect(raw.keyAt(0)).toBeInstanceOf(Buffer);
  });

  test("hashes keys as messages of other sources are hashed", () => {
    const keys = ["abc", null, "", "ключ", "k".repeat(300)];
    const raw = new RawRecords(stored(keys.map((key) => record(key, "x"))));
    const wanted = keys.map((key) =>
      key === null ? NULL_KEY_HASH : murmur3(bytes(key), PARTITION_KEY_SEED),
    );
    expect([...raw.keyHashes]).toEqual(wanted);
  });

  test("leaves out records below the offset it starts at", () => {
    const batch = stored(numbered(0, 10));
    const raw = new RawRecords(batch, place.baseOffset + 7);
    expect([raw.count, raw.baseOffset]).toEqual([3, place.baseOffset + 7]);
    expect(String(raw.valueAt(0))).toBe("v7");
    expect(raw.byteLength).toBe(batch.bytes.length);
    const all = new RawRecords(batch, place.baseOffset - 5);
    expect([all.count, all.baseOffset]).toEqual([10, place.baseOffset]);
  });

  test.each([0, 4, 32, 36])("refuses a frame whose field at %i is wrong", (field) => {
    const batch = stored(numbered(0, 2));
    batch.bytes[64 + field] = batch.bytes[64 + field]! + 60;
    expect(() => new RawRecords(batch)).toThrow(CorruptLogError);
    expect(() => new RawRecords(batch)).toThrow(`a bad frame at offset ${place.baseOffset}`);
  });
});
