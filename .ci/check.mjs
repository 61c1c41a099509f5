/**
 * `npm run check`: what must hold before a commit, in under a minute.
 *
 * Format and lint, types, kernel bytes, then the unit tests under Bun (the import table is among them).
 */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { machineNode, root, setUp } from "./setup.mjs";

const tool = (name) => path.join(root, "node_modules/.bin", name);

const dryRun = ["publish", "--dry-run", "--allow-dirty", "--config=jsr.json"];

/** The checks that are not tests: name and command, run from the root; exit code 0 is a pass. */
export const checks = [
  { name: "biome", command: [tool("biome"), ["check", "--error-on-warnings"]] },
  { name: "types", command: [machineNode(), ["node_modules/typescript/bin/tsc", "--noEmit"]] },
  { name: "kernel", command: [machineNode(), [".ci/build-kernel.mjs", "--check"]] },
  { name: "jsr", command: [tool("deno"), dryRun] },
];

/** Checks that `.ci/run` makes as well: each of the simulation's mutants must be caught. */
export const slowChecks = [
  { name: "mutants", command: [tool("bun"), ["test/simulation/mutants.ts"]] },
];

async function main() {
  await setUp({ built: false });
  let failed = 0;
  const unitTests = {
    name: "unit tests",
    command: [machineNode(), ["test/run.mjs", "--runtime", "bun", "--only", "unit"]],
  };
  for (const { name, command } of [...checks, unitTests]) {
    const startedMs = Date.now();
    const { status, stdout, stderr } = spawnSync(...command, { cwd: root, encoding: "utf8" });
    const took = `${((Date.now() - startedMs) / 1000).toFixed(1)} s`;
    process.stdout.write(`${status === 0 ? "ok    " : "FAILED"}  ${name}  ${took}\n`);
    if (status === 0) continue;
    failed++;
    process.stdout.write(`${stdout}${stderr}\n`);
  }
  process.stdout.write(failed === 0 ? "all checks passed\n" : `${failed} checks failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
