import { describe, expect, test } from "bun:test";
import { createRequire } from "node:module";
import { hourly } from "../../src/produce/hourly.ts";
import { u32, u64, u128 } from "../../src/produce/key-numbers.ts";
import { type KeyHash, messagesKey } from "../../src/produce/messages-key.ts";
import { priority } from "../../src/produce/priority.ts";
import { salted } from "../../src/produce/salted.ts";
import { weighted } from "../../src/produce/weighted.ts";
import type { Partitioning, ProducerRecord } from "../../src/types.ts";
import { murmur2, murmur3, xxh32 } from "../../src/wasm/hash.ts";
import { setup } from "./setup.ts";

const choose = (by: Partitioning, record: Partial<ProducerRecord>, count: number, topic = "t") =>
  by.calculatePartitionId(topic, { topic, value: null, ...record }, count);

/** How many of `n` records come to each partition. */
function counts(by: Partitioning, n: number, count: number, key?: string): number[] {
  const seen = new Array<number>(count).fill(0);
  for (let i = 0; i < n; i++) seen[choose(by, { key: key ?? null }, count)]!++;
  return seen;
}

describe("messagesKey() beside kafkajs's partitioner", () => {
  // Its own export has no partitioner without a client.
  const kafkajs = createRequire(import.meta.url)("kafkajs");
  const theirs = kafkajs.Partitioners.DefaultPartitioner();

  test("agrees on 10,000 random keys, text and bytes", () => {
    let state = 20_250_601;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >>> 8) % below;
    };
    const by = messagesKey("murmur2");
    const differences: string[] = [];
    for (let i = 0; i < 10_000; i++) {
      const bytes = Buffer.from(Array.from({ length: random(40) }, () => random(256)));
      const key = random(2) === 0 ? bytes : bytes.toString("utf8");
      const count = 1 + random(200);
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
        partitionId,
        leader: 0,
      }));
      const expected = theirs({ topic: "t", partitionMetadata, message: { key } });
      const chosen = choose(by, { key }, count);
      if (chosen !== expected) differences.push(`${bytes.toString("hex")} of ${count}`);
    }
    expect(differences).toEqual([]);
  });

  // Kafka's UtilsTest, and keys whose hash was made with the Java client: hash & 0x7fffffff.
  const java: [string, number][] = [
    ["21", 1173551340],
    ["foobar", 1357151166],
    ["a-little-bit-longer-string", 661178819],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 2088585677],
    ["0", 971027396],
    ["1", 154038159],
    ["2187", 639076445],
    ["16384", 1821743906],
    ["279936", 1462227128],
    ["823543", 133285318],
  ];
  for (const [key, hash] of java) {
    test(`places ${JSON.stringify(key)} where the Java client does`, () => {
      for (const count of [1, 3, 50, 1000]) {
        expect(choose(messagesKey(), { key }, count)).toBe(hash % count);
        expect(choose(messagesKey(), { key: Buffer.from(key) }, count)).toBe(hash % count);
      }
    });
  }

  test("places the same in a producer, which has the bytes anyway", async () => {
    const { producer } = setup({}, { t: 97, two: 1 });
    for (const key of ["foobar", "ключ", Buffer.from([0, 255, 7]), ""]) {
      const { partition } = await producer.produce({ topic: "t", key, value: null });
      expect(partition).toBe(choose(messagesKey(), { key }, 97));
    }
    const turns = [];
    for (let i = 0; i < 3; i++) {
      turns.push((await producer.produce({ topic: "t", value: null })).partition);
    }
    expect(turns).toEqual([0, 1, 2]);
  });
});

describe("u32(), u64(), u128()", () => {
  test("are little-endian", () => {
    expect([...u32(0x01020304)]).toEqual([4, 3, 2, 1]);
    expect([...u64(0x0102030405060708n)]).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect([...u64(2 ** 53 - 1)]).toEqual([255, 255, 255, 255, 255, 255, 31, 0]);
    expect([...u128(1n << 120n)]).toEqual([...new Array(15).fill(0), 1]);
    expect([...u128(2n ** 128n - 1n)]).toEqual(new Array(16).fill(255));
  });

  test("are keys as any bytes are, with every hash", () => {
    const hashes: [KeyHash, (key: Uint8Array) => number][] = [
      ["murmur2", (key) => murmur2(key) & 0x7fffffff],
      ["murmur3", (key) => murmur3(key, 0)],
      ["xxh32", (key) => xxh32(key, 0)],
    ];
    for (const [name, hash] of hashes) {
      for (const key of [u32(7), u64(7), u128(7)]) {
        expect(choose(messagesKey(name), { key }, 1009)).toBe(hash(key) % 1009);
      }
    }
  });

  const wrong: [string, () => unknown, typeof Error, string][] = [
    ["u32 of 2^32", () => u32(2 ** 32), RangeError, "2^32 - 1"],
    ["u32 of -1", () => u32(-1), RangeError, "u32"],
    ["u32 of text", () => u32("1" as never), TypeError, "u32"],
    ["u64 of a fraction", () => u64(1.5), RangeError, "safe integer"],
    ["u64 of a number that is not exact", () => u64(2 ** 53), RangeError, "safe integer"],
    ["u64 of 2^64", () => u64(2n ** 64n), RangeError, "2^64 - 1"],
    ["u128 of 2^128", () => u128(2n ** 128n), RangeError, "2^128 - 1"],
  ];
  for (const [what, make, kind, named] of wrong) {
    test(`throw for ${what}`, () => {
      expect(make).toThrow(kind);
      expect(make).toThrow(named);
    });
  }
});

describe("weighted()", () => {
  test("spreads the turns of a heavy partition: a a b a c a a for weights 5, 1, 1", () => {
    const by = weighted({ 0: 5, 1: 1, 2: 1 });
    const turns = Array.from({ length: 7 }, () => choose(by, {}, 3));
    expect(turns).toEqual([0, 0, 1, 0, 2, 0, 0]);
  });

  test("gives each partition exactly its share, those not named nothing", () => {
    expect(counts(weighted({ 0: 3, 2: 1 }), 4000, 4)).toEqual([3000, 0, 1000, 0]);
    expect(counts(weighted({ 0: 0.5, 1: 0.25 }), 3000, 2)).toEqual([2000, 1000]);
    expect(counts(weighted({ 0: 0, 1: 2 }), 10, 2)).toEqual([0, 10]);
  });

  test("counts topics apart", () => {
    const by = weighted({ 0: 1, 1: 1 });
    expect([choose(by, {}, 2), choose(by, {}, 2, "u"), choose(by, {}, 2)]).toEqual([0, 0, 1]);
  });

  test("fails every record, not some, when the topic lacks one of its partitions", () => {
    const by = weighted({ 0: 1000, 3: 1 });
    expect(() => choose(by, {}, 3)).toThrow(RangeError);
    expect(() => choose(by, {}, 3)).toThrow("received 3");
    expect(choose(by, {}, 4)).toBe(0);
  });

  const wrong: [string, unknown, typeof Error, string][] = [
    ["no weights", undefined, TypeError, "weights"],
    ["weights of zero", { 0: 0 }, RangeError, "above 0"],
    ["no partition at all", {}, RangeError, "above 0"],
    ["a negative weight", { 0: -1 }, RangeError, "weights[0]"],
    ["a weight that is text", { 0: "3" }, TypeError, "weights[0]"],
    ["a weight that is no number", { 0: Number.NaN }, RangeError, "weights[0]"],
    ["an endless weight", { 0: Number.POSITIVE_INFINITY }, RangeError, "weights[0]"],
    ["a partition that is no number", { a: 1 }, RangeError, "partition"],
    ["a negative partition", { "-1": 1 }, RangeError, "partition"],
  ];
  for (const [what, weights, kind, named] of wrong) {
    test(`throws for ${what}`, () => {
      const make = (): unknown => weighted(weights as Record<number, number>);
      expect(make).toThrow(kind);
      expect(make).toThrow(named);
    });
  }
});

describe("hourly()", () => {
  const at = (time: string): Partial<ProducerRecord> => ({ timestamp: Date.parse(time) });

  test("is the UTC hour of the record modulo the number of partitions", () => {
    const by = hourly();
    expect(choose(by, at("2024-05-01T00:59:59.999Z"), 24)).toBe(0);
    expect(choose(by, at("2024-05-01T23:00:00Z"), 24)).toBe(23);
    expect(choose(by, at("2024-05-01T23:00:00Z"), 5)).toBe(3);
    expect(choose(by, at("2024-05-01T14:30:00+02:00"), 100)).toBe(12);
  });

  test("is now's without a timestamp", () => {
    const before = new Date().getUTCHours();
    const chosen = choose(hourly(), {}, 24);
    expect([before, new Date().getUTCHours()]).toContain(chosen);
  });
});

describe("priority()", () => {
  const by = () => priority({ header: "p", high: [0, 4], others: [1, 2, 3] });
  const headers = (p: string | Uint8Array | string[]) => ({ headers: { p } }) as never;

  test("gives urgent records and others partitions of their own, in turns", () => {
    const chooser = by();
    const urgent = ["high", Buffer.from("high"), ["high", "low"]].map((p) =>
      choose(chooser, headers(p as string), 5),
    );
    expect(urgent).toEqual([0, 4, 0]);
    const others = [{}, headers("low"), headers(["low", "high"]), headers("HIGH")];
    expect(others.map((record) => choose(chooser, record, 5))).toEqual([1, 2, 3, 1]);
  });

  test("takes another value for urgent", () => {
    const chooser = priority({ header: "p", value: "1", high: [7], others: [8] });
    expect([headers("1"), headers("high")].map((one) => choose(chooser, one, 9))).toEqual([7, 8]);
  });

  const good = { header: "p", high: [0], others: [1] };
  const wrong: [string, unknown, typeof Error, string][] = [
    ["no options", undefined, TypeError, "options"],
    ["an option it does not know", { ...good, low: [2] }, TypeError, '"low"'],
    ["no header", { high: [0], others: [1] }, TypeError, "header"],
    ["an empty value", { ...good, value: "" }, RangeError, "value"],
    ["no partition for urgent records", { ...good, high: [] }, RangeError, "high"],
    ["others that are no array", { ...good, others: 1 }, TypeError, "others"],
    ["a negative partition", { ...good, others: [1, -2] }, RangeError, "others[1]"],
    ["a partition that is text", { ...good, high: ["0"] }, TypeError, "high[0]"],
    ["a hole", { ...good, high: [undefined] }, TypeError, "high[0]"],
  ];
  for (const [what, options, kind, named] of wrong) {
    test(`throws for ${what}`, () => {
      const make = (): unknown => priority(options as never);
      expect(make).toThrow(kind);
      expect(make).toThrow(named);
    });
  }
});

describe("salted()", () => {
  const plain = messagesKey();
  const used = (seen: readonly number[]): number => seen.filter((n) => n > 0).length;

  test("spreads a hot key evenly over as many partitions as there are salts", () => {
    for (const [salts, count, expected] of [
      [4, 12, 4],
      [5, 3, 3],
      [1, 12, 1],
    ] as const) {
      const seen = counts(salted({ salts }), 12_000, count, "hot");
      expect(used(seen)).toBe(expected);
      const shares = seen.filter((n) => n > 0);
      expect(Math.max(...shares) / Math.min(...shares)).toBeLessThan(1.1);
      expect(seen[choose(plain, { key: "hot" }, count)]).toBeGreaterThan(0);
    }
  });

  test("spreads each of several hot keys that take turns", () => {
    const by = salted({ salts: 2 });
    const seen = [new Set<number>(), new Set<number>()];
    for (let i = 0; i < 1000; i++) seen[i % 2]!.add(choose(by, { key: `k${i % 2}` }, 12));
    expect(seen.map(({ size }) => size)).toEqual([2, 2]);
  });

  test("places cold keys as messagesKey() does, and records without a key in turns", () => {
    const by = salted({ salts: 8, hot: (key) => key === "hot" });
    for (let i = 0; i < 100; i++) {
      expect(choose(by, { key: `k${i}` }, 12)).toBe(choose(plain, { key: `k${i}` }, 12));
    }
    expect(used(counts(by, 1000, 12, "hot"))).toBe(8);
    expect([0, 1, 2].map(() => choose(by, {}, 2))).toEqual([0, 1, 0]);
    const xxh = salted({ salts: 2, hot: () => false, hash: "xxh32" });
    expect(choose(xxh, { key: "a" }, 97)).toBe(choose(messagesKey("xxh32"), { key: "a" }, 97));
  });

  const wrong: [string, unknown, typeof Error, string][] = [
    ["no options", undefined, TypeError, "options"],
    ["no salts", {}, TypeError, "salts"],
    ["no salt", { salts: 0 }, RangeError, "salts"],
    ["half a salt", { salts: 1.5 }, RangeError, "salts"],
    ["hot keys that are no function", { salts: 2, hot: ["a"] }, TypeError, "hot"],
    ["a hash that there is not", { salts: 2, hash: "md5" }, RangeError, "hash"],
    ["an option it does not know", { salts: 2, keys: [] }, TypeError, '"keys"'],
  ];
  for (const [what, options, kind, named] of wrong) {
    test(`throws for ${what}`, () => {
      const make = (): unknown => salted(options as never);
      expect(make).toThrow(kind);
      expect(make).toThrow(named);
    });
  }
});
