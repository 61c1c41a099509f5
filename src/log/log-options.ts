import { NotSupportedError } from "../errors.ts";
import { Validator } from "../validate.ts";
import type { TornTail } from "./active-segment.ts";

const DEFAULT_SEGMENT_BYTES: number = 64 * 1024 * 1024;
const MIN_SEGMENT_BYTES = 1024;
/** Positions in an index are 32 bits wide, and a segment may end with one large batch. */
const MAX_SEGMENT_BYTES: number = 1024 * 1024 * 1024;
const MAX_PARTITIONS = 100_000;
const MAX_NAME_LENGTH = 249;

/** Options of one topic. */
export interface LogTopicOptions {
  /** Partitions, 1…100,000; more than there are adds some, fewer is an error. */
  partitions: number;
}

/** Options of `openLog()`. */
export interface LogOptions {
  /** Topics to make when they are missing, by name. */
  topics?: Readonly<Record<string, LogTopicOptions>>;
  segment?: {
    /** Size at which a segment is sealed, 1 KiB…1 GiB. Default 64 MiB. */
    bytes?: number;
  };
  /** What to do about damage: "fail" rejects `openLog()`. Nothing else is supported yet. */
  onCorruption?: "fail";
  on?: {
    /** A crash left an incomplete batch at the end of a partition, and it was cut off. */
    tornTail?: (event: TornTail) => void;
  };
}

/** The same, complete. */
export interface ResolvedLogOptions {
  readonly topics: ReadonlyMap<string, number>;
  /** undefined: as it is when the log is already open, else the default. */
  readonly segmentBytes: number | undefined;
  readonly onTornTail: ((event: TornTail) => void) | undefined;
}

/**
 * Options that the design names and a later version brings, with the one value that is already so.
 */
const LATER: Readonly<Record<string, unknown>> = {
  flush: undefined,
  sync: "interval",
  acknowledge: "written",
  verify: "read",
  cacheIndexes: "open",
  retention: undefined,
  deduplication: undefined,
  onCorruption: "fail",
};

const check: Validator = new Validator("open the log");

/** @throws {TypeError | RangeError | NotSupportedError} Naming the option. */
export function resolveLogOptions(options: LogOptions = {}): ResolvedLogOptions {
  const given = check.object("options", options);
  check.knownKeys("options", given, ["topics", "segment", "on", ...Object.keys(LATER)]);
  refuseLater("", given, LATER);
  const segment = check.object("segment", given.segment ?? {});
  refuseLater("segment.", segment, { maxAgeMs: undefined });
  check.knownKeys("segment", segment, ["bytes", "maxAgeMs"]);
  const on = check.object("on", given.on ?? {});
  refuseLater("on.", on, { retentionBlocked: undefined });
  check.knownKeys("on", on, ["tornTail", "retentionBlocked"]);
  if (on.tornTail !== undefined) check.callable("on.tornTail", on.tornTail);
  const topics = Object.entries(check.object("topics", given.topics ?? {}));
  return {
    topics: new Map(topics.map(([name, topic]) => [topicName(name), topicPartitions(name, topic)])),
    segmentBytes: segment.bytes === undefined ? undefined : segmentBytes(segment.bytes),
    onTornTail: on.tornTail as ResolvedLogOptions["onTornTail"],
  };
}

/** Size of segments when nobody says otherwise. */
export function defaultSegmentBytes(): number {
  return DEFAULT_SEGMENT_BYTES;
}

/** Checks the name of a topic or group. */
export function topicName(name: unknown): string {
  const text = check.text("a topic name", name);
  if (text.length > MAX_NAME_LENGTH) {
    throw check.rangeError(`a topic name must not exceed ${MAX_NAME_LENGTH} characters`, name);
  }
  return text;
}

/** Checks a partition count. */
export function partitionCount(name: string, value: unknown): number {
  if (value === undefined) throw check.typeError(`${name} must be a number`, value);
  return check.integer(name, value, 1, 1, MAX_PARTITIONS);
}

function segmentBytes(value: unknown): number {
  return check.integer("segment.bytes", value, 0, MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES);
}

function topicPartitions(name: string, value: unknown): number {
  const path = `topics.${name}`;
  const topic = check.object(path, value);
  const later = { retention: undefined, deduplication: undefined, segment: undefined };
  refuseLater(`${path}.`, topic, later);
  check.knownKeys(path, topic, ["partitions", ...Object.keys(later)]);
  return partitionCount(`${path}.partitions`, topic.partitions);
}

function refuseLater(
  prefix: string,
  given: object,
  later: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(later, name) || value === undefined || value === later[name]) continue;
    throw new NotSupportedError(`${prefix}${name}`);
  }
}
