import { Validator } from "../validate.ts";
import { LOG_EVENTS, type LogListeners } from "./log-events.ts";
import type { Visibility } from "./reader-partition.ts";
import {
  checkOverrides,
  TOPIC_DEFAULTS,
  TOPIC_OVERRIDES,
  type TopicOptions,
  type TopicOverrides,
  withOverrides,
} from "./topic-options.ts";

const MAX_PARTITIONS = 100_000;
const MAX_NAME_LENGTH = 249;
const MAX_FLUSH_MESSAGES = 1_000_000;
const MAX_FLUSH_BYTES: number = 128 * 1024 * 1024;
const MAX_FLUSH_INTERVAL_MS = 60_000;
const MAX_SYNC_INTERVAL_MS = 3_600_000;

/** Options of one topic. What is stored with it holds until another open says otherwise. */
export interface LogTopicOptions extends TopicOverrides {
  /** Partitions, 1…100,000; more than there are adds some, fewer is an error. */
  partitions: number;
}

/** When records that are appended are written to the file. */
export interface FlushOptions {
  /** Records that wait at most, 1…1,000,000. Default 1024. */
  messages?: number;
  /** Bytes that wait at most, 1 byte…128 MiB; a batch is written whole. Default 1 MiB. */
  bytes?: number;
  /**
   * Milliseconds that a record waits at most, 0…60,000, when appends are acknowledged as
   * "buffered"; with the other levels all appends of one tick share a write. Default 5.
   */
  intervalMs?: number;
}

/** Options of `openLog()`. */
export interface LogOptions extends TopicOverrides {
  /** Topics to make when they are missing, by name. */
  topics?: Readonly<Record<string, LogTopicOptions>>;
  flush?: FlushOptions;
  /**
   * When files are synced to the disk: "never", which leaves it to the system; every
   * `syncIntervalMs` while there is something to sync, or sooner after 8 MiB; or after each
   * "flush". Default "interval".
   */
  sync?: "never" | "interval" | "flush";
  /** Milliseconds between syncs, 1…3,600,000. Default 1000. */
  syncIntervalMs?: number;
  /**
   * What an append waits for: "buffered" (in memory), "written" (survives the death of this
   * process) or "synced" (survives a power cut; asks for a sync at once). Default "written".
   */
  acknowledge?: "buffered" | "written" | "synced";
  /**
   * When this log verifies checksums: of all batches at "open" and then no more, of each batch when
   * it is "read", or "off". The unsynced end of the log is verified at open in any case, and
   * consumers verify what they read. Default "read".
   */
  verify?: "open" | "read" | "off";
  /**
   * Which indexes stay in memory: "all"; those of "open" segments, the one that is written to and
   * one that is read in each partition; or "none" but the one of the segment that is written to.
   * Default "open".
   */
  cacheIndexes?: "all" | "open" | "none";
  /**
   * What to do about damage that is not a torn tail: "fail" rejects `openLog()`; "readonly" opens
   * the partition for reading what is good, changes nothing, and refuses appends; "quarantine"
   * renames the damaged file, keeps what lies before the damage, and goes on behind the offsets
   * that were given. Default "fail".
   */
  onCorruption?: "fail" | "readonly" | "quarantine";
  on?: LogListeners;
  /**
   * false: nothing is removed by itself, only by `retain()`; for tools, which must not remove
   * something by merely opening a log. Default true.
   */
  automaticRetention?: boolean;
  /**
   * Opens the log for reading, beside the process that writes it: takes no lock, makes nothing, and
   * refuses `append()` and `createTopic()`. Allows no other option but `visibility`. Default false.
   */
  readOnly?: boolean;
  /**
   * With `readOnly`, how far can be read: to what the operating system has ("written") or to what
   * the disk has ("synced"). Default "written".
   */
  visibility?: Visibility;
}

/** How many partitions a topic shall have, and what is to be stored with it. */
export interface TopicRequest {
  readonly partitions: number;
  readonly overrides: TopicOverrides;
}

/** The same, complete. */
export interface ResolvedLogOptions {
  readonly topics: ReadonlyMap<string, TopicRequest>;
  readonly flush: Readonly<Required<FlushOptions>>;
  readonly sync: NonNullable<LogOptions["sync"]>;
  readonly syncIntervalMs: number;
  readonly acknowledge: NonNullable<LogOptions["acknowledge"]>;
  readonly verify: NonNullable<LogOptions["verify"]>;
  readonly cacheIndexes: NonNullable<LogOptions["cacheIndexes"]>;
  readonly onCorruption: NonNullable<LogOptions["onCorruption"]>;
  /** What topics have that say nothing for themselves. */
  readonly topicDefaults: TopicOptions;
  readonly on: LogListeners;
  readonly automaticRetention: boolean;
  /** Options that were given, by path, `topics` and `on` left out. */
  readonly given: ReadonlyMap<string, unknown>;
}

const OPTIONS: readonly string[] = [
  "topics",
  "flush",
  "sync",
  "syncIntervalMs",
  "acknowledge",
  "verify",
  "cacheIndexes",
  "onCorruption",
  "on",
  "automaticRetention",
  "readOnly",
  "visibility",
  ...TOPIC_OVERRIDES,
];

const check: Validator = new Validator("open the log");

/** How far readers can see. */
export const VISIBILITIES: readonly Visibility[] = ["written", "synced"];

/** @throws {TypeError | RangeError} Naming the option. */
export function resolveReaderOptions(options: LogOptions): {
  readonly readOnly: boolean;
  readonly visibility: Visibility;
} {
  const given = check.object("options", options);
  check.knownKeys("options", given, OPTIONS);
  const readOnly = check.bool("readOnly", given.readOnly, false);
  const visibility = check.oneOf("visibility", given.visibility, "written", VISIBILITIES);
  const names = Object.keys(given).filter((name) => given[name] !== undefined);
  const wrong = names.find((name) =>
    readOnly ? !["readOnly", "visibility"].includes(name) : name === "visibility",
  );
  if (wrong !== undefined) {
    const rule = readOnly ? "must not be given with readOnly" : "needs readOnly";
    throw check.rangeError(`${wrong} ${rule}`, given[wrong]);
  }
  return { readOnly, visibility };
}

/** @throws {TypeError | RangeError} Naming the option. */
export function resolveLogOptions(options: LogOptions = {}): ResolvedLogOptions {
  const given = check.object("options", options);
  check.knownKeys("options", given, OPTIONS);
  const resolved: ResolvedLogOptions = {
    topics: resolveTopics(given.topics),
    flush: resolveFlush(given.flush),
    sync: check.oneOf("sync", given.sync, "interval", ["never", "interval", "flush"]),
    syncIntervalMs: integer("syncIntervalMs", given.syncIntervalMs, 1000, 1, MAX_SYNC_INTERVAL_MS),
    acknowledge: check.oneOf("acknowledge", given.acknowledge, "written", [
      "buffered",
      "written",
      "synced",
    ]),
    verify: check.oneOf("verify", given.verify, "read", ["open", "read", "off"]),
    cacheIndexes: check.oneOf("cacheIndexes", given.cacheIndexes, "open", ["all", "open", "none"]),
    onCorruption: check.oneOf("onCorruption", given.onCorruption, "fail", [
      "fail",
      "readonly",
      "quarantine",
    ]),
    topicDefaults: withOverrides(TOPIC_DEFAULTS, checkOverrides("", given)),
    on: resolveListeners(given.on),
    automaticRetention: check.bool("automaticRetention", given.automaticRetention, true),
    given: flatten(given),
  };
  if (resolved.acknowledge === "synced" && resolved.sync === "never") {
    throw check.rangeError('acknowledge must not be "synced" when sync is "never"', "synced");
  }
  return resolved;
}

/**
 * Checks that options given for a log that is open already are those it was opened with.
 *
 * @returns The first that is not, as text, or undefined.
 */
export function conflict(open: ResolvedLogOptions, later: ResolvedLogOptions): string | undefined {
  const { segment, retention, deduplication } = open.topicDefaults;
  const values = flatten({ ...open, segment, retention, deduplication });
  for (const [path, value] of later.given) {
    if (value !== values.get(path)) return `${path} ${String(values.get(path))} and not ${value}`;
  }
  return undefined;
}

/** Checks the name of a topic or group. */
export function topicName(name: unknown): string {
  const text = check.text("a topic name", name);
  if (text.length > MAX_NAME_LENGTH) {
    throw check.rangeError(`a topic name must not exceed ${MAX_NAME_LENGTH} characters`, name);
  }
  return text;
}

/** Checks what one topic shall be. @param path Of the options, for messages. */
export function topicRequest(path: string, value: unknown): TopicRequest {
  const given = check.object(path, value);
  check.knownKeys(path, given, ["partitions", ...TOPIC_OVERRIDES]);
  const { partitions } = given;
  if (partitions === undefined) throw check.typeError(`${path}.partitions must be a number`, value);
  const overrides = checkOverrides(`${path}.`, given);
  return {
    partitions: integer(`${path}.partitions`, partitions, 1, 1, MAX_PARTITIONS),
    overrides,
  };
}

function resolveTopics(value: unknown): ResolvedLogOptions["topics"] {
  const topics = Object.entries(check.object("topics", value ?? {}));
  return new Map(
    topics.map(([name, topic]) => [topicName(name), topicRequest(`topics.${name}`, topic)]),
  );
}

function resolveFlush(value: unknown): ResolvedLogOptions["flush"] {
  const given = check.object("flush", value ?? {});
  check.knownKeys("flush", given, ["messages", "bytes", "intervalMs"]);
  const { messages, bytes, intervalMs } = given;
  return {
    messages: integer("flush.messages", messages, 1024, 1, MAX_FLUSH_MESSAGES),
    bytes: integer("flush.bytes", bytes, 1 << 20, 1, MAX_FLUSH_BYTES),
    intervalMs: integer("flush.intervalMs", intervalMs, 5, 0, MAX_FLUSH_INTERVAL_MS),
  };
}

function resolveListeners(value: unknown): LogListeners {
  const given = check.object("on", value ?? {});
  check.knownKeys("on", given, LOG_EVENTS);
  for (const [name, listener] of Object.entries(given)) {
    if (listener !== undefined) check.callable(`on.${name}`, listener);
  }
  return { ...given } as LogListeners;
}

function integer(name: string, value: unknown, fallback: number, min: number, max: number): number {
  return check.integer(name, value, fallback, min, max);
}

/** Single values by path, like "flush.bytes". */
function flatten(options: object): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [name, value] of Object.entries(options)) {
    if (name === "topics" || name === "on" || value === undefined) continue;
    const parts = typeof value === "object" && value !== null ? flatten(value) : undefined;
    values.set(name, parts ? "an object" : value);
    for (const [inner, part] of parts ?? []) values.set(`${name}.${inner}`, part);
  }
  return values;
}
