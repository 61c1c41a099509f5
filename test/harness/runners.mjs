/**
 * The runtimes that the tests run under: how each is started, and how its tests are counted.
 *
 * A runner is `{ name, accepts(file), command(files, reportFile), count(output, reportFile) }`;
 * `count` returns `{ passed, failed, skipped }`, or undefined when there is no summary to read.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../../.ci/setup.mjs";

/** Limit of one test that names none. Bun's own is 5 s, which a loaded machine does not keep. */
export const testTimeoutMs = 20_000;

const inPackages = (name) => path.join(root, "node_modules", name);
const onlyBun = (file) => file.endsWith(".bun.test.ts");
const onlyBunAndNode = (file) => file.endsWith(".node.test.ts");

export function countBun(output) {
  // The summary is the block of " N pass" lines before the last "Ran N tests across".
  const end = output.lastIndexOf("\nRan ");
  if (end < 0) return undefined;
  const block = output.slice(output.lastIndexOf("\n\n", end), end);
  const number = (label) => Number(new RegExp(`^ *(\\d+) ${label}s?$`, "m").exec(block)?.[1] ?? 0);
  return {
    passed: number("pass"),
    failed: number("fail") + number("error"),
    skipped: number("skip") + number("todo"),
  };
}

/** Reads what node-counts.mjs wrote. */
export function countNode(_output, reportFile) {
  const written = existsSync(reportFile) ? readFileSync(reportFile, "utf8") : "";
  return written === "" ? undefined : JSON.parse(written);
}

/**
 * Counts Deno's JUnit report.
 *
 * It lists a describe like a test; the shim ends the name of a describe with U+200B. A describe
 * counts only when it failed by itself (a hook threw), not because a test in it did.
 */
export function countDeno(report) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const cases = report.matchAll(/<testcase name="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g);
  for (const [, name, body] of cases) {
    const failed = /<(failure|error)\b/.test(body);
    if (name.endsWith("\u200b")) {
      if (failed && !/message="\d+ test steps? failed"/.test(body)) counts.failed++;
    } else if (failed) counts.failed++;
    else if (body.includes("<skipped")) counts.skipped++;
    else counts.passed++;
  }
  return counts;
}

const countsReporter = fileURLToPath(new URL("./node-counts.mjs", import.meta.url));

/** A run of `node --test`; every file gets a process of its own. */
export function nodeCommand(binary, files, reportFile, options = []) {
  const args = [...options, "--test"];
  args.push("--test-reporter=spec", "--test-reporter-destination=stdout");
  args.push(`--test-reporter=${countsReporter}`, `--test-reporter-destination=${reportFile}`);
  return [binary, [...args, ...files]];
}

const nodePassed = /^\s*✔ /;
const withShim = [
  "--disable-warning=ExperimentalWarning",
  "--import=./test/shim/register.mjs",
  // A handle that a test forgot must not hold the run: a file's process ends with its last test.
  "--test-force-exit",
];

const bun = {
  name: "bun",
  accepts: () => true,
  passedLine: /^\(pass\) /,
  command: (files) => [
    path.join(root, "node_modules/.bin/bun"),
    ["test", `--timeout=${testTimeoutMs}`, ...files.map((file) => `./${file}`)],
  ],
  count: countBun,
};

const node = (name) => ({
  name,
  accepts: (file) => !onlyBun(file),
  passedLine: nodePassed,
  command: (files, reportFile) =>
    nodeCommand(path.join(inPackages(name), "bin/node"), files, reportFile, withShim),
  count: countNode,
});

const deno = {
  name: "deno",
  accepts: (file) => !onlyBun(file) && !onlyBunAndNode(file),
  passedLine: /\.\.\. ok \(/,
  command: (files, reportFile) => {
    const args = ["test", "--allow-all", "--no-check", "--config=test/deno.json"];
    return [
      path.join(root, "node_modules/.bin/deno"),
      [...args, `--junit-path=${reportFile}`, ...files],
    ];
  },
  count: (_output, reportFile) =>
    existsSync(reportFile) ? countDeno(readFileSync(reportFile, "utf8")) : undefined,
};

const node24 = node("node24");

export const runners = [bun, node("node22"), node24, deno];

/** Counts tests without running one: under it, and with HEADRACE_TEST_LEAVE_OUT, the shim skips all. */
export const counter = node24;
