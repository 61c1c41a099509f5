import type { Logger } from "../index.ts";

/** A logger whose warnings and errors become lines; what is below that is dropped. */
export function commandLogger(print: (line: string) => void): Logger {
  const drop = (): void => {};
  return {
    debug: drop,
    info: drop,
    warn: (message) => print(`warning: ${message}`),
    error: (message) => print(`error: ${message}`),
  };
}
