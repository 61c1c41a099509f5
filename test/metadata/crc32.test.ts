import { expect, test } from "bun:test";
import { crc32 } from "../../src/metadata/crc32.ts";

const bytes = new TextEncoder().encode("123456789");

test("crc32() gives the known values, of parts too", () => {
  expect(crc32(bytes)).toBe(0xcbf43926);
  expect(crc32(bytes.subarray(0, 4), bytes.subarray(4))).toBe(0xcbf43926);
  expect(crc32()).toBe(0);
  expect(crc32(new Uint8Array(32))).toBe(0x190a55ad);
});
