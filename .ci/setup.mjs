/**
 * Set-up of a fresh clone: dependencies and build, each only when missing or out of date.
 *
 * Runs on the machine's own Node before anything is installed, so it imports nothing but `node:`.
 *
 *   node .ci/setup.mjs            installs and builds what is missing or stale
 *   node .ci/setup.mjs --rebuild  builds in any case
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync, realpathSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Written last by the build, so its time says when `dist` was complete. */
const buildStamp = path.join(root, "dist/wasm/kernel.wasm");
const cliFile = path.join(root, "dist/cli/main.js");

/** Everything `dist` is made from. */
const buildInputs = [
  "src",
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  ".ci/build-kernel.mjs",
  ".ci/setup.mjs",
];

/**
 * The Node of this machine, not one of those in node_modules.
 *
 * npm puts node_modules/.bin first on the PATH, and the pinned Node packages have a `node` there.
 */
export function machineNode() {
  const inPackages = (file) => realpathSync(file).includes(`${path.sep}node_modules${path.sep}`);
  const onPath = (process.env.PATH ?? "")
    .split(path.delimiter)
    .map((directory) => path.join(directory, process.platform === "win32" ? "node.exe" : "node"));
  const candidates = [process.env.npm_node_execpath, ...onPath];
  const found = candidates.find((file) => file && existsSync(file) && !inPackages(file));
  return found ?? process.execPath;
}

/**
 * Runs a command to its end and keeps its output back unless it fails.
 *
 * @throws {Error} With the whole output when the exit code is not 0.
 */
async function run(command, args) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${[command, ...args].join(" ")} failed (${code})\n${output}`);
}

async function step(label, action) {
  const started = Date.now();
  process.stderr.write(`setup: ${label} …\n`);
  await action();
  process.stderr.write(`setup: done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

/** Newest modification of a file, or of a directory and all below it (a removal changes its parent). */
function newestChangeMs(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  const below = readdirSync(file).map((name) => newestChangeMs(path.join(file, name)));
  return Math.max(stat.mtimeMs, ...below);
}

function isInstalled() {
  // npm writes this file at the end of every install, after package-lock.json.
  const installedMs = newestChangeMs(path.join(root, "node_modules/.package-lock.json"));
  return installedMs > 0 && installedMs >= newestChangeMs(path.join(root, "package-lock.json"));
}

function isBuilt() {
  if (!existsSync(cliFile)) return false;
  const inputsMs = buildInputs.map((name) => newestChangeMs(path.join(root, name)));
  return newestChangeMs(buildStamp) >= Math.max(...inputsMs);
}

async function install() {
  const args = ["ci", "--include=dev", "--ignore-scripts=false", "--no-audit", "--no-fund"];
  const npmScript = process.env.npm_execpath;
  if (npmScript?.endsWith("npm-cli.js")) await run(machineNode(), [npmScript, ...args]);
  else await run(process.platform === "win32" ? "npm.cmd" : "npm", args);
}

async function build() {
  rmSync(path.join(root, "dist"), { recursive: true, force: true });
  const tsc = path.join(root, "node_modules/typescript/bin/tsc");
  await run(machineNode(), [tsc, "-p", "tsconfig.build.json"]);
  chmodSync(cliFile, 0o755);
  await run(machineNode(), [".ci/build-kernel.mjs", "--wasm", path.relative(root, buildStamp)]);
}

/** Installs when node_modules is missing or older than the lockfile; `built` also builds dist. */
export async function setUp({ built = true, rebuild = false } = {}) {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20)
    throw new Error(`Cannot set up on Node ${process.versions.node}: needs 20 or newer`);
  if (!isInstalled()) await step("installing the dependencies (npm ci)", install);
  if (built && (rebuild || !isBuilt())) await step("building dist", build);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await setUp({ rebuild: process.argv.includes("--rebuild") });
  } catch (error) {
    process.stderr.write(`setup: ${error.message}\n`);
    process.exitCode = 1;
  }
}
