import { usageError } from "../command-error.ts";
import type { Io } from "../io.ts";
import { inputLines } from "./input-lines.ts";

/**
 * Asks before something cannot be undone.
 *
 * @param yes `--yes` was given: nobody is asked.
 * @returns false when the answer is no.
 * @throws {CommandError} When there is nobody to be asked.
 */
export async function confirm(
  act: string,
  question: string,
  yes: boolean,
  io: Io,
): Promise<boolean> {
  if (yes) return true;
  if (!io.input.isTerminal) {
    throw usageError(`Cannot ${act} as --yes is required without a terminal: received no answer`);
  }
  io.err.write(`${question} [y/N] `);
  for await (const [line] of inputLines(io.input.chunks())) {
    return /^y(es)?$/i.test(String(line ?? "").trim());
  }
  return false;
}
