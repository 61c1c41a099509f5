/** The checks that are not tests; `test/run.mjs --checks` makes them. */
import path from "node:path";
import { machineNode, root } from "./setup.mjs";

const tool = (name) => path.join(root, "node_modules/.bin", name);

const dryRun = ["publish", "--dry-run", "--allow-dirty", "--config=jsr.json"];

/** Looks only at what has changed since the last time, and what depends on it. */
const noEmit = ["--noEmit", "--incremental", "--tsBuildInfoFile", ".cache/types.tsbuildinfo"];

/** Name and command of each, run from the root; exit code 0 is a pass. */
export const checks = [
  { name: "biome", command: [tool("biome"), ["check", "--error-on-warnings"]] },
  { name: "types", command: [machineNode(), ["node_modules/typescript/bin/tsc", ...noEmit]] },
  { name: "kernel", command: [machineNode(), [".ci/build-kernel.mjs", "--check"]] },
];

/** Checks that `.ci/run` makes as well; the simulation must catch each of its mutants. */
export const slowChecks = [
  { name: "jsr", command: [tool("deno"), dryRun] },
  { name: "mutants", command: [tool("bun"), ["test/simulation/mutants.ts"]] },
];
