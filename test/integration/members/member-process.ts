import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { MemberOptions } from "./member-options.ts";

const MAX_OUTPUT = 4000;

const script = fileURLToPath(new URL("./member.ts", import.meta.url));

/** How the runtime of this process runs a TypeScript file. */
function runtimeArguments(): string[] {
  if ("Deno" in globalThis) return ["run", "--allow-all", "--no-check"];
  if ("Bun" in globalThis) return [];
  return ["--disable-warning=ExperimentalWarning"];
}

/** How a process ended: one of both is null. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A member in a process of its own, under the runtime of this one. It never outlives this one. */
export class MemberProcess {
  readonly name: string;
  /** Settles when the process has ended; never rejects. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  #end: ProcessEnd | null = null;
  #signalled = false;
  #output = "";

  constructor(options: MemberOptions) {
    this.name = options.name;
    const args = [...runtimeArguments(), script, JSON.stringify(options)];
    // What node:test tells its own children is not meant for this one.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    this.#child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-MAX_OUTPUT);
      });
    }
    const killNow = (): void => void this.#child.kill("SIGKILL");
    process.once("exit", killNow);
    this.ended = new Promise((resolve) => {
      const settle = (end: ProcessEnd): void => {
        process.removeListener("exit", killNow);
        this.#end ??= end;
        resolve(this.#end);
      };
      this.#child.once("error", (error) => {
        this.#output += error.message;
        settle({ code: null, signal: null });
      });
      this.#child.once("close", (code, signal) => settle({ code, signal }));
    });
  }

  /** What went wrong, when the process has ended and nobody told it to. */
  get problem(): string | null {
    if (this.#end === null || this.#signalled) return null;
    const { code, signal } = this.#end;
    return `member ${this.name} ended with ${signal ?? `exit code ${code}`}: ${this.#output}`;
  }

  get hasEnded(): boolean {
    return this.#end !== null;
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output;
  }

  /** `kill -9`; settles when the process is gone. */
  kill(): Promise<ProcessEnd> {
    return this.#signal("SIGKILL");
  }

  /** Asks it to close; settles when the process is gone. */
  terminate(): Promise<ProcessEnd> {
    return this.#signal("SIGTERM");
  }

  #signal(signal: "SIGKILL" | "SIGTERM"): Promise<ProcessEnd> {
    const { pid } = this.#child;
    if (this.#end === null && pid !== undefined) {
      this.#signalled = true;
      try {
        // Not the child's own kill(): after it Deno says that the signal ended the process, whatever did.
        process.kill(pid, signal);
      } catch {
        // It ended in this moment: `ended` tells how.
      }
    }
    return this.ended;
  }
}
