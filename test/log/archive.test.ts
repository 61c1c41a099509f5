import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LogError } from "../../src/errors.ts";
import { archiveSegment, keepFile } from "../../src/log/archive.ts";
import type { ArchivedSegment } from "../../src/log/topic-options.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";

afterEach(removeTemporary);

const NAME = "00000000000000000007.log";

function setUp(bytes = "segment".repeat(1000)) {
  const directory = temporaryDirectory();
  const from = join(directory, NAME);
  writeFileSync(from, bytes);
  const to = join(directory, "kept", "a", "b.log");
  return { directory, from, to, bytes };
}

/** As on another file system. */
async function noLink(): Promise<void> {
  throw Object.assign(new Error("a test says: not linked"), { code: "EXDEV" });
}

describe("keepFile()", () => {
  test("gives the bytes a second name, and leaves the first", async () => {
    const { from, to } = setUp();
    await keepFile(from, to);
    expect(statSync(to).ino).toBe(statSync(from).ino);
  });

  test("copies when there can be no second name, and leaves nothing else behind", async () => {
    const { directory, from, to, bytes } = setUp();
    await keepFile(from, to, noLink);
    expect(statSync(to).ino).not.toBe(statSync(from).ino);
    expect(readFileSync(to, "utf8")).toBe(bytes);
    expect(readdirSync(join(directory, "kept", "a"))).toEqual(["b.log"]);
  });

  test.each([
    ["linked", undefined],
    ["copied", noLink],
  ] as const)("is done when a try before it has %s the file", async (_how, link) => {
    const { from, to } = setUp();
    await keepFile(from, to, link);
    const { ino } = statSync(to);
    await keepFile(from, to, link);
    expect(statSync(to).ino).toBe(ino);
  });

  test("replaces what a crash has left of a copy", async () => {
    const { directory, from, to, bytes } = setUp();
    mkdirSync(join(directory, "kept", "a"), { recursive: true });
    writeFileSync(`${to}.tmp`, "half of a segm");
    await keepFile(from, to, noLink);
    expect(readFileSync(to, "utf8")).toBe(bytes);
    expect(readdirSync(join(directory, "kept", "a"))).toEqual(["b.log"]);
  });

  test.each([
    ["longer", (bytes: string) => `${bytes}x`],
    ["different", (bytes: string) => `${bytes.slice(0, -1)}x`],
  ])("never overwrites another file: a %s one", async (_what, change) => {
    const { directory, from, to, bytes } = setUp();
    mkdirSync(join(directory, "kept", "a"), { recursive: true });
    writeFileSync(to, change(bytes));
    const error = await keepFile(from, to).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(LogError);
    expect(String(error)).toContain(to);
    expect(readFileSync(to, "utf8")).toBe(change(bytes));
  });
});

describe("archiveSegment()", () => {
  function segment(file: string): ArchivedSegment {
    return { topic: "t", partition: 3, file, baseOffset: 7, nextOffset: 9, bytes: 7000 };
  }

  test("tells topics and partitions apart in a directory", async () => {
    const { directory, from } = setUp();
    const archive = join(directory, "archive");
    await archiveSegment(archive, segment(from), "/data/topics/12-orders");
    expect(statSync(join(archive, "12-orders", "3", NAME)).size).toBe(7000);
  });

  test("waits for a function, and fails with its error", async () => {
    const { from } = setUp();
    const steps: unknown[] = [];
    await archiveSegment(
      async (one) => {
        steps.push(one);
        await Promise.resolve();
        steps.push("taken");
      },
      segment(from),
      "/data",
    );
    expect(steps).toEqual([segment(from), "taken"]);
    const refuse = () => {
      throw new Error("store is away");
    };
    const failed = archiveSegment(refuse, segment(from), "/data");
    await expect(failed).rejects.toThrow("store is away");
  });
});
