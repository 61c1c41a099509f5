import {
  CapacityError,
  ClosedError,
  DeserializeError,
  type ErrorDetails,
  FencedError,
  HeadraceError,
  InvariantError,
  ProcessError,
  ProduceError,
  Redeliver,
  type RedeliverOptions,
  SourceError,
  WorkerError,
} from "../errors.ts";

/** What is kept of an error's text, in UTF-16 units: it travels, and goes into logs. */
const MAX_TEXT = 16_384;
/** How many causes behind each other are kept. */
const MAX_CAUSES = 4;

/** An error as text says it. */
interface ErrorFields {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string | number;
  readonly retriable?: boolean;
  /** One of headrace's own. */
  readonly own?: true;
  readonly redeliver?: RedeliverOptions;
  readonly cause?: Thrown;
}

/** Whatever was thrown: an error, or a plain value. */
type Thrown = { readonly error: ErrorFields } | { readonly value: unknown };

const OWN_ERRORS: readonly (new (message: string, details: ErrorDetails) => HeadraceError)[] = [
  CapacityError,
  ClosedError,
  DeserializeError,
  FencedError,
  InvariantError,
  ProcessError,
  ProduceError,
  SourceError,
  WorkerError,
];

const LANGUAGE_ERRORS: readonly (new (message: string) => Error)[] = [
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
];

/** What a handler threw, as text that another thread reads. Never throws. */
export function errorToText(thrown: unknown): string {
  try {
    return JSON.stringify(describe(thrown, MAX_CAUSES));
  } catch {
    // A getter of it throws, or its value has no JSON: what can be said is what it looks like.
    const lost: Thrown = { error: { name: "Error", message: nameOf(thrown) } };
    return JSON.stringify(lost);
  }
}

function nameOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    // Not even that.
    return "a value that cannot be shown";
  }
}

function describe(thrown: unknown, causes: number): Thrown {
  if (!(thrown instanceof Error)) {
    return typeof thrown === "bigint" || typeof thrown === "symbol" || typeof thrown === "function"
      ? { value: String(thrown) }
      : { value: thrown };
  }
  const { name, message, stack, cause } = thrown;
  const { code } = thrown as { code?: unknown };
  const own = HeadraceError.is(thrown);
  return {
    error: {
      name: cut(String(name)),
      message: cut(String(message)),
      ...(typeof stack === "string" ? { stack: cut(stack) } : {}),
      ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
      ...(own ? { own, retriable: thrown.retriable } : {}),
      ...(Redeliver.isRedeliver(thrown) ? { redeliver: wishesOf(thrown) } : {}),
      ...(cause === undefined || causes === 0 ? {} : { cause: describe(cause, causes - 1) }),
    },
  };
}

function wishesOf({ pauseMs, collapseUntil }: Redeliver): RedeliverOptions {
  return collapseUntil === null ? { pauseMs } : { pauseMs, collapseUntil };
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : text.slice(0, MAX_TEXT);
}

/** What {@link errorToText} was given: an error of the same class where headrace or the language has it. */
export function errorFromText(text: string): unknown {
  return restore(JSON.parse(text) as Thrown);
}

function restore(thrown: Thrown): unknown {
  if (!("error" in thrown)) return thrown.value;
  const { name, stack, code, redeliver } = thrown.error;
  if (redeliver !== undefined) return new Redeliver(redeliver);
  const error = make(thrown.error);
  if (error.name !== name) define(error, "name", name);
  if (stack !== undefined) define(error, "stack", stack);
  // Enumerable, as errors of the runtimes have it.
  if (code !== undefined && !("code" in error)) Object.assign(error, { code });
  return error;
}

function make({ name, message, own, code, retriable, cause }: ErrorFields): Error {
  const behind = cause === undefined ? {} : { cause: restore(cause) };
  if (own) {
    const Own = OWN_ERRORS.find((one) => one.name === name) ?? HeadraceError;
    const details = { code: code as `HEADRACE_${string}`, retriable: retriable === true };
    return new Own(message, { ...details, ...behind });
  }
  const Known = LANGUAGE_ERRORS.find((one) => one.name === name) ?? Error;
  const error = new Known(message);
  if (cause !== undefined) define(error, "cause", behind.cause);
  return error;
}

/** As errors have it: there, but not enumerated. */
function define(error: Error, field: string, value: unknown): void {
  Object.defineProperty(error, field, { value, configurable: true, writable: true });
}
