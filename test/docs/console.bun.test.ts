/**
 * The `console` blocks of docs/: each line that begins with "$ " runs in a shell, one after the other in one
 * directory per document, and prints what stands below it. Times, rates and process ids may differ.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "headrace-console-"));
const TIMEOUT_MS = 60_000;

interface Step {
  readonly command: string;
  readonly output: string;
}

function stepsOf(document: string): Step[] {
  const text = readFileSync(join(root, "docs", document), "utf8");
  const blocks = [...text.matchAll(/```console\n([\s\S]*?)```/g)].map(([, body]) => body!);
  return blocks.flatMap((body) =>
    body
      .split(/^\$ /m)
      .slice(1)
      .map((step) => {
        const end = step.indexOf("\n");
        return { command: step.slice(0, end), output: step.slice(end + 1) };
      }),
  );
}

/** Without what differs from run to run, and without the widths that come from it. */
function masked(output: string): string {
  return output
    .replace(/\b[\d,.]+k?\/s/g, "RATE")
    .replace(/\b[\d,.]+ (ms|s|min|h|d)\b/g, "TIME")
    .replace(/"(timestamp|appendTime)":\d+/g, '"$1":TIME')
    .replace(/process \d+( on \S+)?/gi, "process ID")
    .replace(/ +/g, " ");
}

const main = join(root, "src/cli/main.ts");

function run(command: string, cwd: string): string {
  const script = `headrace() { "${process.execPath}" "${main}" "$@"; }\n{ ${command}\n} 2>&1`;
  const { stdout, error } = spawnSync("bash", ["-c", script], { cwd, encoding: "utf8" });
  if (error) throw error;
  return stdout;
}

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("console blocks of the documents", () => {
  const documents = readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .filter((name) => stepsOf(name).length > 0);

  test("are there", () => {
    expect(documents).toContain("log.md");
  });

  for (const document of documents) {
    test(
      `${document} prints what it shows`,
      () => {
        const cwd = mkdtempSync(join(directory, "run-"));
        for (const { command, output } of stepsOf(document)) {
          expect(`$ ${command}\n${masked(run(command, cwd))}`).toBe(
            `$ ${command}\n${masked(output)}`,
          );
        }
      },
      TIMEOUT_MS,
    );
  }
});
