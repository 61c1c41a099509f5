import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { StopSignal } from "../io.ts";
import { ownProgram } from "../own-program.ts";
import { type MemberReport, readLine } from "./member-report.ts";

const NEW_LINE = 10;
/** A line that is longer is passed on in parts. */
const MAX_LINE_BYTES: number = 1 << 20;
/** What a process has written is read so long after its end: a child of its own may hold the pipes open. */
const PIPES_MS = 1000;

/** What is told of a process. */
export interface MemberListener {
  /** A line on stdout, with its end; the next one comes when this settles. */
  output(line: Uint8Array): Promise<void>;
  report(report: MemberReport): void;
  /** A line on stderr that is no report. */
  line(text: string): void;
}

/** How a process ended. */
export interface MemberEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * One process of `headrace run --processes`.
 *
 * Its stdin is a pipe that nothing is written to: it ends when this process does, however that may come about.
 */
export class MemberProcess {
  readonly ended: Promise<MemberEnd>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[], listener: MemberListener) {
    const [program, all] = ownProgram(args);
    const child = spawn(program, all, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    // A process that could not be started has no pipes, or broken ones.
    child.stdin?.on("error", () => {});
    const read = Promise.all([
      eachLine(child.stdout, (line) => listener.output(line)),
      eachLine(child.stderr, async (line) => {
        const { text, report } = readLine(line.toString("utf8").replace(/\r?\n$/, ""));
        if (text !== "" || report === null) listener.line(text);
        if (report !== null) listener.report(report);
      }),
    ]);
    this.ended = this.#end(read, listener);
  }

  /** Does nothing once it has ended. */
  send(signal: StopSignal | "SIGKILL"): void {
    this.#child.kill(signal);
  }

  async #end(read: Promise<unknown>, listener: MemberListener): Promise<MemberEnd> {
    const child = this.#child;
    const end = await new Promise<MemberEnd>((resolve) => {
      child.on("error", (error) => {
        listener.line(error.message);
        resolve({ code: null, signal: null });
      });
      child.on("exit", (code, signal) => resolve({ code, signal }));
    });
    const timer = setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, PIPES_MS);
    await read;
    clearTimeout(timer);
    child.stdin?.destroy();
    return end;
  }
}

/** Gives whole lines, with their ends, and what is left at the end of the stream. */
async function eachLine(
  stream: Readable | null,
  give: (line: Buffer) => Promise<void>,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of stream ?? []) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(NEW_LINE); end >= 0; end = rest.indexOf(NEW_LINE)) {
        await give(rest.subarray(0, end + 1));
        rest = rest.subarray(end + 1);
      }
      if (rest.length < MAX_LINE_BYTES) continue;
      await give(rest);
      rest = Buffer.alloc(0);
    }
  } catch {
    // Destroyed after the end of the process: what came until then was given.
  }
  if (rest.length > 0) await give(rest);
}
