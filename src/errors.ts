/** Every error that headrace makes itself. Message grammar: "Cannot <act> as <rule>: received <value>". */

/** Codes of {@link HeadraceError}; stable, for programs to compare. */
export type HeadraceErrorCode = `HEADRACE_${string}`;

/** Shared by all copies of the library in a process. */
const BRAND: symbol = Symbol.for("headrace.error");

/** Base of all headrace errors. */
export class HeadraceError extends Error {
  readonly code: HeadraceErrorCode;
  /** True when the same act may succeed later without any change. */
  readonly retriable: boolean;

  constructor(
    message: string,
    options: { code: HeadraceErrorCode; retriable?: boolean; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.retriable = options.retriable ?? false;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** True for a headrace error of any copy of the library in this process. */
  static is(value: unknown): value is HeadraceError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** Options that the shorthand constructors below accept. */
export interface ErrorDetails {
  code?: HeadraceErrorCode;
  retriable?: boolean;
  cause?: unknown;
}

/** A handler call failed in a way that headrace itself reports. */
export class ProcessError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_PROCESS", ...details });
  }
}

/** A deserializer threw; its error is the cause. */
export class DeserializeError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_DESERIALIZE", ...details });
  }
}

/** The client or the broker failed. */
export class SourceError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_SOURCE", ...details });
  }
}

/** Offsets of a group cannot be stored from outside, as it has members. */
export class GroupRunningError extends SourceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_GROUP_RUNNING", retriable: true, ...details });
  }
}

/** A commit was refused for good. */
export class CommitError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_COMMIT", ...details });
  }
}

/** The lease that the act needs is over. */
export class FencedError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_FENCED", ...details });
  }
}

/**
 * A worker thread failed: `HEADRACE_WORKER_LOAD` (its module cannot be loaded), `_EXIT` (it ended), `_CRASH` (it threw
 * outside of a handler), `_OUT_OF_MEMORY`, `_TIMEOUT` (a call ignored its signal), or workers are not to be had here
 * (`HEADRACE_WORKERS_UNAVAILABLE`).
 */
export class WorkerError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_WORKER", ...details });
  }
}

/** A limit was reached. */
export class CapacityError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_CAPACITY", ...details });
  }
}

/** The consumer, producer or log is closed. */
export class ClosedError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_CLOSED", ...details });
  }
}

/** The embedded log could not do what was asked. */
export class LogError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_LOG", ...details });
  }
}

/** Bytes of the embedded log are damaged. */
export class CorruptLogError extends LogError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_LOG_CORRUPT", ...details });
  }
}

/** A topic of the embedded log has as many bytes as it may have. */
export class TopicFullError extends LogError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_TOPIC_FULL", retriable: true, ...details });
  }
}

/** A record could not be produced. */
export class ProduceError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_PRODUCE", ...details });
  }
}

/** Parallel segments do not fit together: offsets that are missing or differ, another segmentation. */
export class SegmentError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_SEGMENT", ...details });
  }
}

/** Longest pause that can be asked for: as long as timers reach. */
const MAX_PAUSE_MS = 2 ** 31 - 1;

/** What {@link Redeliver} can ask for beside another delivery. */
export interface RedeliverOptions {
  /** Milliseconds that the topic partition pauses first, 0…2,147,483,647. Default 0. */
  pauseMs?: number;
  /** The topic partition collapses up to and including this offset. */
  collapseUntil?: number;
}

/**
 * Thrown by a handler that wants the unmarked messages of its call again (E6): no attempt is counted, and nothing goes
 * to the dead letter queue.
 *
 * @throws {RangeError} For a wait or an offset that is not an integer from 0 up, or too large.
 */
export class Redeliver extends HeadraceError {
  readonly pauseMs: number;
  readonly collapseUntil: number | null;

  constructor(options: RedeliverOptions = {}) {
    super("The handler asks for its messages again", {
      code: "HEADRACE_REDELIVER",
      retriable: true,
    });
    const { pauseMs = 0, collapseUntil = null } = options;
    checkPart("pauseMs", pauseMs, MAX_PAUSE_MS);
    if (collapseUntil !== null) checkPart("collapseUntil", collapseUntil, Number.MAX_SAFE_INTEGER);
    this.pauseMs = pauseMs;
    this.collapseUntil = collapseUntil;
  }

  /** Also for one that another copy of the library has made. */
  static isRedeliver(value: unknown): value is Redeliver {
    return HeadraceError.is(value) && value.code === "HEADRACE_REDELIVER";
  }
}

function checkPart(name: string, value: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return;
  const rule = `${name} must be an integer from 0 to ${most}`;
  throw new RangeError(`Cannot redeliver as ${rule}: received ${String(value)}`);
}

/** A rule that headrace relies on does not hold: a bug, never the user's fault. */
export class InvariantError extends HeadraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: "HEADRACE_INVARIANT", ...details });
  }
}

/** An error as events carry it; the object itself is the non-enumerable `error`. */
export interface ErrorInfo {
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
}

/** Makes the plain form of anything thrown. */
export function errorInfo(error: unknown): ErrorInfo {
  const known = error instanceof Error ? error : new Error(String(error));
  const code = (error as { code?: unknown } | null)?.code;
  const info: ErrorInfo = {
    name: known.name,
    code: typeof code === "string" ? code : null,
    message: known.message,
  };
  Object.defineProperty(info, "error", { value: error, enumerable: false });
  return info;
}
