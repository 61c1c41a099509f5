import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { keyParts } from "../../../src/cli/analyze/key-parts.ts";

/** All keys, as text; each chunk is overwritten when the next one is asked for. */
async function keysOf(chunks: readonly Uint8Array[]): Promise<(string | null)[]> {
  async function* reused(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const chunk of chunks) {
      const copy = Buffer.from(chunk);
      yield copy;
      copy.fill(0x21);
    }
  }
  const keys: (string | null)[] = [];
  for await (const part of keyParts(reused())) {
    for (const key of part) keys.push(key === null ? null : Buffer.from(key).toString("latin1"));
  }
  return keys;
}

describe("keyParts()", () => {
  test("gives the same wherever the chunks are cut", async () => {
    const bytes = Buffer.from("a\n\nbcd\r\n\r\n\xff\xfe\rx\r\r\nlast", "latin1");
    const expected = ["a", null, "bcd", null, "\xff\xfe\rx\r", "last"];
    expect(await keysOf([bytes])).toEqual(expected);
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        const parts = [bytes.subarray(0, first), bytes.subarray(first, second)];
        expect(await keysOf([...parts, bytes.subarray(second)])).toEqual(expected);
      }
    }
  });

  test("gives nothing for nothing, and no key for a last newline", async () => {
    expect(await keysOf([])).toEqual([]);
    expect(await keysOf([Buffer.from("a\n")])).toEqual(["a"]);
    expect(await keysOf([Buffer.from("\n")])).toEqual([null]);
  });

  test("refuses a line without an end", async () => {
    const chunk = new Uint8Array(32 << 20).fill(0x61);
    async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
      for (;;) yield chunk;
    }
    const read = async (): Promise<void> => {
      for await (const _ of keyParts(endless())) break;
    };
    const message = "Cannot analyze as a line must not exceed 67108864 bytes: received 100663296";
    await expect(read()).rejects.toThrow(message);
  });
});
