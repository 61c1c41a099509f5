import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { sep } from "node:path";
import { rooms } from "./import-table.ts";
import { brokenRules, declaresUsing, roomOf } from "./source-rules.ts";

const root = new URL("../../", import.meta.url);
const source = new URL("src/", root);

const jsr = JSON.parse(readFileSync(new URL("jsr.json", root), "utf8")) as {
  exports: Record<string, string>;
};
const entries = Object.values(jsr.exports).map((file) => file.replace(/^\.\/src\//, ""));

const files = (readdirSync(source, { recursive: true }) as string[])
  .map((name) => name.replaceAll(sep, "/"))
  .filter((name) => name.endsWith(".ts"))
  .sort();

describe("src/", () => {
  test("keeps the import table and the rules of style", () => {
    const broken = files.flatMap((path) =>
      brokenRules(path, readFileSync(new URL(path, source), "utf8"), entries),
    );
    expect(files.length).toBeGreaterThan(0);
    expect(broken).toEqual([]);
  });

  test("and tests declare nothing with `using`: Node 22 strips types and does not know it", () => {
    const below = (folder: string): string[] =>
      (readdirSync(new URL(folder, root), { recursive: true }) as string[])
        .filter((name) => name.endsWith(".ts"))
        .map((name) => folder + name.replaceAll(sep, "/"));
    const using = ["src/", "test/", "bench/", "examples/"]
      .flatMap(below)
      .filter((path) => declaresUsing(path, readFileSync(new URL(path, root), "utf8")));
    expect(using).toEqual([]);
    expect(declaresUsing("a.ts", "async () => { await using a = b(); };")).toBe(true);
    expect(declaresUsing("a.ts", "const using = 1; using;")).toBe(false);
  });

  test("has no room that the import table does not name, and the table none that is unknown", () => {
    const known = new Set([...Object.keys(rooms), "entry"]);
    const named = Object.values(rooms).flatMap(({ imports, types = [] }) => [...imports, ...types]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    expect(files.map(roomOf).filter((name) => !(name in rooms))).toEqual([]);
  });
});

/** The checker itself: [what is wrong, path, source, the message's part; none when it is right]. */
const cases: [string, string, string, string | undefined][] = [
  ["a stage imports a stage", "mark/a.ts", 'import { b } from "../commit/b.ts";', "commit"],
  ["a stage re-exports a stage", "mark/a.ts", 'export * from "../commit/b.ts";', "commit"],
  ["a stage loads a stage", "mark/a.ts", 'await import("../commit/b.ts");', "commit"],
  ["types only where allowed", "types.ts", 'import type { L } from "./source/s.ts";', undefined],
  ["inline types", "types.ts", 'import { type L } from "./source/s.ts";', undefined],
  ["a value where types are allowed", "types.ts", 'import { L } from "./source/s.ts";', "source"],
  ["a type among values", "types.ts", 'import { type L, m } from "./source/s.ts";', "source"],
  ["an import type", "mark/a.ts", 'type A = import("../commit/b.ts").B;', "types of commit"],
  ["the base", "mark/a.ts", 'import { invariant } from "../invariant.ts";', undefined],
  ["consumer.ts by a stage", "mark/a.ts", 'import { c } from "../consumer.ts";', "wiring"],
  ["consumer.ts by index.ts", "index.ts", 'export { c } from "./consumer.ts";', undefined],
  ["consumer.ts by the command", "cli/a.ts", 'import { c } from "../consumer.ts";', "wiring"],
  ["an entry by the command", "cli/a.ts", 'import { c } from "../index.ts";', undefined],
  ["a room by the command", "cli/a.ts", 'import { c } from "../log/files.ts";', "log"],
  ["node: in a stage", "mark/a.ts", 'import { join } from "node:path";', "names a runtime"],
  ["node: in the log", "log/a.ts", 'import { join } from "node:path";', undefined],
  ["process in a stage", "mark/a.ts", "export const id = process.pid;", "names a runtime"],
  ["globalThis.Bun", "mark/a.ts", "globalThis.Bun;", "names a runtime"],
  ["typeof Deno", "mark/a.ts", "typeof Deno;", "names a runtime"],
  ["a method named process", "mark/a.ts", "class A { process() { this.process(); } }", undefined],
  ["a parameter named process", "mark/a.ts", "const f = (process) => process();", undefined],
  ["Buffer in a comment", "mark/a.ts", "// a Buffer\nexport {};", undefined],
  ["WebAssembly in a stage", "mark/a.ts", "WebAssembly.validate(b);", "names WebAssembly"],
  ["WebAssembly in wasm", "wasm/a.ts", "WebAssembly.validate(b);", undefined],
  ["an unknown room", "attic/a.ts", 'import "./b.ts";', "room"],
  ["a default export", "mark/a.ts", "export default 1;", "default export"],
  ["a default function", "mark/a.ts", "export default function f() {}", "default export"],
  ["export as default", "mark/a.ts", "const a = 1; export { a as default };", "default export"],
  ["switch default", "mark/a.ts", "switch (a) { default: b(); }", undefined],
  ["any", "mark/a.ts", "const a: any = 1;", "any"],
  ["an enum", "mark/a.ts", "enum A { B }", "enum"],
  ["private", "mark/a.ts", "class A { private b = 1; }", "private"],
  ["a long file", "mark/a.ts", "a();\n".repeat(401), "401 lines"],
  ["a long generated file", "mark/a.ts", `// Generated\n${"a();\n".repeat(401)}`, undefined],
  ["a long function", "mark/a.ts", `function f() {\n${"a();\n".repeat(70)}}`, "72 lines"],
];

describe("brokenRules()", () => {
  test.each(cases)("judges %s", (_name, path, text, message) => {
    const broken = brokenRules(path, text, ["index.ts"]);
    expect(broken.length).toBe(message === undefined ? 0 : 1);
    expect(broken.join()).toContain(message ?? "");
  });
});
