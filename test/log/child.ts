/** Child processes of the log's tests, under the runtime that runs the test. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A script of this directory that runs in a process of its own and talks in lines. */
export class Child {
  readonly name: string;
  readonly exited: Promise<void>;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #rest = "";
  #errors = "";
  #hasEnded = false;
  #wake: () => void = () => {};

  /** @param command Runs scripts; default: this runtime. */
  constructor(
    script: string,
    args: readonly string[] = [],
    command: readonly string[] = thisRuntime(),
  ) {
    this.name = script;
    const path = fileURLToPath(new URL(`./${script}`, import.meta.url));
    const [binary, ...before] = command;
    this.#process = spawn(binary!, [...before, path, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process.stdout!.setEncoding("utf8").on("data", (text: string) => this.#add(text));
    this.#process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    // Writes to a process that was killed say so here; whoever waits for an answer finds out.
    this.#process.stdin!.on("error", () => {});
    this.exited = new Promise((resolve) => {
      this.#process.once("close", () => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** What it wrote to stderr so far. */
  get errors(): string {
    return this.#errors;
  }

  say(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  /** The next whole line, or undefined when the process has ended without one. */
  async line(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#hasEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#lines.shift();
  }

  /** Lines that are there and were not asked for yet. */
  takeLines(): string[] {
    return this.#lines.splice(0);
  }

  /** kill -9; settles when it is gone and all it said has arrived. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.exited;
  }

  /** Ends its input and waits. */
  async end(): Promise<void> {
    this.#process.stdin!.end();
    await this.exited;
  }

  #add(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    this.#lines.push(...lines);
    if (lines.length > 0) this.#wake();
  }
}

/** How a script is started under the runtime that runs this one. */
export function thisRuntime(): string[] {
  if ("Deno" in globalThis) return [process.execPath, "run", "-A", "--no-check"];
  if ("Bun" in globalThis) return [process.execPath];
  return [process.execPath, "--disable-warning=ExperimentalWarning"];
}
