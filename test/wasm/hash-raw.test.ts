import { describe, expect, test } from "bun:test";
import { murmur2, murmur3, NULL_KEY_HASH, xxh32 } from "../../src/wasm/hash.ts";
import { Kernel, type RawHash } from "../../src/wasm/kernel.ts";
import { xxh32Oracle } from "./oracle.ts";
import { SEEDS, withSeed } from "./random.ts";

const HASHES: Record<RawHash, (bytes: Uint8Array, seed: number) => number> = {
  murmur3,
  murmur2: (bytes) => murmur2(bytes) >>> 0,
  xxh32,
};

interface RawKeys {
  bytes: Uint8Array;
  starts: Uint32Array;
  ends: Uint32Array;
}

/** Keys between values, as in a record batch, after some bytes that hold no key. */
function rawKeys(random: () => number, messageCount: number, valueBytes: number): RawKeys {
  const starts = new Uint32Array(messageCount);
  const ends = new Uint32Array(messageCount);
  let at = Math.floor(random() * 100);
  for (let i = 0; i < messageCount; i++) {
    at += Math.floor(random() * valueBytes);
    const length = Math.floor(random() * (i % 20 === 0 ? 200 : 24));
    starts[i] = random() < 0.1 ? 0xffffffff : at;
    ends[i] = starts[i] === 0xffffffff ? 0 : at + length;
    at += length;
  }
  return { bytes: Uint8Array.from({ length: at }, () => random() * 256), starts, ends };
}

describe("hashRaw()", () => {
  test.each([...SEEDS])("equals hashing each key alone, in both engines: seed %d", (seed) => {
    withSeed(seed, (random) => {
      const kernels = [new Kernel("wasm"), new Kernel("twin"), new Kernel("auto")];
      for (const size of [0, 1, 15, 63, 64, 65, 500, 3000]) {
        // 1000: the span is too large to be copied.
        for (const valueBytes of [1, 100, 1000]) {
          const { bytes, starts, ends } = rawKeys(random, size, valueBytes);
          for (const name of Object.keys(HASHES) as RawHash[]) {
            const wanted = Array.from(starts, (start, i) =>
              start === 0xffffffff
                ? NULL_KEY_HASH
                : HASHES[name](bytes.subarray(start, ends[i]!), seed),
            );
            for (const kernel of kernels) {
              kernel.hashRaw(bytes, starts, ends, size, seed, name);
              expect(Array.from(kernel.hashColumn(size).subarray(0, size))).toEqual(wanted);
            }
          }
        }
      }
    });
  });

  test("ends at the last byte of the buffer", () => {
    const bytes = Uint8Array.from({ length: 64 * 7 }, (_, i) => i * 31);
    const starts = Uint32Array.from({ length: 64 }, (_, i) => i * 7);
    const ends = starts.map((start) => start + 7);
    const kernel = new Kernel("wasm");
    kernel.hashRaw(bytes, starts, ends, 64, 9, "xxh32");
    expect(kernel.hashColumn(64)[63]).toBe(xxh32Oracle(bytes.subarray(63 * 7), 9));
  });

  test("gives messages without any key the null hash", () => {
    for (const engine of ["wasm", "twin"] as const) {
      const kernel = new Kernel(engine);
      const starts = new Uint32Array(200).fill(0xffffffff);
      kernel.hashColumn(200).fill(0);
      kernel.hashRaw(new Uint8Array(0), starts, new Uint32Array(200), 200, 1);
      expect(new Set(kernel.hashColumn(200).subarray(0, 200))).toEqual(new Set([NULL_KEY_HASH]));
    }
  });

  test("refuses a key outside the buffer", () => {
    const kernel = new Kernel("wasm");
    const starts = new Uint32Array(100);
    const ends = new Uint32Array(100).fill(4);
    ends[50] = 11;
    expect(() => kernel.hashRaw(new Uint8Array(10), starts, ends, 100, 1)).toThrow(
      "a raw key lies inside its buffer",
    );
  });

  test("keeps keys in flight when the bytes need more memory", () => {
    for (const engine of ["wasm", "twin"] as const) {
      const kernel = new Kernel(engine);
      kernel.hashColumn(3).set([1, 2, 3]);
      kernel.group(3, new Uint32Array(0), 0);
      withSeed(11, (random) => {
        const { bytes, starts, ends } = rawKeys(random, 5000, 100);
        kernel.hashRaw(bytes, starts, ends, 5000, 1);
      });
      kernel.hashColumn(3).set([3, 1, 9]);
      const { lanes } = kernel.group(3, new Uint32Array(0), 0);
      expect(Array.from(lanes.subarray(0, 3))).toEqual([2, 0, 3]);
    }
  });
});
