import type { Io, Screen, StopSignal } from "../../src/cli/io.ts";

/** An Io that keeps what is written, with signals on demand. */
export interface FakeIo extends Io {
  readonly output: { out: string; err: string };
  /** Codes of `exit()` calls. */
  readonly exits: number[];
  send(signal: StopSignal): void;
}

export interface FakeIoOptions {
  readonly terminal?: boolean;
  readonly colour?: boolean;
  readonly columns?: number;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** What stdin gives, chunk by chunk. Default: nothing. */
  readonly input?: readonly (string | Uint8Array)[] | AsyncIterable<Uint8Array>;
  /** Called with all of stdout so far after each write to it. */
  readonly onOutput?: (out: string) => void;
  /** The reader of stdout leaves after so many writes. Default: it stays. */
  readonly readerLeavesAfter?: number;
}

async function* chunksOf(
  input: NonNullable<FakeIoOptions["input"]>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of input) {
    yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
  }
}

/** @returns An Io whose screens are no terminals, unless told so. */
export function fakeIo(options: FakeIoOptions = {}): FakeIo {
  const output = { out: "", err: "" };
  const listeners = new Set<(signal: StopSignal) => void>();
  const exits: number[] = [];
  let writes = 0;
  const readerLeavesAfter = options.readerLeavesAfter ?? Number.POSITIVE_INFINITY;
  const screen = (name: "out" | "err"): Screen => ({
    write: (text) => {
      if (name === "out" && writes++ >= readerLeavesAfter) return;
      output[name] += typeof text === "string" ? text : new TextDecoder().decode(text);
      if (name === "out") options.onOutput?.(output.out);
    },
    drained: async () => name === "err" || writes < readerLeavesAfter,
    flushed: async () => {},
    isTerminal: options.terminal ?? false,
    colour: options.colour ?? false,
    columns: options.columns ?? 100,
  });
  return {
    output,
    exits,
    input: {
      isTerminal: options.terminal ?? false,
      chunks: () => chunksOf(options.input ?? []),
    },
    out: screen("out"),
    err: screen("err"),
    env: options.env ?? {},
    cwd: options.cwd ?? ".",
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exit: (code) => void exits.push(code),
    send(signal) {
      for (const listener of [...listeners]) listener(signal);
    },
  };
}
