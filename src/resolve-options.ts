import { resolveLogger } from "./logger.ts";
import { RESERVED_UNITS } from "./metadata/check-user-text.ts";
import type { ConsumerOptions } from "./options.ts";
import { type ResolvedSegments, resolveSegments } from "./resolve-segments.ts";
import { MAX_WAIT_MS, type ResolvedTopic, resolveTopics } from "./resolve-topic.ts";
import type { SourceFactory } from "./source/source.ts";
import type { Clock, Logger } from "./types.ts";
import { show, Validator } from "./validate.ts";

/** A consumer's options with every default filled in. */
export interface ResolvedOptions {
  readonly source: SourceFactory;
  readonly groupId: string;
  readonly topics: ReadonlyMap<string, ResolvedTopic>;
  /** null: the group itself reads its partitions. */
  readonly segments: ResolvedSegments | null;
  readonly concurrency: number;
  /** Threads for modules; 0: as many as there are processors. */
  readonly workers: number;
  readonly maxInFlightMessages: number;
  readonly maxInFlightBytes: number;
  readonly maxUnmarkedMessages: number;
  readonly commitIntervalMs: number;
  readonly drainTimeoutMs: number;
  readonly stallMs: number;
  /** 0: handlers may run for as long as they like. */
  readonly handlerTimeoutMs: number;
  readonly offsetMap: "dense" | "ascii" | "off";
  readonly maxMetadataLength: number;
  readonly onOutOfRange: "earliest" | "latest" | "error";
  readonly fromBeginning: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal | null;
  readonly logger: Logger;
}

/** Most handler calls at once; bounds what one process may be asked for. */
const MAX_CONCURRENCY = 100_000;
/** Most threads of one consumer. */
const MAX_WORKERS = 1024;

const CONSUMER_KEYS = [
  "source",
  "groupId",
  "topics",
  "concurrency",
  "workers",
  "maxInFlightMessages",
  "maxInFlightBytes",
  "maxUnmarkedMessages",
  "commitIntervalMs",
  "drainTimeoutMs",
  "handlerTimeoutMs",
  "stallMs",
  "onOutOfRange",
  "clock",
  "fromBeginning",
  "offsetMap",
  "maxMetadataLength",
  "parallelSegments",
  "connections",
  "signal",
  "logger",
] as const;
const check: Validator = new Validator("create a consumer");
/** A concurrency that a consumer can have. */
export function checkConcurrency(value: unknown, act: Validator = check): number {
  return act.integer("concurrency", value, 10, 1, MAX_CONCURRENCY);
}

/**
 * Checks a consumer's options once and fills in the defaults.
 *
 * @throws {TypeError|RangeError} Naming the option, the rule and the value received.
 * @param environment Reads a variable of the process.
 */
export function resolveOptions<P extends Record<string, unknown>>(
  options: ConsumerOptions<P>,
  systemClock: Clock,
  environment: (name: string) => string | undefined = () => undefined,
): ResolvedOptions {
  const given = check.object("options", options) as Partial<ConsumerOptions>;
  check.knownKeys("options", given, CONSUMER_KEYS);
  check.integer("connections", given.connections, 1, 1, 1);
  const source = check.object("source", given.source) as unknown as SourceFactory;
  check.callable("source.open", source.open);
  const concurrency = checkConcurrency(given.concurrency);
  const topics = resolveTopics(given.topics, concurrency);
  const largest = Math.max(...[...topics.values()].map((topic) => topic.maxMessages));
  checkSink(source, topics);
  const segments = resolveSegments(given.parallelSegments, environment);
  if (segments !== null && typeof source.admin !== "function") {
    throw check.typeError("parallelSegments needs a source with admin()", source);
  }
  if (given.clock !== undefined)
    check.callable("clock.now", check.object("clock", given.clock).now);
  if (given.signal !== undefined && !(given.signal instanceof AbortSignal)) {
    throw check.typeError("signal must be an AbortSignal", given.signal);
  }
  return {
    source,
    groupId: check.text("groupId", given.groupId),
    topics,
    segments,
    concurrency,
    workers: check.integer("workers", given.workers, 0, 1, MAX_WORKERS),
    ...resolveLimits(given, largest),
    offsetMap: check.oneOf("offsetMap", given.offsetMap, "dense", ["dense", "ascii", "off"]),
    maxMetadataLength: check.integer(
      "maxMetadataLength",
      given.maxMetadataLength,
      4096,
      2 * RESERVED_UNITS,
      32_767,
    ),
    stallMs: check.integer("stallMs", given.stallMs, 60_000, 1000, 24 * MAX_WAIT_MS),
    onOutOfRange: check.oneOf("onOutOfRange", given.onOutOfRange, "earliest", [
      "earliest",
      "latest",
      "error",
    ]),
    fromBeginning: check.bool("fromBeginning", given.fromBeginning, false),
    clock: given.clock ?? systemClock,
    signal: given.signal ?? null,
    logger: resolveLogger(check, given.logger),
  };
}

/** What is counted, and what is waited for. */
function resolveLimits(
  given: Partial<ConsumerOptions>,
  largest: number,
): Pick<
  ResolvedOptions,
  | "maxInFlightMessages"
  | "maxInFlightBytes"
  | "maxUnmarkedMessages"
  | "commitIntervalMs"
  | "drainTimeoutMs"
  | "handlerTimeoutMs"
> {
  return {
    maxInFlightMessages: inFlightMessages(given.maxInFlightMessages, largest),
    maxInFlightBytes: check.integer(
      "maxInFlightBytes",
      given.maxInFlightBytes,
      64 * 2 ** 20,
      64 * 2 ** 10,
      2 ** 40,
    ),
    maxUnmarkedMessages: check.integer(
      "maxUnmarkedMessages",
      given.maxUnmarkedMessages,
      100_000,
      1,
      2 ** 31,
    ),
    commitIntervalMs: check.integer(
      "commitIntervalMs",
      given.commitIntervalMs,
      1000,
      10,
      MAX_WAIT_MS,
    ),
    drainTimeoutMs: check.integer("drainTimeoutMs", given.drainTimeoutMs, 20_000, 0, MAX_WAIT_MS),
    handlerTimeoutMs: check.integer(
      "handlerTimeoutMs",
      given.handlerTimeoutMs,
      0,
      1,
      24 * MAX_WAIT_MS,
    ),
  };
}

function inFlightMessages(value: unknown, largestCall: number): number {
  const fallback = Math.max(10_000, largestCall);
  const limit = check.integer("maxInFlightMessages", value, fallback, 1, 10_000_000);
  if (limit < largestCall) {
    throw check.rangeError(
      `maxInFlightMessages must be at least maxMessages (${largestCall})`,
      value,
    );
  }
  return limit;
}

function checkSink(source: SourceFactory, topics: ReadonlyMap<string, ResolvedTopic>): void {
  for (const [name, { deadLetterQueue }] of topics) {
    if (deadLetterQueue === null || typeof source.sink === "function") continue;
    if (deadLetterQueue.topic === false && deadLetterQueue.strategy === null) continue;
    throw check.typeError(
      `topics[${show(name)}].deadLetterQueue needs a source with sink()`,
      source,
    );
  }
}
