import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../../src/errors.ts";
import { type Log, openLog } from "../../src/log/log.ts";
import { resolveLogOptions } from "../../src/log/log-options.ts";
import { LogStore } from "../../src/log/log-store.ts";
import { numbered, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: Log[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((log) => log.close()));
  removeTemporary();
});

describe("openLog()", () => {
  test("refuses a directory that holds other things, and leaves it alone", async () => {
    const root = temporaryDirectory();
    writeFileSync(join(root, "package.json"), "{}");
    mkdirSync(join(root, "src"));
    await expect(openLog(root)).rejects.toThrow(LogError);
    await expect(openLog(root)).rejects.toThrow(
      `as its directory must be empty or hold a log: received package.json in ${root}`,
    );
    expect(readdirSync(root).sort()).toEqual(["package.json", "src"]);
  });

  test("refuses a file, and a path through one", async () => {
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "mine");
    for (const path of [file, join(file, "log")]) {
      await expect(openLog(path)).rejects.toThrow(LogError);
      await expect(openLog(path)).rejects.toThrow(
        `in a directory that can be written to: received ${path}`,
      );
    }
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  test("refuses a place where nothing can be written", async () => {
    // The superuser may write into a read-only directory, and nobody here.
    const path = "/sys/headrace/log";
    await expect(openLog(path)).rejects.toThrow(LogError);
    await expect(openLog(path)).rejects.toThrow(`can be written to: received ${path}`);
  });

  test("takes what a broken first open left, but not topics without their store.json", async () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, "topics"));
    writeFileSync(join(root, "store.json.tmp"), "{");
    const log = await openLog(root, { topics: { t: { partitions: 1 } } });
    await log.append("t", 0, numbered(0, 1));
    await log.close();
    rmSync(join(root, "store.json"));
    await expect(openLog(root)).rejects.toThrow(CorruptLogError);
    await expect(openLog(root)).rejects.toThrow("its store.json must be there");
  });

  test("refuses a newer format, naming both", async () => {
    const root = temporaryDirectory();
    await (await openLog(root)).close();
    const path = join(root, "store.json");
    const before = readFileSync(path, "utf8").replace('"format": 1', '"format": 2');
    writeFileSync(path, before);
    await expect(openLog(root)).rejects.toThrow("its format must be 1: received 2");
    expect(readFileSync(path, "utf8")).toBe(before);
    expect(readdirSync(root).sort()).toEqual(["store.json", "topics"]);
  });
});

describe("a log whose files are deleted while it is open", () => {
  test("takes no more appends once it notices, and says why; closing it works", async () => {
    const root = join(temporaryDirectory(), "log");
    mkdirSync(root);
    const store = new LogStore(root, resolveLogOptions());
    const [partition] = store.ensureTopic("t", { partitions: 1, overrides: {} }).partitions;
    partition!.append(numbered(0, 1));
    rmSync(root, { recursive: true });
    await store.sync();
    expect(() => partition!.append(numbered(1, 1))).toThrow(LogError);
    expect(() => partition!.append(numbered(1, 1))).toThrow("as its store.json must be there");
    await store.close();
  });
});
