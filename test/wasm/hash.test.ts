import { describe, expect, test } from "bun:test";
import kafkajsMurmur2 from "kafkajs/src/producer/partitioners/default/murmur2.js";
import murmurhash from "murmurhash-js";
import {
  hashKeys,
  murmur2,
  murmur2Range,
  murmur3,
  murmur3Range,
  murmur3Text,
  NULL_KEY_HASH,
  PARTITION_KEY_SEED,
  xxh32,
  xxh32Range,
} from "../../src/wasm/hash.ts";
import { xxh32Oracle } from "./oracle.ts";
import { SEEDS, withSeed } from "./random.ts";
import vectors from "./vectors.json" with { type: "json" };

const encoder = new TextEncoder();

function bytesOf(vector: { text?: string; hex?: string }): Uint8Array {
  if (vector.text !== undefined) return encoder.encode(vector.text);
  return Uint8Array.from(vector.hex!.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}

/** murmurhash-js takes one byte from each unit of a string. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

describe("published vectors", () => {
  test("murmur2() is Kafka's", () => {
    for (const vector of vectors.murmur2) expect(murmur2(bytesOf(vector))).toBe(vector.signed);
  });

  test("murmur3() is MurmurHash3 x86-32", () => {
    for (const vector of vectors.murmur3) {
      expect(murmur3(bytesOf(vector), vector.seed)).toBe(vector.unsigned);
      expect(murmur3Text(vector.text, vector.seed)).toBe(vector.unsigned);
    }
  });

  test("xxh32() is xxHash32", () => {
    for (const vector of vectors.xxh32) {
      expect(xxh32(bytesOf(vector), vector.seed)).toBe(vector.unsigned);
    }
  });
});

describe("random bytes", () => {
  test.each([...SEEDS])("every hash equals an independent one: seed %d", (seed) => {
    withSeed(seed, (random) => {
      for (let round = 0; round < 300; round++) {
        const length = Math.floor(random() * (round % 10 === 0 ? 1000 : 40));
        const bytes = Uint8Array.from({ length }, () => random() * 256);
        const hashSeed = round % 3 === 0 ? PARTITION_KEY_SEED : Math.floor(random() * 2 ** 32);
        // Surrounded by other bytes, so that a read outside the range shows.
        const start = Math.floor(random() * 9);
        const outer = Uint8Array.from({ length: start + length + 5 }, () => random() * 256);
        outer.set(bytes, start);
        const end = start + length;

        const wanted3 = murmurhash.murmur3(latin1(bytes), hashSeed);
        expect(murmur3(bytes, hashSeed)).toBe(wanted3);
        expect(murmur3Range(outer, start, end, hashSeed)).toBe(wanted3);
        const wanted2 = kafkajsMurmur2(Buffer.from(bytes));
        expect(murmur2(bytes)).toBe(wanted2);
        expect(murmur2Range(outer, start, end)).toBe(wanted2);
        const wantedXx = xxh32Oracle(bytes, hashSeed);
        expect(xxh32(bytes, hashSeed)).toBe(wantedXx);
        expect(xxh32Range(outer, start, end, hashSeed)).toBe(wantedXx);
      }
    });
  });

  test.each([...SEEDS])("hashKeys() is murmur3 of every key of a batch: seed %d", (seed) => {
    withSeed(seed, (random) => {
      // Every length up to 40 bytes, views of one buffer as in a fetch, and messages without a key.
      const buffer = Uint8Array.from({ length: 1000 }, () => random() * 256).buffer;
      const keys = Array.from({ length: 400 }, (_, i) => {
        if (random() < 0.1) return null;
        return new Uint8Array(buffer, Math.floor(random() * 960), i % 41);
      });
      const wanted = keys.map((key) =>
        key === null ? NULL_KEY_HASH : murmurhash.murmur3(latin1(key), PARTITION_KEY_SEED),
      );
      const column = new Uint32Array(keys.length + 1).fill(7);
      hashKeys({ keyAt: (index) => keys[index]! }, keys.length, column);
      expect(Array.from(column)).toEqual([...wanted, 7]);
    });
  });

  test.each([...SEEDS])(
    "P1: murmur3Text() equals murmur3() of the UTF-8 bytes: seed %d",
    (seed) => {
      withSeed(seed, (random) => {
        const alphabets = ["abcXYZ019-_/", "aé", "日本z", "🙂a", "\ud800a\udc00", "\0\x80"];
        for (let round = 0; round < 300; round++) {
          const alphabet = alphabets[Math.floor(random() * alphabets.length)]!;
          const units = Array.from({ length: Math.floor(random() * 24) }, () =>
            alphabet.charAt(random() * alphabet.length),
          );
          const text = units.join("");
          expect(murmur3Text(text, seed)).toBe(murmur3(encoder.encode(text), seed));
        }
      });
    },
  );
});
