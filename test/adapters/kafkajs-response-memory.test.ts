import { describe, expect, test } from "bun:test";
import type { Buffer } from "node:buffer";
import type { FetchedMessage, FetchResponse } from "../../src/adapters/kafkajs/client.ts";
import { ResponseMemory } from "../../src/adapters/kafkajs/response-memory.ts";
import type { HeldMemory } from "../../src/held-memory.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

const MIB = 2 ** 20;

/** The records of one partition: a value that is a view of the memory, and a tombstone without a key before it. */
function recordsIn(memory: Uint8Array): FetchedMessage[] {
  const value = memory.subarray(10, 20);
  return [
    { offset: "0", key: null, value: null },
    { offset: "1", key: null, value },
  ];
}

function responseOf(...partitions: (readonly FetchedMessage[])[]): FetchResponse {
  return {
    responses: partitions.map((messages) => ({ topicName: "t", partitions: [{ messages }] })),
  };
}

function setUp() {
  const memory = new ResponseMemory();
  const isFree = (one: Buffer): boolean => {
    const taken = Array.from({ length: 3 }, () => memory.take(one.length).buffer);
    return taken.includes(one.buffer);
  };
  return { memory, isFree };
}

describe("ResponseMemory", () => {
  test("gives as much as is asked for, and at most a quarter more", () => {
    const { memory } = setUp();
    for (const bytes of [65_537, 100_000, MIB, MIB + 1, 3_333_333, 2 ** 30]) {
      const { length } = memory.take(bytes);
      expect(length).toBeGreaterThanOrEqual(bytes);
      expect(length).toBeLessThanOrEqual(1.25 * bytes);
    }
  });

  test("is used again when the records of all partitions are delivered and done", () => {
    const { memory, isFree } = setUp();
    const one = memory.take(MIB);
    const [first, second] = [recordsIn(one), recordsIn(one)];
    memory.fetched(responseOf(first, [], second));
    const firstHeld = memory.of(first) as HeldMemory;
    firstHeld.hold();
    firstHeld.release();
    firstHeld.release();
    expect(isFree(one)).toBe(false);
    const secondHeld = memory.of(second) as HeldMemory;
    secondHeld.hold();
    secondHeld.release();
    expect(isFree(one)).toBe(false);
    secondHeld.release();
    expect(isFree(one)).toBe(true);
  });

  test("fits a response that is a little larger or smaller", () => {
    const { memory } = setUp();
    const one = memory.take(MIB + 70);
    const records = recordsIn(one);
    memory.fetched(responseOf(records));
    memory.of(records)?.release();
    expect(memory.take(MIB + 5000).buffer).toBe(one.buffer);
  });

  test("is not used again where a partition waits in kafkajs, or its records are elsewhere", () => {
    const { memory, isFree } = setUp();
    const one = memory.take(MIB);
    const waits = recordsIn(new Uint8Array(100));
    const delivered = recordsIn(one);
    memory.fetched(responseOf(waits, delivered));
    memory.of(delivered)?.release();
    expect(isFree(one)).toBe(false);
    memory.of(waits)?.release();
    expect(isFree(one)).toBe(true);
    const other = memory.take(MIB);
    const elsewhere = recordsIn(new Uint8Array(100));
    memory.fetched(responseOf(elsewhere));
    expect(memory.of(elsewhere)).toBeUndefined();
    expect(isFree(other)).toBe(false);
  });

  test("a partition gives its part back once", () => {
    const { memory } = setUp();
    const one = memory.take(MIB);
    const records = recordsIn(one);
    memory.fetched(responseOf(records, recordsIn(one)));
    expect(memory.of(records)).toBeDefined();
    expect(memory.of(records)).toBeUndefined();
    expect(memory.of(undefined)).toBeUndefined();
  });

  test("keeps a burst of free memory, and none when there is nothing to read", () => {
    const { memory, isFree } = setUp();
    const all = Array.from({ length: 40 }, () => memory.take(MIB));
    const records = all.map(recordsIn);
    for (const one of records) memory.fetched(responseOf(one));
    for (const one of records) memory.of(one)?.release();
    const again = new Set(Array.from({ length: 40 }, () => memory.take(MIB).buffer));
    expect(all.filter(({ buffer }) => again.has(buffer)).length).toBe(32);
    const last = memory.take(MIB);
    const its = recordsIn(last);
    memory.fetched(responseOf(its));
    memory.of(its)?.release();
    memory.fetched(responseOf([]));
    expect(isFree(last)).toBe(false);
  });

  test.each(SEEDS.map((seed) => [seed]))(
    "never gives memory that somebody may still read, seed %i",
    (seed) => {
      withSeed(seed, (random) => {
        const { memory } = setUp();
        const pick = (below: number): number => Math.floor(random() * below);
        const takeFrom = <T>(list: T[]): T => list.splice(pick(list.length), 1)[0] as T;
        /** What may be read of each memory in use: partitions that wait, and batches. */
        const readers = new Map<ArrayBufferLike, number>();
        const waiting: { of: ArrayBufferLike; records: FetchedMessage[] }[] = [];
        const batches: { of: ArrayBufferLike; held: HeldMemory }[] = [];
        const left = (of: ArrayBufferLike): void => void readers.set(of, readers.get(of)! - 1);
        for (let step = 0; step < 3000; step++) {
          const what = random();
          if (what < 0.2) {
            const taken = memory.take(MIB + pick(1000));
            const of = taken.buffer;
            expect(readers.get(of) ?? 0).toBe(0);
            const partitions = Array.from({ length: 1 + pick(3) }, () => recordsIn(taken));
            readers.set(of, partitions.length);
            memory.fetched(responseOf(...partitions));
            for (const records of partitions) waiting.push({ of, records });
          } else if (what < 0.6 && waiting.length > 0) {
            const { of, records } = takeFrom(waiting);
            const held = memory.of(records)!;
            for (let views = pick(3); views > 0; views--) {
              held.hold();
              readers.set(of, readers.get(of)! + 1);
              batches.push({ of, held });
            }
            held.release();
            left(of);
          } else if (batches.length > 0) {
            const { of, held } = takeFrom(batches);
            held.release();
            left(of);
          }
        }
        expect(readers.size).toBeLessThan(300);
      });
    },
  );
});
