import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { inputLines } from "../../../src/cli/log/input-lines.ts";

async function split(chunks: readonly (string | Uint8Array)[]): Promise<string[][]> {
  async function* bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const chunk of chunks) yield Buffer.from(chunk as string);
  }
  const groups: string[][] = [];
  for await (const lines of inputLines(bytes())) {
    groups.push(lines.map((line) => line.toString("latin1")));
  }
  return groups;
}

describe("inputLines()", () => {
  test.each([
    [[], []],
    [["a\n"], [["a"]]],
    [["a"], [["a"]]],
    [["\n"], [[""]]],
    [
      ["a\nb\n", "c\n"],
      [["a", "b"], ["c"]],
    ],
    [["a\n\nb"], [["a", ""], ["b"]]],
    [
      ["a", "b", "c\nd"],
      [["abc"], ["d"]],
    ],
    [["a\r\n"], [["a\r"]]],
  ] as [string[], string[][]][])("splits %j into %j", async (chunks, lines) => {
    expect(await split(chunks)).toEqual(lines);
  });

  test("keeps bytes that are no text", async () => {
    expect(await split([Uint8Array.of(0xff, 0x00, 0x0a, 0xc3)])).toEqual([
      ["\u00ff\0"],
      ["\u00c3"],
    ]);
  });

  test("keeps what a stream writes over in its buffer", async () => {
    const chunk = Buffer.from("ab");
    async function* reusing(): AsyncGenerator<Uint8Array, void, undefined> {
      yield chunk;
      chunk.write("c\n");
      yield chunk;
    }
    const lines: string[] = [];
    for await (const group of inputLines(reusing())) lines.push(...group.map(String));
    expect(lines).toEqual(["abc"]);
  });

  test("refuses a line without end", async () => {
    async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
      const chunk = new Uint8Array(8 << 20).fill(0x61);
      while (true) yield chunk;
    }
    const reading = async (): Promise<void> => {
      for await (const _ of inputLines(endless())) break;
    };
    await expect(reading()).rejects.toThrow("Cannot append as a line must not exceed 67108864");
  });
});
