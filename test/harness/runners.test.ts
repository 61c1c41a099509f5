/** `npm test` must not call a failure a pass: each runtime runs samples here, counted from outside. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Counts, counter, type Runner, runners } from "./runners.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Name of the runner of the runtime that this file runs under. */
function ownName(): string {
  if ("Bun" in globalThis) return "bun";
  if ("Deno" in globalThis) return "deno";
  return `node${process.versions.node.split(".")[0]}`;
}

const found = runners.find(({ name }) => name === ownName());
if (found === undefined) throw new Error(`no runner is named ${ownName()}`);
const own: Runner = found;

/** The environment without what node:test tells its own children, which would mute them. */
const { NODE_TEST_CONTEXT: _, ...environment } = process.env;

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "headrace-harness-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function run(
  sample: string,
  using: Runner = own,
  variables: Record<string, string> = {},
): { counts: Counts | undefined; code: number | null } {
  const reportFile = join(scratch, `${sample}-${using.name}.report`);
  const [command, args] = using.command([`test/harness/samples/${sample}.ts`], reportFile);
  const env = { ...environment, NO_COLOR: "1", ...variables };
  const ended = spawnSync(command, args, { cwd: root, env, encoding: "utf8" });
  const counts = using.count(ended.stdout + ended.stderr, reportFile);
  return { counts, code: ended.status };
}

describe(`the runner of ${own.name}`, () => {
  test("counts what passed and what was left out", () => {
    const { counts, code } = run("skipping");
    expect(counts).toEqual({ passed: 2, failed: 0, skipped: 8 });
    expect(code).toBe(0);
  }, 20_000);

  test("counts each failure", () => {
    const { counts, code } = run("failing");
    expect(counts).toEqual({ passed: 3, failed: 5, skipped: 0 });
    expect(code).not.toBe(0);
  }, 20_000);

  test("takes a file that breaks off for a failure", () => {
    const { counts, code } = run("broken");
    expect(code).not.toBe(0);
    expect(counts === undefined || counts.failed > 0).toBe(true);
  }, 20_000);

  test("takes a hook that throws for a failure", () => {
    const { counts, code } = run("broken-hook");
    expect(code).not.toBe(0);
    expect(counts?.passed).toBe(0);
    expect(counts?.failed).toBeGreaterThan(0);
  }, 20_000);

  test("counts no pass for a file without tests", () => {
    expect(run("empty").counts?.passed ?? 0).toBe(0);
  }, 20_000);
});

test("the counter counts every test and runs none", () => {
  const { counts, code } = run("failing", counter, { HEADRACE_TEST_LEAVE_OUT: "1" });
  expect(counts).toEqual({ passed: 0, failed: 0, skipped: 8 });
  expect(code).toBe(0);
}, 20_000);
