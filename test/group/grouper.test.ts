import { describe, expect, test } from "bun:test";
import { Grouper } from "../../src/group/grouper.ts";
import { PolledBatch } from "../../src/polled-batch.ts";
import type { RecordBatch } from "../../src/source/source.ts";
import type { Partitioner } from "../../src/types.ts";
import { murmur3, NULL_KEY_HASH, PARTITION_KEY_SEED } from "../../src/wasm/hash.ts";
import { Kernel } from "../../src/wasm/kernel.ts";

const encoder = new TextEncoder();
const texts = Array.from({ length: 100 }, (_, index) => (index % 9 === 0 ? null : `k${index % 7}`));
const keys = texts.map((text) => (text === null ? null : encoder.encode(text)));
const wanted = keys.map((key) => (key === null ? NULL_KEY_HASH : murmur3(key, PARTITION_KEY_SEED)));

const decoded: RecordBatch = {
  count: keys.length,
  baseOffset: 0,
  offsetDeltas: null,
  byteLength: 1000,
  keyAt: (index) => keys[index]!,
  valueAt: () => null,
  timestampAt: () => 0,
  headersAt: () => ({ get: () => null, text: () => null, has: () => false, entries: () => [] }),
};
const untouched: RecordBatch = {
  ...decoded,
  keyAt: () => {
    throw new Error("Cannot look at a key as its hash is there: received a call");
  },
};

/** Where the keys lie in one buffer. */
function rawKeys(): NonNullable<RecordBatch["rawKeys"]> {
  const bytes = encoder.encode(texts.join(""));
  const starts = new Uint32Array(keys.length);
  const ends = new Uint32Array(keys.length);
  let at = 0;
  keys.forEach((key, index) => {
    starts[index] = key === null ? 0xffffffff : at;
    if (key !== null) at += key.length;
    ends[index] = key === null ? 0 : at;
  });
  return { bytes, starts, ends };
}

/** Hashes in the batch and in the kernel. */
function hashesOf(records: RecordBatch, partitioner: Partitioner | null = null): number[][] {
  const kernel = new Kernel();
  const lease = { topic: "t", partition: 0 };
  const given = { lease, records, nextOffset: 100, highWatermark: 0 };
  const batch = new PolledBatch(lease, given, null, 0);
  expect(new Grouper(kernel, partitioner, false).group(batch)).toBe(null);
  return [[...batch.hashes], [...kernel.hashColumn(100).subarray(0, 100)]];
}

describe("Grouper", () => {
  test("finds the same hashes in keys, in raw keys, and where the source has them", () => {
    const keyHashes = Uint32Array.from(wanted);
    expect(hashesOf(decoded)).toEqual([wanted, wanted]);
    expect(hashesOf({ ...untouched, rawKeys: rawKeys() })).toEqual([wanted, wanted]);
    expect(hashesOf({ ...untouched, keyHashes })).toEqual([wanted, wanted]);
  });

  test("P1: asks a partitioner whatever the source has", () => {
    const one = murmur3(encoder.encode("7"), PARTITION_KEY_SEED);
    const hashes = hashesOf({ ...decoded, keyHashes: Uint32Array.from(wanted) }, () => 7);
    expect(hashes).toEqual([Array(100).fill(one), Array(100).fill(one)]);
  });
});
