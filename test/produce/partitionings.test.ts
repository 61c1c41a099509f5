import { describe, expect, test } from "bun:test";
import { balanced } from "../../src/produce/balanced.ts";
import { type KeyHash, messagesKey } from "../../src/produce/messages-key.ts";
import { partitionId } from "../../src/produce/partition-id.ts";
import type { Partitioning } from "../../src/types.ts";

const choose = (by: Partitioning, key: string | Uint8Array | null, count: number, topic = "t") =>
  by.calculatePartitionId(topic, { topic, key, value: null }, count);

describe("balanced()", () => {
  test("takes turns for each topic, whatever the key", () => {
    const by = balanced();
    expect([0, 1, 2, 3, 4].map(() => choose(by, "same", 3))).toEqual([0, 1, 2, 0, 1]);
    expect(choose(by, null, 3, "other")).toBe(0);
  });

  test("stays in range when the number of partitions changes", () => {
    const by = balanced();
    const counts = [5, 5, 5, 5, 2, 2, 7, 7];
    expect(counts.map((count) => choose(by, null, count))).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
  });
});

describe("partitionId()", () => {
  test("always answers the partition", () => {
    expect(choose(partitionId(4), "k", 9)).toBe(4);
  });

  test("throws when the partition is no integer >= 0", () => {
    expect(() => partitionId(-1)).toThrow(RangeError);
    expect(() => partitionId(1.5)).toThrow(RangeError);
    expect(() => partitionId("1" as never)).toThrow(TypeError);
    expect(() => partitionId(undefined as never)).toThrow(TypeError);
  });
});

describe("messagesKey()", () => {
  // Known values: murmur2 as Apache Kafka's own tests have them, murmur3 and xxh32 as published.
  const known: [KeyHash, string, number][] = [
    ["murmur2", "21", -973932308],
    ["murmur2", "foobar", -790332482],
    ["murmur2", "a-little-bit-long-string", -985981536],
    ["murmur2", "", 275646681],
    ["murmur3", "", 0],
    ["murmur3", "hello", 0x248bfa47],
    ["xxh32", "", 0x02cc5d05],
    ["xxh32", "abc", 0x32d153ff],
  ];
  for (const [hash, key, value] of known) {
    test(`${hash} of ${JSON.stringify(key)} chooses the known hash modulo the count`, () => {
      const unsigned = hash === "murmur2" ? value & 0x7fffffff : value >>> 0;
      for (const count of [1, 2, 7, 1000, 65_536]) {
        expect(choose(messagesKey(hash), key, count)).toBe(unsigned % count);
      }
    });
  }

  test("takes all 32 bits of murmur3 and xxh32 when the highest one is set", () => {
    for (const [hash, key, value] of [
      ["murmur3", "test", 0xba6bd213],
      ["xxh32", "Nobody inspects the spammish repetition", 0xe2293b2f],
    ] as const) {
      expect(choose(messagesKey(hash), key, 1009)).toBe(value % 1009);
    }
  });

  test("answers the same for text and for its bytes", () => {
    const by = messagesKey();
    for (const key of ["ключ", "a", "long".repeat(20)]) {
      expect(choose(by, new TextEncoder().encode(key), 97)).toBe(choose(by, key, 97));
    }
  });

  test("uses murmur2 when no hash is named", () => {
    expect(choose(messagesKey(), "foobar", 1000)).toBe((-790332482 & 0x7fffffff) % 1000);
  });

  test("lets records without a key take turns", () => {
    const by = messagesKey();
    expect([0, 1, 2, 3].map(() => choose(by, null, 3))).toEqual([0, 1, 2, 0]);
  });

  test("throws when the hash is unknown", () => {
    expect(() => messagesKey("md5" as never)).toThrow(RangeError);
    expect(() => messagesKey(7 as never)).toThrow(TypeError);
  });
});
