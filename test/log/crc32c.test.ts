import { describe, expect, test } from "bun:test";
import { crc32c, crc32cTwin } from "../../src/log/crc32c.ts";
import { rawKernel, readFrames } from "../../src/wasm/raw-kernel.ts";
import { encodeBatch } from "./encode-batch.ts";
import { numbered, random } from "./temporary.ts";

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

  test("is the same in the kernel at the limits of its two ways and of its chunks", () => {
    const chunk = 2 ** 17;
    const bytes = Uint8Array.from({ length: 2 * chunk + 5000 }, random(20_260_102));
    // Below where long input is shortened, there, and where one word more drops out.
    const lengths = [1671, 1672, 4095, 4096, 4097, 4103, 4104, 4105, 5000, 8191];
    for (const rest of [-1, 0, 1, 7, 17, 4095, 4096]) lengths.push(chunk + rest, 2 * chunk + rest);
    for (const length of lengths) {
      for (const start of [0, 1, 13]) {
        const expected = crc32cTwin(bytes, start, start + length);
        expect(kernel.crc32c(bytes, start, start + length)).toBe(expected);
        expect(crc32c(bytes, start, start + length)).toBe(expected);
      }
    }
    expect(crc32cTwin(bytes, 1, 5001)).toBe(model(bytes.subarray(1, 5001)));
  });

  test("a call in the kernel is not disturbed by what other calls leave there", () => {
    const bytes = Uint8Array.from({ length: 9000 }, random(20_260_103));
    const expected = crc32cTwin(bytes, 0, 9000);
    const place = { baseOffset: 0, writerEpoch: 1, topicEpoch: 1, appendTimeUs: 0 };
    // Each makes the memory grow, with other things where its regions lay before.
    for (const count of [3000, 6000, 12_000]) {
      const batch = encodeBatch(numbered(0, count), place).bytes;
      expect(typeof readFrames(batch, count, 1, "wasm")).not.toBe("number");
      expect(kernel.crc32c(bytes, 0, 9000)).toBe(expected);
      expect(kernel.crc32c(bytes, 0, 9000)).toBe(expected);
    }
  });
});
