import { CommandError } from "../command-error.ts";
import { duration } from "../format.ts";
import type { StopSignal } from "../io.ts";
import { type MemberEnd, MemberProcess } from "./member-process.ts";
import type { MemberReport } from "./member-report.ts";
import { NO_FIGURES, type RunFigures, sumFigures } from "./run-figures.ts";
import type { RunResult } from "./run-report.ts";

/** Pause before a process is started again: doubled with each that dies, short again after a minute of life. */
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 30_000;
const LONG_LIFE_MS = 60_000;
const DEFAULT_DRAIN_MS = 20_000;
/** What a process may take to close, beyond its drain: twice of what a consumer promises. */
const CLOSE_MS = 10_000;
const ERROR_PREFIX = "headrace: ";

/** What several processes are asked for. */
export interface ProcessesOptions {
  readonly count: number;
  /** Arguments of `headrace`, for each of them. */
  readonly args: readonly string[];
  /** A process that has ended by itself, with a result, is not started again. */
  readonly untilEnd: boolean;
  readonly drainTimeoutMs: number | undefined;
}

/** What is told of them. */
export interface ProcessesListener {
  line(text: string): void;
  /** A line on stdout; the next one comes when this settles. */
  output(line: Uint8Array): Promise<void>;
}

/** The place of one process, and of those that follow it when it dies. */
class Slot {
  readonly number: number;
  process: MemberProcess | null = null;
  startedAt = 0;
  /** In a row. */
  deaths = 0;
  /** Of the living process. */
  started = false;
  figures: RunFigures = NO_FIGURES;
  result: RunResult | null = null;
  /** The error that it ended with. */
  error: string | null = null;
  /** That error would come again. */
  final = false;
  /** It died, or was killed, before it had drained. */
  lost = false;

  constructor(number: number) {
    this.number = number;
  }
}

/**
 * The members of a group, each in a process of its own, for as long as nobody stops them.
 *
 * The first one is started alone until it has found its module and its topic: a wrong call is told once. As long as
 * none has joined, the first that ends with an error ends the whole. Later one does whose error would come again.
 */
export class Processes {
  restarts = 0;
  /** Of processes that have ended. */
  readonly results: RunResult[] = [];
  readonly #ended: RunFigures[] = [];
  readonly #options: ProcessesOptions;
  readonly #listener: ProcessesListener;
  readonly #slots: readonly Slot[];
  readonly #stop = new AbortController();
  #anyStarted = false;
  #killed = false;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #firstLoaded: () => void = () => {};

  constructor(options: ProcessesOptions, listener: ProcessesListener) {
    this.#options = options;
    this.#listener = listener;
    this.#slots = Array.from({ length: options.count }, (_, index) => new Slot(index + 1));
  }

  /** Settles when all have ended and none will be started again. */
  async run(): Promise<void> {
    const [first, ...others] = this.#slots as [Slot, ...Slot[]];
    const loaded = new Promise<void>((resolve) => {
      this.#firstLoaded = resolve;
    });
    try {
      const kept = this.#keep(first);
      await Promise.race([loaded, kept]);
      await Promise.all([kept, ...others.map((slot) => this.#keep(slot))]);
    } catch (error) {
      if (this.#anyStarted) this.stop("SIGTERM");
      else this.kill();
      await Promise.all(this.#slots.map((slot) => slot.process?.ended));
      throw error;
    } finally {
      clearTimeout(this.#deadline);
    }
  }

  /** All drain and end, and none is started again. Who has not ended when that must be over is killed. */
  stop(signal: StopSignal): void {
    this.#stop.abort();
    for (const { process } of this.#slots) process?.send(signal);
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(
      () => this.kill(),
      (this.#options.drainTimeoutMs ?? DEFAULT_DRAIN_MS) + CLOSE_MS,
    );
  }

  /** All end at once. */
  kill(): void {
    this.#killed = true;
    this.#stop.abort();
    for (const { process } of this.#slots) process?.send("SIGKILL");
  }

  get alive(): number {
    return this.#slots.filter(({ process }) => process !== null).length;
  }

  /** Some process ended before it had drained. */
  get lost(): boolean {
    return this.#slots.some(({ lost }) => lost);
  }

  /** Of those that live, with what others have done before them. */
  get figures(): RunFigures {
    const { processed, failed } = this.counts;
    return { ...sumFigures(this.#slots.map(({ figures }) => figures)), processed, failed };
  }

  /** What was done. Of a process that died: what it said last. */
  get counts(): { processed: number; failed: number } {
    return sumFigures([...this.#ended, ...this.#slots.map(({ figures }) => figures)]);
  }

  async #keep(slot: Slot): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const end = await this.#live(slot);
      const finished = slot.result !== null;
      if (finished && (signal.aborted || this.#options.untilEnd)) return;
      if (signal.aborted) {
        slot.lost = slot.started;
        if (slot.lost && !this.#killed) this.#say(slot, `${howItEnded(end)} before it had drained`);
        return;
      }
      if (!this.#anyStarted || slot.final) throw this.#startError(slot, end);
      const delayMs = this.#backOff(slot);
      this.#say(slot, `${howItEnded(end)}; starts again in ${duration(delayMs)}`);
      await abortableWait(delayMs, signal);
      if (!signal.aborted) this.restarts++;
    }
  }

  /** One process, from its start to its end. */
  async #live(slot: Slot): Promise<MemberEnd> {
    slot.started = false;
    slot.result = null;
    slot.error = null;
    slot.startedAt = performance.now();
    slot.process = new MemberProcess(this.#options.args, {
      report: (report) => this.#report(slot, report),
      line: (text) => this.#line(slot, text),
      output: (line) => this.#listener.output(line),
    });
    const end = await slot.process.ended;
    slot.process = null;
    const { processed, failed } = slot.result ?? slot.figures;
    this.#ended.push({ ...NO_FIGURES, processed, failed });
    slot.figures = NO_FIGURES;
    if (slot.result !== null) this.results.push(slot.result);
    return end;
  }

  #report(slot: Slot, report: MemberReport): void {
    if (report.kind === "figures") slot.figures = report.figures;
    if (report.kind === "result") slot.result = report.result;
    if (report.kind === "loaded") this.#firstLoaded();
    if (report.kind === "final") slot.final = true;
    if (report.kind !== "started") return;
    slot.started = true;
    this.#anyStarted = true;
  }

  #line(slot: Slot, text: string): void {
    // It may be the error that all of them have; then it is told once, as the command's own.
    if (text.startsWith(ERROR_PREFIX)) slot.error = text.slice(ERROR_PREFIX.length);
    if (text.startsWith(ERROR_PREFIX) && (!this.#anyStarted || slot.final)) return;
    this.#say(slot, text);
  }

  #say({ number }: Slot, text: string): void {
    this.#listener.line(`[${number}] ${text}`);
  }

  #startError({ error }: Slot, end: MemberEnd): CommandError {
    const rule = "a process must join the group";
    const message = error ?? `Cannot run as ${rule}: received one that ${howItEnded(end)}`;
    return new CommandError(message, end.code || undefined);
  }

  #backOff(slot: Slot): number {
    if (performance.now() - slot.startedAt >= LONG_LIFE_MS) slot.deaths = 0;
    return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** slot.deaths++);
  }
}

function howItEnded({ code, signal }: MemberEnd): string {
  if (signal !== null) return `was ended by ${signal}`;
  return code === 0 ? "has ended" : `has ended with exit code ${code ?? "unknown"}`;
}

/** Settles after a time, or when the signal aborts. */
function abortableWait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
