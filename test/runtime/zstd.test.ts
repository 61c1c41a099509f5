import { describe, expect, test } from "bun:test";
import { findZstd } from "../../src/runtime/zstd.ts";

/** A frame of one run: 100,000 zeros. */
const FRAME: Uint8Array = Uint8Array.from(atob("KLUv/aCghgEAVQAAEAAAAQCbhjnAAg=="), (char) =>
  char.charCodeAt(0),
);
const inflate = findZstd();

describe.skipIf(inflate === null)("findZstd()", () => {
  test("inflates a frame", () => {
    expect(inflate!(FRAME, 200_000).length).toBe(100_000);
  });

  test("throws when a frame comes to more than it may, or is none", () => {
    expect(() => inflate!(FRAME, 99_999)).toThrow();
    expect(() => inflate!(Uint8Array.of(1, 2, 3), 1000)).toThrow();
  });
});
