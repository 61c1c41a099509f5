/** Packs the package and installs the tarball into a project of its own, without the network. */
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { machineNode, root } from "../../.ci/setup.mjs";
import { runProcess } from "../harness/process.mjs";

const limitMs = 120_000;

async function npm(args, cwd) {
  const script = process.env.npm_execpath;
  const isNpm = script?.endsWith("npm-cli.js");
  const [command, all] = isNpm ? [machineNode(), [script, ...args]] : ["npm", args];
  const { code, output } = await runProcess(command, all, { cwd, timeoutMs: limitMs });
  if (code !== 0) throw new Error(`npm ${args.join(" ")} failed (${code})\n${output}`);
}

/**
 * Makes the project in `directory`.
 *
 * @returns The test file in it, to run there.
 * @throws {Error} With npm's output.
 */
export async function packProject(directory) {
  const project = path.join(directory, "project");
  mkdirSync(project, { recursive: true });
  await npm(["pack", "--ignore-scripts", "--pack-destination", directory], root);
  const tarball = readdirSync(directory).find((name) => name.endsWith(".tgz"));
  const local = (name) => `file:${path.join(root, "node_modules", name)}`;
  const dependencies = {
    headrace: `file:${path.join(directory, tarball)}`,
    "@bufbuild/protobuf": local("@bufbuild/protobuf"),
    kafkajs: local("kafkajs"),
  };
  const manifest = { name: "user", private: true, type: "module", dependencies };
  writeFileSync(path.join(project, "package.json"), JSON.stringify(manifest));
  await npm(["install", "--offline", "--no-audit", "--no-fund", "--no-package-lock"], project);
  const test = path.join(project, "smoke.test.mjs");
  copyFileSync(fileURLToPath(new URL("./smoke.test.mjs", import.meta.url)), test);
  return test;
}
