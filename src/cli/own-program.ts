import process from "node:process";
import { fileURLToPath } from "node:url";

/** A program and its arguments, as `spawn()` takes them. */
export type CommandLine = readonly [program: string, args: readonly string[]];

/** The command line that starts `headrace` again, with other arguments, under the same runtime and its options. */
export function ownProgram(args: readonly string[]): CommandLine {
  // Sources and build differ in the ending only.
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const entry = new URL(`./main.${ending}`, import.meta.url);
  const program = entry.protocol === "file:" ? fileURLToPath(entry) : entry.href;
  return sameRuntime([program, ...args]);
}

/** The command line that starts a program under the same runtime and its options. */
export function sameRuntime(programAndArgs: readonly string[]): CommandLine {
  return [process.execPath, [...runtimeArguments(), ...programAndArgs]];
}

function runtimeArguments(): string[] {
  if (process.versions.deno !== undefined) return ["run", "-A"];
  if (process.versions.bun !== undefined) return [];
  // Loaders and limits of memory, which the command was started with. Not what makes a process a run of tests.
  return process.execArgv.filter((one) => !one.startsWith("--test"));
}
