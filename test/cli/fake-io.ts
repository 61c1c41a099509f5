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
}

/** @returns An Io whose screens are no terminals, unless told so. */
export function fakeIo(options: FakeIoOptions = {}): FakeIo {
  const output = { out: "", err: "" };
  const listeners = new Set<(signal: StopSignal) => void>();
  const exits: number[] = [];
  const screen = (name: "out" | "err"): Screen => ({
    write: (text) => {
      output[name] += text;
    },
    isTerminal: options.terminal ?? false,
    colour: options.colour ?? false,
    columns: options.columns ?? 100,
  });
  return {
    output,
    exits,
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
