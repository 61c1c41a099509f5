import { HeadraceError } from "../../index.ts";
import { CommandError, EXIT_USAGE } from "../command-error.ts";

/** Codes that say what the world is like, not what has happened to this process. */
const FINAL_CODES: ReadonlySet<string> = new Set([
  "HEADRACE_SOURCE",
  "HEADRACE_LOG_CORRUPT",
  "HEADRACE_OUT_OF_RANGE",
]);

/** Deeper chains than this are no chains. */
const MAX_CAUSES = 8;

/**
 * True for an error that a process which is started again would meet again: a right that is missing, a topic that is
 * gone, a corrupt log, a wrong call. False for what may pass: a broker that is away, a system call, a bug.
 */
export function isFinal(error: unknown): boolean {
  if (error instanceof CommandError) return error.exitCode === EXIT_USAGE;
  return HeadraceError.is(error) && FINAL_CODES.has(error.code) && !mayPass(error);
}

function mayPass(error: unknown): boolean {
  let one = error;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    if (typeof one !== "object" || one === null) return false;
    if (HeadraceError.is(one) && one.retriable) return true;
    if ("syscall" in one) return true;
    one = (one as { cause?: unknown }).cause;
  }
  return false;
}
