import { describe, expect, test } from "bun:test";
import { byteSum, modulo, multiplyShift } from "../../src/distribute/reducers.ts";
import type { Reducer } from "../../src/types.ts";
import { murmur2, murmur3 } from "../../src/wasm/hash.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const REDUCERS: [string, Reducer][] = [
  ["multiplyShift", multiplyShift],
  ["byteSum", byteSum],
  ["modulo(murmur2)", modulo(murmur2)],
  ["modulo(murmur3)", modulo((key) => murmur3(key, 0))],
];

describe("reducers", () => {
  for (const [name, reducer] of REDUCERS) {
    for (const seed of SEEDS) {
      test(`P1, P3: ${name} is in range, and the same for text and its bytes (seed ${seed})`, () => {
        withSeed(seed, (random) => {
          for (let i = 0; i < 500; i++) {
            const max = 1 + Math.floor(random() * 300);
            const length = Math.floor(random() * 40);
            let text = "";
            for (let at = 0; at < length; at++) {
              text += String.fromCodePoint(1 + Math.floor(random() ** 4 * 0xd000));
            }
            const place = reducer(text, max);
            expect(Number.isInteger(place) && place >= 0 && place < max).toBe(true);
            expect(reducer(bytes(text), max)).toBe(place);
          }
          expect(reducer(null, 1)).toBe(0);
          const nowhere = reducer(null, 7);
          expect(nowhere >= 0 && nowhere < 7).toBe(true);
        });
      });
    }
  }

  test("byteSum is the sum of the text's bytes modulo the count", () => {
    expect(byteSum("abc", 10)).toBe((97 + 98 + 99) % 10);
    expect(byteSum(bytes("abc"), 1000)).toBe(294);
  });

  test("multiplyShift spreads keys that share their Kafka partition", () => {
    const used = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      const key = `order-${i}`;
      if ((murmur2(bytes(key)) & 0x7fffffff) % 8 === 3) used.add(multiplyShift(key, 8));
    }
    expect(used.size).toBe(8);
  });
});
