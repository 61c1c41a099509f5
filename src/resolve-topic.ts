import type { DeadLetterQueueOptions, RetryOptions, SpawnThread, TopicOptions } from "./options.ts";
import type {
  Batch,
  Deserializer,
  Message,
  MessageContext,
  Partitioner,
  Reducer,
  VirtualPartitionConsumer,
  VirtualPartitionInfo,
} from "./types.ts";
import { Validator } from "./validate.ts";

/** A handler function with its form. */
export type FunctionHandler =
  | { readonly form: "eachMessage"; readonly call: (m: Message, c: MessageContext) => unknown }
  | { readonly form: "eachBatch"; readonly call: (batch: Batch) => unknown }
  | {
      readonly form: "consumer";
      readonly make: (i: VirtualPartitionInfo) => VirtualPartitionConsumer;
    };

/** A module for worker threads: an absolute URL, or how to start a thread that serves it. */
export interface ModuleHandler {
  readonly form: "module";
  readonly module: string | SpawnThread;
}

/** A handler as a topic names it. */
export type ResolvedHandler = FunctionHandler | ModuleHandler;

/** Back-off with every default filled in. */
export type ResolvedRetry = Readonly<Required<RetryOptions>>;

/** A dead letter queue with every default filled in. */
export interface ResolvedDeadLetterQueue {
  /** false: messages are skipped. */
  readonly topic: string | false;
  readonly maxRetries: number;
  readonly independent: boolean;
  readonly strategy: NonNullable<DeadLetterQueueOptions["strategy"]> | null;
  readonly map: NonNullable<DeadLetterQueueOptions["map"]> | null;
}

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
  readonly onError: "collapse" | "isolate";
  readonly retry: ResolvedRetry;
  readonly deadLetterQueue: ResolvedDeadLetterQueue | null;
  /** The text of a commit: attached to the highest committed message, or the latest (O7). */
  readonly exactText: boolean;
}

/** Most virtual partitions of one partition. */
export const MAX_VIRTUAL_PARTITIONS = 65_536;
/** Longest wait that an option may ask for. */
export const MAX_WAIT_MS = 3_600_000;
const MAX_MESSAGES = 100_000;
const MAX_RETRIES = 1_000_000;
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
const DEAD_LETTER_KEYS = ["topic", "maxRetries", "independent", "strategy", "map"] as const;
const ON_ERROR = ["collapse", "isolate"] as const;
const HANDLER_FORMS = ["eachMessage", "eachBatch", "consumer", "module"] as const;

const check: Validator = new Validator("create a consumer");

/** Checks the `topics` of a consumer. */
export function resolveTopics(value: unknown, concurrency: number): Map<string, ResolvedTopic> {
  const given = check.object("topics", value);
  const names = Object.keys(given);
  if (names.length === 0) throw check.rangeError("topics must name at least one topic", value);
  return new Map(names.map((name) => [name, resolveTopic(name, given[name], concurrency)]));
}

function resolveTopic(name: string, value: unknown, concurrency: number): ResolvedTopic {
  const path = `topics[${JSON.stringify(name)}]`;
  checkTopicName("topic names", name);
  const given = check.object(path, value) as unknown as TopicOptions;
  check.knownKeys(path, given, TOPIC_KEYS);
  const onError = check.oneOf(`${path}.onError`, given.onError, "collapse", ON_ERROR);
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
    onError,
    retry: resolveRetry(`${path}.retry`, given.retry),
    deadLetterQueue: resolveDeadLetterQueue(`${path}.deadLetterQueue`, given, onError),
  };
}

function checkTopicName(what: string, name: string): void {
  if (name !== "" && name.length <= 249 && /^[a-zA-Z0-9._-]+$/.test(name)) return;
  const rule = `${what} must be 1 to 249 letters, digits, dots, underscores or dashes`;
  throw check.rangeError(rule, name);
}

function resolveDeadLetterQueue(
  path: string,
  { deadLetterQueue: value }: TopicOptions,
  onError: "collapse" | "isolate",
): ResolvedDeadLetterQueue | null {
  if (value === undefined) return null;
  const given = check.object(path, value) as unknown as DeadLetterQueueOptions;
  check.knownKeys(path, given, DEAD_LETTER_KEYS);
  const { topic, strategy, map } = given;
  if (topic !== false) {
    if (typeof topic !== "string")
      throw check.typeError(`${path}.topic must be a string or false`, topic);
    checkTopicName(`${path}.topic`, topic);
  }
  if (strategy !== undefined) check.callable(`${path}.strategy`, strategy);
  if (map !== undefined) check.callable(`${path}.map`, map);
  const maxRetries = check.integer(`${path}.maxRetries`, given.maxRetries, 3, 0, MAX_RETRIES);
  if (maxRetries === 0 && onError === "collapse") {
    // The first attempt may be parallel, and only the collapsed run decides (Q2).
    throw check.rangeError(`${path}.maxRetries must be at least 1 with onError "collapse"`, 0);
  }
  return {
    topic,
    maxRetries,
    independent: check.bool(`${path}.independent`, given.independent, false),
    strategy: strategy ?? null,
    map: map ?? null,
  };
}

function resolveHandler(path: string, given: TopicOptions): ResolvedHandler {
  const forms = HANDLER_FORMS.filter((form) => given[form] !== undefined);
  if (forms.length !== 1) {
    const rule = `${path} must have exactly one of ${HANDLER_FORMS.join(", ")}`;
    throw check.typeError(rule, forms.length === 0 ? "none" : forms.join(" and "));
  }
  if (given.module !== undefined) {
    return { form: "module", module: resolveModule(`${path}.module`, given.module) };
  }
  check.callable(`${path}.${forms[0]}`, given[forms[0]!]);
  if (given.eachMessage) return { form: "eachMessage", call: given.eachMessage };
  if (given.eachBatch) return { form: "eachBatch", call: given.eachBatch };
  return { form: "consumer", make: given.consumer! };
}

/** A URL as it is, and a path as the URL of its file; what is relative has no base here. */
function resolveModule(path: string, given: URL | string | SpawnThread): string | SpawnThread {
  if (typeof given === "function") return given;
  if (given instanceof URL) return given.href;
  const rule = `${path} must be a URL, an absolute path or a function that starts a thread`;
  if (typeof given !== "string") throw check.typeError(rule, given);
  // A drive letter is no scheme.
  if (/^[a-z][a-z0-9+.-]+:/i.test(given) && URL.canParse(given)) return new URL(given).href;
  const absolute = /^[a-z]:[\\/]/i.test(given) ? `/${given.replaceAll("\\", "/")}` : given;
  if (!absolute.startsWith("/")) throw check.rangeError(rule, given);
  const escaped = absolute.split("/").map(encodeURIComponent).join("/");
  return new URL(escaped.replace(/^\/([a-z])%3A/i, "/$1:"), "file:///").href;
}

function resolveVirtualPartitions(
  path: string,
  given: TopicOptions,
  handler: ResolvedHandler,
  concurrency: number,
): Pick<ResolvedTopic, "distribution" | "partitioner" | "reducer" | "maxPartitions" | "exactText"> {
  const value = given.virtualPartitions;
  if (value === undefined) {
    const none = { partitioner: null, reducer: null, exactText: false };
    return { distribution: "single", maxPartitions: 1, ...none };
  }
  const options = value === true ? {} : check.object(path, value);
  check.knownKeys(path, options, VIRTUAL_PARTITION_KEYS);
  const strategy = check.oneOf(
    `${path}.offsetMetadataStrategy`,
    options.offsetMetadataStrategy,
    "current",
    ["exact", "current"],
  );
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
    exactText: strategy === "exact",
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
