import process from "node:process";

/** Where text goes. */
export interface Screen {
  write(text: string | Uint8Array): void;
  /**
   * Settles when there is room for more: who writes a lot waits for it now and then.
   *
   * @returns false once the reader has gone ("headrace log read … | head").
   */
  drained(): Promise<boolean>;
  /** Settles when everything written has left, or its reader has. */
  flushed(): Promise<void>;
  /** A person is watching: lines may be redrawn. */
  readonly isTerminal: boolean;
  /** Colours are wanted (NO_COLOR and FORCE_COLOR are heeded). */
  readonly colour: boolean;
  /** Characters per line. */
  readonly columns: number;
}

/** Where input comes from. */
export interface Input {
  /** A person types it. */
  readonly isTerminal: boolean;
  /** The bytes, as they come. Read once. */
  chunks(): AsyncIterable<Uint8Array>;
}

export type StopSignal = "SIGINT" | "SIGTERM";

/** What a command may touch of its process; tests pass one of their own. */
export interface Io {
  readonly input: Input;
  readonly out: Screen;
  readonly err: Screen;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** @returns A function that removes the listener. */
  onSignal(listener: (signal: StopSignal) => void): () => void;
  /** Leaves at once, whatever still runs. */
  exit(code: number): void;
}

/** Exit code of a process that a signal ended, as shells count. */
export function signalExitCode(signal: StopSignal): number {
  return signal === "SIGINT" ? 130 : 143;
}

/** Bytes that may wait for a slow reader before `drained()` waits too. */
const MAX_PENDING_BYTES: number = 1 << 18;

/** Counts what is on its way by the callbacks of writes: `writableNeedDrain` is always false in Bun. */
class StreamScreen implements Screen {
  readonly colour: boolean;
  readonly #stream: NodeJS.WriteStream;
  readonly #waiting = new Set<() => void>();
  #pendingBytes = 0;
  /** A reader that has gone ("headrace demo | head") stops no work: the text is dropped from then on. */
  #gone = false;

  constructor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv) {
    const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0";
    this.colour = forced || (stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb");
    this.#stream = stream;
    stream.on("error", () => this.#leave());
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number {
    return this.#stream.columns ?? 100;
  }

  write(text: string | Uint8Array): void {
    if (this.#gone) return;
    const bytes = text.length;
    this.#pendingBytes += bytes;
    try {
      this.#stream.write(text, (error) => {
        this.#pendingBytes -= bytes;
        if (error) this.#leave();
        else this.#wake();
      });
    } catch {
      this.#leave(); // Bun throws what Node and Deno emit
    }
  }

  async drained(): Promise<boolean> {
    await this.#until(MAX_PENDING_BYTES);
    return !this.#gone;
  }

  async flushed(): Promise<void> {
    await this.#until(0);
  }

  async #until(pendingBytes: number): Promise<void> {
    // Errors of writes are told in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.#gone && this.#pendingBytes > pendingBytes) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #leave(): void {
    this.#gone = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** The real process. */
export function processIo(): Io {
  return {
    input: {
      get isTerminal() {
        return process.stdin.isTTY === true;
      },
      chunks: () => process.stdin,
    },
    out: new StreamScreen(process.stdout, process.env),
    err: new StreamScreen(process.stderr, process.env),
    env: process.env,
    cwd: process.cwd(),
    onSignal(listener) {
      const heard = (signal: NodeJS.Signals): void => listener(signal as StopSignal);
      process.on("SIGINT", heard);
      process.on("SIGTERM", heard);
      return () => {
        process.off("SIGINT", heard);
        process.off("SIGTERM", heard);
      };
    },
    exit: (code) => process.exit(code),
  };
}
