import { InvariantError } from "./errors.ts";

/**
 * Stops the consumer when something that must hold does not.
 *
 * @throws {InvariantError} When the condition is false.
 */
export function invariant(condition: boolean, mustHold: string): asserts condition {
  if (!condition) throw new InvariantError(`Cannot go on as this must hold: ${mustHold}`);
}
