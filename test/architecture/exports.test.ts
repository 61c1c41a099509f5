import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const read = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(name, root), "utf8")) as Record<string, unknown>;

const npm = read("package.json");
const jsr = read("jsr.json");
const npmEntries = Object.entries(npm.exports as Record<string, unknown>);
const jsrEntries = jsr.exports as Record<string, string>;

/** Entry points that are modules; the others are plain files. */
const modules = npmEntries.filter(([, target]) => typeof target === "object") as [
  string,
  { types: string; default: string },
][];

describe("package.json and jsr.json", () => {
  test("have the same entry points", () => {
    const fromNpm = modules.map(([name, target]) => [
      name,
      target.default.replace(/^\.\/dist\//, "./src/").replace(/\.js$/, ".ts"),
    ]);
    expect(Object.fromEntries(fromNpm)).toEqual(jsrEntries);
  });

  test("name the types beside each module", () => {
    for (const [, target] of modules) {
      expect(target.types).toBe(target.default.replace(/\.js$/, ".d.ts"));
    }
  });

  test("name files that exist", () => {
    const missing = Object.values(jsrEntries).filter((file) => !existsSync(new URL(file, root)));
    expect(missing).toEqual([]);
  });

  test("have the same version and licence", () => {
    expect(jsr.version).toBe(npm.version);
    expect(jsr.license).toBe(npm.license);
  });
});

test("dependencies are pinned exactly", () => {
  const pinned = { ...(npm.dependencies as object), ...(npm.devDependencies as object) };
  const loose = Object.entries(pinned).filter(
    ([, version]) => !/^(npm:[a-z0-9-]+@)?\d+\.\d+\.\d+$/.test(version as string),
  );
  expect(loose).toEqual([]);
});
