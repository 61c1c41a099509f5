import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import type { StoredRecord } from "../../../src/adapters/log.ts";
import { recordFromJson, recordToJson } from "../../../src/cli/log/record-json.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

const plain: StoredRecord = {
  offset: 7,
  timestamp: 1000,
  appendTime: 2000,
  key: bytes("k"),
  value: bytes("ü"),
  headers: [],
  id: null,
};

function line(record: Partial<StoredRecord>): string {
  return JSON.stringify(recordToJson("t", 3, { ...plain, ...record }));
}

describe("recordToJson()", () => {
  test("gives text, times, place and id", () => {
    const id = Uint8Array.from({ length: 16 }, (_, at) => at * 17);
    expect(recordToJson("t", 3, { ...plain, id })).toEqual({
      topic: "t",
      partition: 3,
      offset: 7,
      timestamp: 1000,
      appendTime: 2000,
      key: "k",
      value: "ü",
      headers: {},
      id: "00112233-4455-6677-8899-aabbccddeeff",
    });
  });

  test("tells no key from an empty one", () => {
    expect(recordToJson("t", 0, { ...plain, key: null, value: bytes("") })).toMatchObject({
      key: null,
      value: "",
    });
  });

  test.each([
    [{ key: null, value: null }],
    [{ key: bytes(""), value: bytes("\ufeffa\nb") }],
    [{ key: Uint8Array.of(0xff), value: Uint8Array.of(0, 0xc3, 0x28) }],
    [
      {
        headers: [
          ["a", bytes("1")],
          ["b", Uint8Array.of(0xfe)],
          ["a", bytes("2")],
          ["__proto__", bytes("x")],
        ],
      },
    ],
    [{ id: new Uint8Array(16).fill(9), timestamp: -1 }],
  ] as [Partial<StoredRecord>][])("loses nothing of %j on its way back", (record) => {
    const full = { ...plain, ...record };
    const back = recordFromJson(line(record), "line 1");
    const asBytes = (value: string | Uint8Array | null): Uint8Array | null =>
      value === null ? null : new Uint8Array(Buffer.from(value as string));
    expect(asBytes(back.key)).toEqual(full.key && new Uint8Array(full.key));
    expect(asBytes(back.value)).toEqual(full.value && new Uint8Array(full.value));
    expect([back.partition, back.timestamp]).toEqual([3, full.timestamp]);
    const pairs = Object.entries(back.headers ?? {}).flatMap(([name, values]) =>
      (Array.isArray(values) ? values : [values]).map((value) => [name, Buffer.from(value)]),
    );
    const sorted = (all: readonly (readonly unknown[])[]): string[] => all.map(String).sort();
    expect(sorted(pairs)).toEqual(
      sorted(full.headers.map(([name, value]) => [name, Buffer.from(value)])),
    );
    const hex = full.id === null ? undefined : Buffer.from(full.id).toString("hex");
    expect(back.id?.replaceAll("-", "")).toBe(hex);
  });
});

describe("recordFromJson()", () => {
  test.each([
    ['{"value":{"a":[1,2]}}', '{"a":[1,2]}'],
    ['{"value":5}', "5"],
    ['{"value":true}', "true"],
    ['{"value":["x"]}', '["x"]'],
    ['{"value":""}', ""],
    ['{"value":null}', null],
  ])("reads %s", (text, value) => {
    expect(recordFromJson(text, "line 1")).toEqual({ key: null, value });
  });

  test("reads keys that are numbers, and times in words", () => {
    const text = '{"key":12,"value":"v","timestamp":"2030-01-31T12:00:00Z"}';
    expect(recordFromJson(text, "line 1")).toEqual({
      key: "12",
      value: "v",
      timestamp: Date.UTC(2030, 0, 31, 12),
    });
  });

  test.each([
    ["", "each line must be a JSON object: received "],
    ["5", "each line must be a JSON object: received 5"],
    ["[1]", "each line must be a JSON object: received [1]"],
    ["{", "each line must be a JSON object: received {"],
    ["{}", "value is required: received none"],
    ['{"key":"k"}', "value is required"],
    ['{"value":"v","vlaue":1}', "headers, partition, timestamp, id, topic"],
    ['{"value":"v","key":{}}', "key must be a string, a number or null: received {}"],
    ['{"value":"v","valueBase64":"YQ=="}', "one of value and valueBase64 is given: received both"],
    ['{"valueBase64":"a"}', "valueBase64 must be base64: received a"],
    ['{"value":"v","headers":[]}', "headers must be an object"],
    ['{"value":"v","headers":{"a":5}}', "headers must be an object of strings"],
    ['{"value":"v","headers":{"a":{"base64":5}}}', "base64 must be base64: received 5"],
    ['{"value":"v","partition":-1}', "partition must be an integer >= 0: received -1"],
    ['{"value":"v","partition":"0"}', "partition must be an integer >= 0: received 0"],
    ['{"value":"v","timestamp":1.5}', "timestamp must be integer milliseconds"],
    ['{"value":"v","timestamp":"soon"}', "timestamp must be integer milliseconds"],
    ['{"value":"v","id":"1"}', "id must be a UUID: received 1"],
  ])("refuses %s", (text, message) => {
    expect(() => recordFromJson(text, "line 9")).toThrow(`Cannot append line 9 as `);
    expect(() => recordFromJson(text, "line 9")).toThrow(message);
  });

  test("shows only the beginning of a long line", () => {
    expect(() => recordFromJson("x".repeat(500), "line 1")).toThrow(`received ${"x".repeat(60)}…`);
  });
});
