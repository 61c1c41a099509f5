/** `npm start`: sets up what is missing, then runs `headrace demo` with the arguments given. */
import { spawn } from "node:child_process";
import path from "node:path";
import { machineNode, root, setUp } from "./setup.mjs";

try {
  await setUp();
} catch (error) {
  process.stderr.write(`setup: ${error.message}\n`);
  process.exit(1);
}

const args = [path.join(root, "dist/cli/main.js"), "demo", ...process.argv.slice(2)];
const demo = spawn(machineNode(), args, { stdio: "inherit" });
// A terminal sends Ctrl-C to both processes; the demo decides when to end, so this one only waits.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => demo.kill("SIGTERM"));
demo.once("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
demo.once("exit", (code) => {
  process.exitCode = code ?? 1;
});
