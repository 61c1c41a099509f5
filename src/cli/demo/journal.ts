import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { Recorder } from "./order-check.ts";

/** Kinds of journal entries, by their first character. */
const STARTED = "s";
const FINISHED = "f";
const ASSIGNED = "a";
const COMMITTED = "c";
const PROGRESS = "p";

/** What a journal tells its reader. */
export interface JournalListener extends Recorder {
  assigned(offset: number): void;
  committed(offset: number): void;
  progress(running: number, lag: number): void;
}

/**
 * What a consumer in a child process did, in a file: a kill -9 takes back nothing that was written.
 *
 * One line per entry: a letter and one or two numbers.
 */
export class JournalWriter implements JournalListener {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  started(offset: number): void {
    this.#write(STARTED, offset, 0);
  }
  finished(offset: number, virtualPartition: number): void {
    this.#write(FINISHED, offset, virtualPartition);
  }
  assigned(offset: number): void {
    this.#write(ASSIGNED, offset, 0);
  }
  committed(offset: number): void {
    this.#write(COMMITTED, offset, 0);
  }
  progress(running: number, lag: number): void {
    this.#write(PROGRESS, running, lag);
  }
  close(): void {
    closeSync(this.#file);
  }

  #write(kind: string, first: number, second: number): void {
    writeSync(this.#file, `${kind} ${first} ${second}\n`);
  }
}

/** Follows a journal while it grows. */
export class JournalReader {
  readonly #file: number;
  readonly #chunk = new Uint8Array(64 * 1024);
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  /** Tells the listener everything that came since the last call. A line cut off by a kill is left out. */
  read(listener: JournalListener): void {
    for (;;) {
      const length = readSync(this.#file, this.#chunk, 0, this.#chunk.length, null);
      if (length === 0) return;
      const lines = (this.#rest + this.#decoder.decode(this.#chunk.subarray(0, length))).split(
        "\n",
      );
      this.#rest = lines.pop() ?? "";
      for (const line of lines) tell(listener, line);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

function tell(listener: JournalListener, line: string): void {
  const [kind, first, second] = line.split(" ");
  const value = Number(first);
  if (kind === STARTED) listener.started(value);
  else if (kind === FINISHED) listener.finished(value, Number(second));
  else if (kind === ASSIGNED) listener.assigned(value);
  else if (kind === COMMITTED) listener.committed(value);
  else if (kind === PROGRESS) listener.progress(value, Number(second));
}
