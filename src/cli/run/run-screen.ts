import type { Io } from "../io.ts";
import { type Paint, paintFor } from "../paint.ts";
import { StatusLine } from "../status-line.ts";
import { guardConsole } from "./guard-console.ts";
import { type MemberReport, reportLine } from "./member-report.ts";
import type { RunFigures } from "./run-figures.ts";
import { type RunResult, runLine, runSummary } from "./run-report.ts";

const PLAIN_EVERY_MS = 1000;

/** Where a run shows what it does. */
export interface RunScreen {
  print(line: string): void;
  show(figures: RunFigures, perSecond: number): void;
  /** Before others write where the figures stand. */
  clear(): void;
  draining(text: string): void;
  finished(result: RunResult): void;
  stop(): void;
}

/** Lines, and a status line below them, on stderr: stdout belongs to the handlers and to `--json`. */
export class StatusScreen implements RunScreen {
  readonly #status: StatusLine;
  readonly #paint: Paint;
  readonly #unguard: () => void;

  constructor(io: Io) {
    this.#status = new StatusLine(io.err, PLAIN_EVERY_MS);
    this.#paint = paintFor(io.err);
    this.#unguard = io.err.isTerminal ? guardConsole(() => this.clear()) : () => {};
  }

  print(line: string): void {
    this.#status.print(line);
  }
  show(figures: RunFigures, perSecond: number, more = ""): void {
    this.#status.update(() => runLine(figures, perSecond, this.#paint) + more);
  }
  clear(): void {
    this.#status.clear();
  }
  draining(text: string): void {
    this.print(`Closing: waits for ${text}; a second signal leaves at once`);
  }
  finished(result: RunResult): void {
    for (const line of runSummary(result, this.#paint)) this.print(line);
  }
  stop(): void {
    this.#unguard();
    this.clear();
  }
}

/** Reports to the command that started this process; it does the showing. */
export class ReportScreen implements RunScreen {
  readonly #io: Io;

  constructor(io: Io) {
    this.#io = io;
  }

  report(report: MemberReport): void {
    this.#io.err.write(reportLine(report));
  }
  print(line: string): void {
    this.#io.err.write(`${line}\n`);
  }
  show(figures: RunFigures): void {
    this.report({ kind: "figures", figures });
  }
  finished(result: RunResult): void {
    this.report({ kind: "result", result });
  }
  clear(): void {}
  draining(): void {}
  stop(): void {}
}
