import { describe, expect, test } from "bun:test";
import { crc32c, crc32cTwin } from "../../src/log/crc32c.ts";
import { rawKernel } from "../../src/wasm/raw-kernel.ts";
import { random } from "./temporary.ts";

// The kernel must be there: on every runtime that is tested it is.
const kernel = rawKernel()!;
const ascending = Uint8Array.from({ length: 32 }, (_, at) => at);

/** The definition, bit by bit. */
function model(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("crc32c()", () => {
  test.each([
    ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["ascending", ascending, 0x46dd794e],
    ["descending", ascending.toReversed(), 0x113fdb5c],
    ["nothing", new Uint8Array(0), 0],
  ])("gives the published value of %s", (_name, bytes, expected) => {
    expect(crc32c(bytes as Uint8Array)).toBe(expected as number);
  });

  test("equals the bitwise definition at every alignment and length", () => {
    const seed = 20_260_101;
    const next = random(seed);
    const bytes = Uint8Array.from({ length: 400 }, next);
    for (let start = 0; start < 9; start++) {
      for (let end = start; end <= bytes.length; end += 1 + (next() % 13)) {
        const view = bytes.subarray(start);
        const expected = model(bytes.subarray(start, end));
        expect(`${seed} ${start} ${end} ${crc32c(bytes, start, end)}`).toBe(
          `${seed} ${start} ${end} ${expected}`,
        );
        expect(crc32c(view, 0, end - start)).toBe(expected);
        expect(crc32cTwin(view, 0, end - start)).toBe(expected);
        expect(kernel.crc32c(view, 0, end - start)).toBe(expected);
      }
    }
  });

  test("is the same in the kernel and without it around the size of its chunks", () => {
    const next = random(20_260_102);
    const bytes = Uint8Array.from({ length: 2 ** 17 + 40 }, next);
    for (const length of [65_535, 65_536, 65_537, 65_552, 2 ** 17 - 1, 2 ** 17, 2 ** 17 + 17]) {
      for (const start of [0, 1, 13]) {
        const expected = crc32cTwin(bytes, start, start + length);
        expect(kernel.crc32c(bytes, start, start + length)).toBe(expected);
        expect(crc32c(bytes, start, start + length)).toBe(expected);
      }
    }
  });
});
