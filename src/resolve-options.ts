import { NotSupportedError } from "./errors.ts";
import { resolveLogger } from "./logger.ts";
import type { ConsumerOptions, RetryOptions, TopicOptions } from "./options.ts";
import type { SourceFactory } from "./source/source.ts";
import type {
  Batch,
  Clock,
  Deserializer,
  Logger,
  Message,
  MessageContext,
  Partitioner,
  Reducer,
  VirtualPartitionConsumer,
  VirtualPartitionInfo,
} from "./types.ts";
import { Validator } from "./validate.ts";

/** A handler with its form. */
export type ResolvedHandler =
  | { readonly form: "eachMessage"; readonly call: (m: Message, c: MessageContext) => unknown }
  | { readonly form: "eachBatch"; readonly call: (batch: Batch) => unknown }
  | {
      readonly form: "consumer";
      readonly make: (i: VirtualPartitionInfo) => VirtualPartitionConsumer;
    };

/** Back-off with every default filled in. */
export type ResolvedRetry = Readonly<Required<RetryOptions>>;

/** One topic with every default filled in. */
export interface ResolvedTopic {
  readonly name: string;
  readonly handler: ResolvedHandler;
  readonly deserializer: Deserializer<unknown> | null;
  /** "single": no virtual partitions, one lane, strict partition order. */
  readonly distribution: "single" | "consistent" | "balanced" | "per-key";
  /** null: by the message key. */
  readonly partitioner: Partitioner | null;
  /** null: multiply-shift of the key hash. */
  readonly reducer: Reducer | null;
  readonly maxPartitions: number;
  readonly maxMessages: number;
  readonly maxWaitMs: number;
  readonly manual: boolean;
  readonly retry: ResolvedRetry;
}

/** A consumer's options with every default filled in. */
export interface ResolvedOptions {
  readonly source: SourceFactory;
  readonly groupId: string;
  readonly topics: ReadonlyMap<string, ResolvedTopic>;
  readonly concurrency: number;
  readonly maxInFlightMessages: number;
  readonly maxInFlightBytes: number;
  readonly maxUnmarkedMessages: number;
  readonly commitIntervalMs: number;
  readonly drainTimeoutMs: number;
  readonly stallMs: number;
  readonly onOutOfRange: "earliest" | "latest" | "error";
  readonly fromBeginning: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal | null;
  readonly logger: Logger;
}

/** Most handler calls at once; bounds what one process may be asked for. */
export const MAX_CONCURRENCY = 100_000;
/** Most virtual partitions of one partition. */
export const MAX_VIRTUAL_PARTITIONS = 65_536;
const MAX_MESSAGES = 100_000;
const MAX_WAIT_MS = 3_600_000;

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
const TOPIC_KEYS = [
  "eachMessage",
  "eachBatch",
  "consumer",
  "module",
  "deserializer",
  "virtualPartitions",
  "maxMessages",
  "maxWaitMs",
  "acknowledge",
  "onError",
  "retry",
  "deadLetterQueue",
] as const;
const VIRTUAL_PARTITION_KEYS = [
  "partitioner",
  "maxPartitions",
  "distribution",
  "reducer",
  "offsetMetadataStrategy",
] as const;
const RETRY_KEYS = ["backoffMs", "maxBackoffMs", "multiplier", "jitter"] as const;
const HANDLER_FORMS = ["eachMessage", "eachBatch", "consumer", "module"] as const;

const check: Validator = new Validator("create a consumer");
/** A concurrency that a consumer can have. */
export function checkConcurrency(value: unknown, act: Validator = check): number {
  return act.integer("concurrency", value, 10, 1, MAX_CONCURRENCY);
}

/**
 * Checks a consumer's options once and fills in the defaults.
 *
 * @throws {TypeError|RangeError} Naming the option, the rule and the value received.
 * @throws {NotSupportedError} For options of a later release.
 */
export function resolveOptions<P extends Record<string, unknown>>(
  options: ConsumerOptions<P>,
  systemClock: Clock,
): ResolvedOptions {
  const given = check.object("options", options) as Partial<ConsumerOptions>;
  check.knownKeys("options", given, CONSUMER_KEYS);
  refuseUnsupported(given);
  const source = check.object("source", given.source) as unknown as SourceFactory;
  check.callable("source.open", source.open);
  const concurrency = checkConcurrency(given.concurrency);
  const topics = resolveTopics(given.topics, concurrency);
  const largest = Math.max(...[...topics.values()].map((topic) => topic.maxMessages));
  if (given.clock !== undefined)
    check.callable("clock.now", check.object("clock", given.clock).now);
  if (given.signal !== undefined && !(given.signal instanceof AbortSignal)) {
    throw check.typeError("signal must be an AbortSignal", given.signal);
  }
  return {
    source,
    groupId: check.text("groupId", given.groupId),
    topics,
    concurrency,
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

function refuseUnsupported(given: Partial<ConsumerOptions>): void {
  for (const name of ["workers", "handlerTimeoutMs", "maxMetadataLength"] as const) {
    if (given[name] !== undefined) throw new NotSupportedError(`the option ${name}`);
  }
  const offsetMap = check.oneOf("offsetMap", given.offsetMap, "off", ["dense", "ascii", "off"]);
  if (offsetMap !== "off") throw new NotSupportedError(`offsetMap "${offsetMap}"`);
  check.integer("connections", given.connections, 1, 1, 1);
  if (given.parallelSegments === undefined) return;
  const segments = check.object("parallelSegments", given.parallelSegments);
  const count = check.integer("parallelSegments.count", segments.count, 1, 1, 65_536);
  if (count !== 1) throw new NotSupportedError(`parallelSegments with count ${count}`);
}

function resolveTopics(value: unknown, concurrency: number): Map<string, ResolvedTopic> {
  const given = check.object("topics", value);
  const names = Object.keys(given);
  if (names.length === 0) throw check.rangeError("topics must name at least one topic", value);
  return new Map(names.map((name) => [name, resolveTopic(name, given[name], concurrency)]));
}

function resolveTopic(name: string, value: unknown, concurrency: number): ResolvedTopic {
  const path = `topics[${JSON.stringify(name)}]`;
  if (name === "" || name.length > 249 || !/^[a-zA-Z0-9._-]+$/.test(name)) {
    throw check.rangeError(
      "topic names must be 1 to 249 letters, digits, dots, underscores or dashes",
      name,
    );
  }
  const given = check.object(path, value) as unknown as TopicOptions;
  check.knownKeys(path, given, TOPIC_KEYS);
  if (given.deadLetterQueue !== undefined) throw new NotSupportedError(`${path}.deadLetterQueue`);
  const onError = check.oneOf(`${path}.onError`, given.onError, "isolate", ["collapse", "isolate"]);
  if (onError === "collapse") throw new NotSupportedError(`${path}.onError "collapse"`);
  if (given.deserializer !== undefined) check.callable(`${path}.deserializer`, given.deserializer);
  const handler = resolveHandler(path, given);
  return {
    name,
    handler,
    deserializer: given.deserializer ?? null,
    ...resolveVirtualPartitions(`${path}.virtualPartitions`, given, handler, concurrency),
    maxMessages: check.integer(`${path}.maxMessages`, given.maxMessages, 100, 1, MAX_MESSAGES),
    maxWaitMs: check.integer(`${path}.maxWaitMs`, given.maxWaitMs, 0, 0, MAX_WAIT_MS),
    manual:
      check.oneOf(`${path}.acknowledge`, given.acknowledge, "automatic", [
        "automatic",
        "manual",
      ]) === "manual",
    retry: resolveRetry(`${path}.retry`, given.retry),
  };
}

function resolveHandler(path: string, given: TopicOptions): ResolvedHandler {
  const forms = HANDLER_FORMS.filter((form) => given[form] !== undefined);
  if (forms.length !== 1) {
    const rule = `${path} must have exactly one of ${HANDLER_FORMS.join(", ")}`;
    throw check.typeError(rule, forms.length === 0 ? "none" : forms.join(" and "));
  }
  if (given.module !== undefined) throw new NotSupportedError(`${path}.module`);
  check.callable(`${path}.${forms[0]}`, given[forms[0]!]);
  if (given.eachMessage) return { form: "eachMessage", call: given.eachMessage };
  if (given.eachBatch) return { form: "eachBatch", call: given.eachBatch };
  return { form: "consumer", make: given.consumer! };
}

function resolveVirtualPartitions(
  path: string,
  given: TopicOptions,
  handler: ResolvedHandler,
  concurrency: number,
): Pick<ResolvedTopic, "distribution" | "partitioner" | "reducer" | "maxPartitions"> {
  const value = given.virtualPartitions;
  if (value === undefined) {
    return { distribution: "single", partitioner: null, reducer: null, maxPartitions: 1 };
  }
  const options = value === true ? {} : check.object(path, value);
  check.knownKeys(path, options, VIRTUAL_PARTITION_KEYS);
  if (options.offsetMetadataStrategy !== undefined) {
    throw new NotSupportedError(`${path}.offsetMetadataStrategy`);
  }
  if (options.partitioner !== undefined) {
    check.callable(`${path}.partitioner`, options.partitioner);
  }
  const distribution = check.oneOf(`${path}.distribution`, options.distribution, "consistent", [
    "consistent",
    "balanced",
    "per-key",
  ]);
  if (options.reducer !== undefined) {
    check.callable(`${path}.reducer`, options.reducer);
    if (distribution !== "consistent") {
      throw check.typeError(
        `${path}.reducer works with distribution "consistent" only`,
        distribution,
      );
    }
  }
  if (distribution === "per-key" && handler.form === "consumer") {
    throw check.typeError(
      `${path}.distribution "per-key" works with eachMessage and eachBatch only`,
      "consumer",
    );
  }
  return {
    distribution,
    partitioner: (options.partitioner as Partitioner | undefined) ?? null,
    reducer: (options.reducer as Reducer | undefined) ?? null,
    maxPartitions: check.integer(
      `${path}.maxPartitions`,
      options.maxPartitions,
      Math.min(concurrency, MAX_VIRTUAL_PARTITIONS),
      1,
      MAX_VIRTUAL_PARTITIONS,
    ),
  };
}

function resolveRetry(path: string, value: unknown): ResolvedRetry {
  const given = value === undefined ? {} : check.object(path, value);
  check.knownKeys(path, given, RETRY_KEYS);
  const backoffMs = check.number(`${path}.backoffMs`, given.backoffMs, 1000, 1, MAX_WAIT_MS);
  const maxBackoffMs = check.number(
    `${path}.maxBackoffMs`,
    given.maxBackoffMs,
    Math.max(30_000, backoffMs),
    1,
    MAX_WAIT_MS,
  );
  if (maxBackoffMs < backoffMs) {
    throw check.rangeError(`${path}.maxBackoffMs must be at least backoffMs`, maxBackoffMs);
  }
  return {
    backoffMs,
    maxBackoffMs,
    multiplier: check.number(`${path}.multiplier`, given.multiplier, 2, 1, 10),
    jitter: check.number(`${path}.jitter`, given.jitter, 0.2, 0, 1),
  };
}
