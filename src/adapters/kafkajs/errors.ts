/** What kafkajs's errors mean. */
import { type ErrorDetails, HeadraceError, SourceError } from "../../errors.ts";

/** The parts of a kafkajs error that are looked at. */
interface ClientError {
  readonly name?: string;
  readonly message?: string;
  /** Protocol error name, for example `UNKNOWN_MEMBER_ID`. */
  readonly type?: string;
  readonly code?: unknown;
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

/** Deeper chains than this are no chains. */
const MAX_CAUSES = 8;

/** Types after which nothing works before an operator acts. */
const AUTHORISATION_TYPES: ReadonlySet<string> = new Set([
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
]);

/** The error that started it: kafkajs wraps errors once per retry loop. An error of ours says it all. */
function rootError(error: unknown): ClientError {
  let root = (error ?? {}) as ClientError;
  for (let depth = 0; depth < MAX_CAUSES && root.type === undefined; depth++) {
    if (typeof root.cause !== "object" || root.cause === null || HeadraceError.is(root)) break;
    root = root.cause as ClientError;
  }
  return root;
}

/**
 * Protocol error name, or the error's class for anything that is no protocol error.
 *
 * kafkajs's table ends at code 88: newer codes arrive as `KAFKAJS_UNKNOWN_ERROR_CODE` and are
 * returned as `CODE_<number>`.
 */
export function errorType(error: unknown): string {
  const root = rootError(error);
  if (root.type !== "KAFKAJS_UNKNOWN_ERROR_CODE") return root.type ?? root.name ?? "Error";
  return `CODE_${/\d+/.exec(root.message ?? "")?.[0] ?? "unknown"}`;
}

/** True for refused credentials and missing rights: retrying cannot help. */
export function isAuthError(error: unknown): boolean {
  const root = rootError(error);
  if (root.name === "KafkaJSSASLAuthenticationError") return true;
  return root.type !== undefined && AUTHORISATION_TYPES.has(root.type);
}

/** Mistakes in a program, which kafkajs does not retry either. */
const PROGRAM_ERRORS: ReadonlySet<string | undefined> = new Set([
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
]);

/** True unless the same act cannot succeed later. */
export function isRetriable(error: unknown): boolean {
  const root = rootError(error);
  if (PROGRAM_ERRORS.has(root.name)) return false;
  return !isAuthError(error) && root.retriable !== false;
}

/** Makes a {@link SourceError}: "Cannot <act> as <rule>: received <what kafkajs said>". */
export function sourceError(
  actAndRule: string,
  error: unknown,
  details: ErrorDetails = {},
): SourceError {
  const said = rootError(error).message ?? String(error);
  return new SourceError(`${actAndRule}: received ${said}`, {
    retriable: isRetriable(error),
    cause: error,
    ...details,
  });
}
