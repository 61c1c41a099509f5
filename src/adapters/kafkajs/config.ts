/** `kafkajs(config)`: what users may set, what headrace owns, and the defaults. */
import type { Logger } from "../../types.ts";
import { Validator } from "../../validate.ts";
import type { Client, ClientAssignerFactory, ClientConstructor, SocketFactory } from "./client.ts";
import { LOG_LEVEL, logCreator } from "./logging.ts";
import { type BrokerList, Sockets } from "./sockets.ts";

/**
 * kafkajs's own `KafkaConfig` plus the options of its parts; everything is passed through but the
 * keys that headrace owns. A client with its own shape may be injected as `Kafka`.
 */
export interface KafkajsConfig {
  /** `host:port` each, or a function that finds them. */
  readonly brokers: BrokerList;
  readonly clientId?: string;
  /** The constructor to use in place of the installed kafkajs. */
  readonly Kafka?: unknown;
  /** Options of `kafka.consumer()`. */
  readonly consumer?: Readonly<Record<string, unknown>>;
  /** Options of `kafka.producer()`. */
  readonly producer?: Readonly<Record<string, unknown>>;
  /** Options of `kafka.admin()`. */
  readonly admin?: Readonly<Record<string, unknown>>;
  /**
   * Any other option of kafkajs's `KafkaConfig`: `ssl`, `sasl`, `connectionTimeout`, `retry`,
   * `logLevel` …
   */
  readonly [option: string]: unknown;
}

const STATIC_MEMBERSHIP = "kafkajs has no static membership";
const BY_GROUP = "createConsumer's groupId names the group";
const BY_TOPICS = "createConsumer's topics and fromBeginning decide what is read";
const BY_COMMITS = "headrace commits itself";
const BY_LOOP = "headrace runs the poll loop";
const BY_PARTITIONS = "headrace chooses every record's partition";

/** Keys that headrace owns, by part, with the reason. */
const OWNED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  config: {
    groupId: BY_GROUP,
    groupInstanceId: STATIC_MEMBERSHIP,
    partitionAssigners: "the revoke hook lives in the assigner",
    transactionalId: "headrace's producer is not transactional",
  },
  consumer: {
    groupId: BY_GROUP,
    groupInstanceId: STATIC_MEMBERSHIP,
    partitionAssigners: "the revoke hook lives in the assigner",
    topic: BY_TOPICS,
    topics: BY_TOPICS,
    fromBeginning: BY_TOPICS,
    autoCommit: BY_COMMITS,
    autoCommitInterval: BY_COMMITS,
    autoCommitThreshold: BY_COMMITS,
    eachMessage: BY_LOOP,
    eachBatch: BY_LOOP,
    eachBatchAutoResolve: BY_LOOP,
    partitionsConsumedConcurrently: BY_LOOP,
  },
  producer: {
    transactionalId: "headrace's producer is not transactional",
    transactionTimeout: "headrace's producer is not transactional",
    createPartitioner: BY_PARTITIONS,
  },
  admin: {},
};

/** Long: an outage shorter than the session timeout then costs nothing, not even a rebalance. */
const CONSUMER_RETRY = {
  retries: Number.POSITIVE_INFINITY,
  initialRetryTime: 200,
  maxRetryTime: 1_000,
};
/** Short, about 3.4 s: whoever produces or asks wants an answer. */
export const SHORT_RETRY: Readonly<Record<string, number>> = {
  retries: 5,
  initialRetryTime: 200,
  maxRetryTime: 1_000,
};

/** Longest fetch wait; also how long a resumed partition may have to wait. Rule F1: at most 250. */
const FETCH_WAIT_MS = 100;
const HEARTBEAT_INTERVAL_MS = 3_000;
const SESSION_TIMEOUT_MS = 30_000;
const REBALANCE_TIMEOUT_MS = 60_000;
/** Kept for the last commit after the drain (rule R7). */
const LAST_COMMIT_RESERVE_MS = 5_000;

const check = new Validator("use kafkajs(config)");

function checkPart(part: string, value: unknown): void {
  if (value === undefined) return;
  const options = check.object(part, value);
  for (const [key, reason] of Object.entries(OWNED[part] ?? {})) {
    if (!(key in options)) continue;
    const name = part === "config" ? key : `${part}.${key}`;
    throw check.typeError(`"${name}" may not be set (${reason})`, options[key]);
  }
}

/**
 * Checks what can be checked before anything is opened.
 *
 * @throws {TypeError} For a key that headrace owns, named, and for parts of the wrong type.
 */
export function checkConfig(config: KafkajsConfig): void {
  checkPart("config", config);
  for (const part of ["consumer", "producer", "admin"]) checkPart(part, config[part]);
  if (typeof config.brokers !== "function" && !Array.isArray(config.brokers)) {
    throw check.typeError("brokers must be an array or a function", config.brokers);
  }
  if (config.Kafka !== undefined) check.callable("Kafka", config.Kafka);
}

/** Times of group membership, in milliseconds. */
export interface GroupTimes {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly fetchWaitMs: number;
  readonly rebalanceTimeoutMs: number;
}

/**
 * The times of the consumer, defaults filled in (rule R7).
 *
 * @throws {RangeError} When the user's `rebalanceTimeout` leaves no room for a drain, or a
 *   heartbeat comes too late.
 */
export function groupTimes(config: KafkajsConfig, drainTimeoutMs: number): GroupTimes {
  const set = config.consumer ?? {};
  const timeout = (key: string, fallback: number): number =>
    check.integer(`consumer.${key}`, set[key], fallback, 1, 2 ** 31 - 1);
  const sessionTimeoutMs = timeout("sessionTimeout", SESSION_TIMEOUT_MS);
  const heartbeatIntervalMs = timeout(
    "heartbeatInterval",
    Math.min(HEARTBEAT_INTERVAL_MS, Math.ceil(sessionTimeoutMs / 3)),
  );
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    const rule = `consumer.heartbeatInterval must be below sessionTimeout (${sessionTimeoutMs})`;
    throw check.rangeError(rule, heartbeatIntervalMs);
  }
  const fetchWaitMs = timeout("maxWaitTimeInMs", FETCH_WAIT_MS);
  const needed = drainTimeoutMs + heartbeatIntervalMs + fetchWaitMs + LAST_COMMIT_RESERVE_MS;
  const rebalanceTimeoutMs = timeout("rebalanceTimeout", Math.max(REBALANCE_TIMEOUT_MS, needed));
  if (rebalanceTimeoutMs < needed) {
    throw check.rangeError(
      `consumer.rebalanceTimeout must be at least ${needed} (drainTimeoutMs ${drainTimeoutMs} + ` +
        `heartbeatInterval ${heartbeatIntervalMs} + maxWaitTimeInMs ${fetchWaitMs} + ` +
        `${LAST_COMMIT_RESERVE_MS} for the last commit)`,
      rebalanceTimeoutMs,
    );
  }
  return { sessionTimeoutMs, heartbeatIntervalMs, fetchWaitMs, rebalanceTimeoutMs };
}

/** Options of `kafka.consumer()`: the user's, with what headrace owns on top. */
export function consumerOptions(
  config: KafkajsConfig,
  times: GroupTimes,
  own: {
    readonly groupId: string;
    readonly assigner: ClientAssignerFactory;
    readonly mayRestart: () => boolean;
  },
): object {
  const set = config.consumer ?? {};
  const retry = (set.retry ?? {}) as {
    restartOnFailure?: (error: Error) => Promise<boolean>;
  };
  return {
    ...set,
    groupId: own.groupId,
    partitionAssigners: [own.assigner],
    sessionTimeout: times.sessionTimeoutMs,
    heartbeatInterval: times.heartbeatIntervalMs,
    rebalanceTimeout: times.rebalanceTimeoutMs,
    maxWaitTimeInMs: times.fetchWaitMs,
    retry: {
      ...retry,
      // Without this kafkajs may come back to life after it was disconnected.
      restartOnFailure: async (error: Error) =>
        own.mayRestart() && ((await retry.restartOnFailure?.(error)) ?? true),
    },
  };
}

/** How the brokers are named in messages. */
export function describeBrokers(config: KafkajsConfig): string {
  return Array.isArray(config.brokers) ? config.brokers.join(", ") : "the brokers function";
}

/** A kafkajs client with its own connections. */
export interface OpenClient {
  readonly client: Client;
  readonly sockets: Sockets;
}

/**
 * Makes one client. Never share it: kafkajs keeps committed offsets by group for everything made
 * from one `Kafka`.
 *
 * @param retry Long for the consumer; short, which is the default, for everything that wants an
 *   answer.
 * @param logger Where kafkajs's log lines go; without one they go nowhere (every error reaches the
 *   caller anyway).
 */
export function openClient(
  Kafka: ClientConstructor,
  config: KafkajsConfig,
  options: { readonly longRetry?: boolean; readonly logger?: Logger } = {},
): OpenClient {
  const { Kafka: _kafka, consumer: _consumer, producer: _producer, admin: _admin, ...own } = config;
  const sockets = new Sockets(config.brokers, own.socketFactory as SocketFactory | undefined);
  const log = options.logger;
  const client = new Kafka({
    clientId: "headrace",
    logLevel: log === undefined ? LOG_LEVEL.nothing : LOG_LEVEL.warn,
    ...(log === undefined ? {} : { logCreator: logCreator(log, () => sockets.refused) }),
    ...own,
    retry: {
      ...(options.longRetry ? CONSUMER_RETRY : SHORT_RETRY),
      ...(own.retry as object | undefined),
    },
    brokers: sockets.brokers,
    socketFactory: sockets.factory,
  } as never);
  return { client, sockets };
}
