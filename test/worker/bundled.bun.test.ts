import { afterAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const sources: readonly string[] = ["main.ts", "handler.worker.ts"].map((name) =>
  fileURLToPath(new URL(`./bundled/${name}`, import.meta.url)),
);
const node = fileURLToPath(new URL("../../node_modules/node22/bin/node", import.meta.url));
const directory = realpathSync(mkdtempSync(join(tmpdir(), "headrace-bundled-")));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const expected = "one, in a thread: true\ntwo, in a thread: true\n";

function run(program: string, args: readonly string[]): string {
  const options = { cwd: directory, timeout: 20_000, stdio: "pipe" } as const;
  return execFileSync(program, args, options).toString();
}

describe("serve() in a worker file of one's own", () => {
  test("is found in a program of bun build --compile", () => {
    const program = join(directory, "program");
    run(process.execPath, ["build", "--compile", ...sources, "--outfile", program]);
    expect(run(program, [])).toBe(expected);
  }, 30_000);

  test("is found beside a bundle, which Node runs too", () => {
    const out = join(directory, "out");
    run(process.execPath, ["build", "--target=node", ...sources, "--outdir", out]);
    expect(run(node, [join(out, "main.js")])).toBe(expected);
  }, 30_000);
});
