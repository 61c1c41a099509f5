/**
 * What a user gets: runs inside a project that has the packed package installed.
 *
 * package.mjs copies it there; it uses `node:test`, so that any runtime can run it as it is.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

const project = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const installed = path.join(project, "node_modules/headrace");
const manifest = JSON.parse(readFileSync(path.join(installed, "package.json"), "utf8"));
const entries = Object.entries(manifest.exports);
const modules = entries.filter(([, target]) => typeof target === "object");

test("the package has entry points", () => {
  assert.ok(modules.length >= 4, `received ${modules.map(([name]) => name)}`);
});

for (const [name, target] of modules) {
  test(`${name} is imported by its name`, async () => {
    const loaded = await import(path.posix.join("headrace", name));
    assert.notDeepEqual(Object.keys(loaded), []);
  });

  test(`${name} has the types it names`, () => {
    assert.match(target.types, /\.d\.ts$/);
    assert.ok(existsSync(path.join(installed, target.types)), target.types);
  });
}

for (const [name, target] of entries.filter(([, target]) => typeof target === "string")) {
  test(`${name} is a file`, () => {
    assert.ok(existsSync(path.join(installed, target)), target);
  });
}

test("./kernel.wasm is a WebAssembly module without imports", () => {
  const bytes = readFileSync(path.join(installed, manifest.exports["./kernel.wasm"]));
  assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []);
});

test("types hold for a strict user", () => {
  const imports = modules.map(
    ([name], index) => `export * as entry${index} from "${path.posix.join("headrace", name)}";\n`,
  );
  writeFileSync(path.join(project, "user.mts"), imports.join(""));
  const tsc = path.join(process.env.HEADRACE_ROOT, "node_modules/typescript/bin/tsc");
  const types = path.join(process.env.HEADRACE_ROOT, "node_modules/@types");
  const options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext"];
  const names = ["--types", "node", "--typeRoots", types];
  const args = [tsc, ...options, ...names, "user.mts"];
  try {
    execFileSync(process.execPath, args, { cwd: project, encoding: "utf8" });
  } catch (error) {
    assert.fail(error.stdout);
  }
});

test("the package holds what it runs on and nothing else", () => {
  const expected = ["CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json"];
  assert.deepEqual(readdirSync(installed).sort(), expected);
});

test("headrace --version prints the package's version", () => {
  const command = path.join(project, "node_modules/.bin/headrace");
  const output = execFileSync(command, ["--version"], { encoding: "utf8" });
  assert.ok(output.includes(manifest.version), output);
});
