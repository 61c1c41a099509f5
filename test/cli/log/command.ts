import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { main } from "../../../src/cli/cli.ts";
import { type FakeIo, type FakeIoOptions, fakeIo } from "../fake-io.ts";

/** What a command did. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs "headrace log …" in this process, with `directory` as the working directory. */
export async function logCommand(
  directory: string,
  argv: readonly string[],
  options: FakeIoOptions = {},
): Promise<Outcome> {
  const io = fakeIo({ cwd: directory, ...options });
  return await outcomeOf(io, argv);
}

/** The same with an Io of the test's. */
export async function outcomeOf(io: FakeIo, argv: readonly string[]): Promise<Outcome> {
  const code = await main(["log", ...argv], io);
  return { code, ...io.output };
}

/** Lines without the last newline. */
export function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** Program and arguments of "headrace log" in a process of its own. */
export function logProgram(): readonly [program: string, ...first: string[]] {
  const path = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
  const permissions = "Deno" in globalThis ? ["run", "-A"] : [];
  return [process.execPath, ...permissions, path, "log"];
}

/** Starts "headrace log …" in a process of its own. */
export function spawnLogCommand(directory: string, argv: readonly string[]): ChildProcess {
  const [program, ...first] = logProgram();
  return spawn(program, [...first, ...argv], { cwd: directory, stdio: ["pipe", "pipe", "pipe"] });
}
