import { Validator } from "./validate.ts";

const check: Validator = new Validator("use the context of a call");
/** Longest `context.pause()`: as long as timers reach. */
const MAX_PAUSE_MS = 2 ** 31 - 1;

/** Who knows where messages come from. */
interface MessageOrigins<O> {
  origin(message: object): O | undefined;
}

/**
 * Checks what handlers give to their context.
 *
 * @throws {TypeError|RangeError} From each method, naming the argument, the rule and the value.
 */
export const contextArguments: {
  markText(text: string | undefined): void;
  alone(fn: unknown): void;
  offset(offset: number): void;
  pauseMs(ms: number): void;
  text(text: string): void;
  /** What `known` says of a message. `act` completes "Cannot <act> as …". */
  origin<O>(act: string, message: unknown, known: MessageOrigins<O>): O;
} = {
  markText(text) {
    if (text === undefined || typeof text === "string") return;
    throw check.typeError("metadata must be a string", text);
  },
  alone(fn) {
    check.callable("synchronize's argument", fn);
  },
  offset(offset) {
    check.integer("collapseUntil's offset", offset ?? null, 0, 0, Number.MAX_SAFE_INTEGER);
  },
  pauseMs(ms) {
    check.number("pause's ms", ms ?? null, 0, 0, MAX_PAUSE_MS);
  },
  text(text) {
    if (typeof text !== "string") throw check.typeError("offset metadata must be a string", text);
  },
  origin(act, message, known) {
    const origin =
      typeof message === "object" && message !== null ? known.origin(message) : undefined;
    if (origin !== undefined) return origin;
    throw new Validator(act).typeError("it must be one that headrace handed over", message);
  },
};
