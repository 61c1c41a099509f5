import type { Logger } from "./types.ts";
import type { Validator } from "./validate.ts";

const silent = (): void => {};

/** Says nothing. */
const SILENT: Logger = { debug: silent, info: silent, warn: silent, error: silent };

/** The default: warnings and errors on the console. */
const CONSOLE: Logger = {
  debug: silent,
  info: silent,
  warn: (message) => console.warn(`headrace: ${message}`),
  error: (message) => console.error(`headrace: ${message}`),
};

/**
 * The logger that a `logger` option means; false is silence.
 *
 * @throws {TypeError} When it lacks a level.
 */
export function resolveLogger(check: Validator, logger: unknown): Logger {
  if (logger === false) return SILENT;
  if (logger === undefined) return CONSOLE;
  const given = check.object("logger", logger);
  for (const level of ["debug", "info", "warn", "error"]) {
    check.callable(`logger.${level}`, given[level]);
  }
  return logger as Logger;
}
