import process from "node:process";

/** Where text goes. */
export interface Screen {
  write(text: string): void;
  /** A person is watching: lines may be redrawn. */
  readonly isTerminal: boolean;
  /** Colours are wanted (NO_COLOR and FORCE_COLOR are heeded). */
  readonly colour: boolean;
  /** Characters per line. */
  readonly columns: number;
}

export type StopSignal = "SIGINT" | "SIGTERM";

/** What a command may touch of its process; tests pass one of their own. */
export interface Io {
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

function screen(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Screen {
  // A reader that has gone ("headrace demo | head") must not stop the work: the text is dropped from then on.
  let gone = false;
  stream.on("error", () => {
    gone = true;
  });
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0";
  return {
    write(text) {
      if (gone) return;
      try {
        stream.write(text);
      } catch {
        gone = true; // Bun throws what Node and Deno emit
      }
    },
    isTerminal: stream.isTTY === true,
    colour: forced || (stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb"),
    get columns() {
      return stream.columns ?? 100;
    },
  };
}

/** The real process. */
export function processIo(): Io {
  return {
    out: screen(process.stdout, process.env),
    err: screen(process.stderr, process.env),
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
