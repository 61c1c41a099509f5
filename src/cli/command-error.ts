/** Exit code of a command that failed while it ran. */
export const EXIT_FAILED = 1;
/** Exit code of a command that was called in a wrong way. */
export const EXIT_USAGE = 2;

/** Ends a command with one line on stderr and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILED, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}

/** A wrong call: a bad option, a missing argument, a file that is not there. */
export function usageError(message: string, cause?: unknown): CommandError {
  return new CommandError(message, EXIT_USAGE, cause);
}

/** Makes what a function of the package refuses a wrong call of the command. */
export function orUsageError<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw usageError(explainError(error), error);
  }
}

/**
 * Says in one line why something failed: the message and, where it adds something, that of the cause.
 */
export function explainError(error: unknown): string {
  const message = oneLine(error);
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause === undefined || cause === null) return message;
  const reason = oneLine(cause);
  return reason === "" || message.includes(reason) ? message : `${message} (${reason})`;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  return message.replace(/\s*\n\s*/g, " ").trim();
}
