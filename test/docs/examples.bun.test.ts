/**
 * The TypeScript blocks of README.md and docs/ compile for a strict user, and those behind a line
 * `<!-- run -->` run: exit code 0, and the `text` block behind them is what they print. So do the files behind
 * `<!-- run examples/… -->`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const documents = readdirSync(join(root, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`)
  .concat("README.md");

interface Example {
  /** Document and line, for the test's name and the file's. */
  readonly name: string;
  readonly code: string;
  readonly runs: boolean;
  /** What it must print; undefined: anything. */
  readonly output: string | undefined;
}

const block = /(<!-- run -->\n)?```ts\n([\s\S]*?)```(?:\n\n```text\n([\s\S]*?)```)?/g;

function examplesOf(document: string): Example[] {
  const text = readFileSync(join(root, document), "utf8");
  return [...text.matchAll(block)].map((found) => {
    const line = text.slice(0, found.index).split("\n").length;
    return {
      name: `${document.replace("/", "-")}-${line}`,
      code: found[2]!,
      runs: found[1] !== undefined,
      output: found[3],
    };
  });
}

const file = /<!-- run (examples\/\S+) -->\n```text\n([\s\S]*?)```/g;

/** Files of examples/, with what a document says that they print. */
function filesOf(document: string): (readonly [path: string, output: string])[] {
  const text = readFileSync(join(root, document), "utf8");
  return [...text.matchAll(file)].map((found) => [found[1]!, found[2]!]);
}

const examples = documents.flatMap(examplesOf);
const files = documents.flatMap(filesOf);
const directory = mkdtempSync(join(tmpdir(), "headrace-docs-"));
const entries = JSON.parse(readFileSync(join(root, "jsr.json"), "utf8")).exports as object;

/** What the examples import, as a user would, from the unbuilt sources. */
const paths = Object.fromEntries(
  Object.entries(entries).map(([entry, file]) => [
    `headrace${entry.slice(1)}`,
    [join(root, file as string)],
  ]),
);

beforeAll(() => {
  const compilerOptions = {
    strict: true,
    target: "es2022",
    module: "nodenext",
    lib: ["ES2024", "ESNext.Disposable", "DOM"],
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    typeRoots: [join(root, "node_modules/@types")],
    types: ["node"],
    paths,
  };
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type: "module" }));
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  for (const { name, code } of examples) writeFileSync(join(directory, `${name}.ts`), code);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("examples of the documents", () => {
  test("are there", () => {
    expect(examples.length).toBeGreaterThan(4);
    expect(examples.some(({ runs }) => runs)).toBe(true);
    expect(files.map(([path]) => path)).toContain("examples/dead-letters.ts");
  });

  test("compile for a strict user", () => {
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", directory], {
      encoding: "utf8",
    });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  }, 60_000);

  function run(name: string, path: string, output: string | undefined): void {
    const cwd = join(directory, `run-${name}`);
    mkdirSync(cwd);
    const options = { cwd, encoding: "utf8", timeout: 15_000 } as const;
    const ended = spawnSync(process.execPath, [path], options);
    expect(ended.stderr).toBe("");
    expect(ended.status).toBe(0);
    if (output !== undefined) expect(ended.stdout).toBe(output);
  }

  for (const { name, output } of examples.filter(({ runs }) => runs)) {
    test(`${name} runs`, () => run(name, join(directory, `${name}.ts`), output));
  }

  for (const [path, output] of files) {
    test(`${path} runs`, () => run(path.replace("/", "-"), join(root, path), output));
  }
});
