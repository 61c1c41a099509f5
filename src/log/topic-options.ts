/** Options that a topic may have for itself; without them those of the log hold. */
import { Validator } from "../validate.ts";

const MIN_SEGMENT_BYTES = 1024;
/** Positions in an index are 32 bits wide, and a segment may end with one large batch. */
const MAX_SEGMENT_BYTES: number = 1024 * 1024 * 1024;
/** A hundred years: more is a mistake in the unit. */
const MAX_AGE_MS: number = 100 * 365 * 24 * 60 * 60 * 1000;
const MAX_WINDOW_ENTRIES = 10_000_000;

/** When the segment that is written to is sealed and the next one begins. */
export interface SegmentOptions {
  /** Size in bytes, 1 KiB…1 GiB. Default 64 MiB. */
  bytes?: number;
  /** Age of the first batch in milliseconds, by append time; null for no limit. Default null. */
  maxAgeMs?: number | null;
}

/** A sealed segment that is about to be removed. */
export interface ArchivedSegment {
  readonly topic: string;
  readonly partition: number;
  /** Path of the `.log` file; it is there until the callback's promise has resolved. */
  readonly file: string;
  readonly bytes: number;
  readonly baseOffset: number;
  readonly nextOffset: number;
}

/** Keeps a copy of a segment somewhere; the segment is removed when the promise has resolved. */
export type ArchiveCallback = (segment: ArchivedSegment) => Promise<void> | void;

/** What is removed, and what must not be. Only sealed segments are, whole, oldest first. */
export interface RetentionOptions {
  /** Segments whose newest batch was appended longer ago than this, in ms. Default null: none. */
  maxAgeMs?: number | null;
  /** Bytes of all partitions of a topic together, at least 1 KiB. Default null: no limit. */
  maxTopicBytes?: number | null;
  /** At `maxTopicBytes`: true removes the oldest segments, false refuses appends. Default false. */
  deleteOldestSegments?: boolean;
  /**
   * Where a segment goes before it is removed: a directory, or a callback. Default null: nowhere.
   * A callback holds for the log as a whole, not for one topic.
   */
  archive?: string | ArchiveCallback | null;
  /** Keeps what a group has not committed yet. Default true. */
  protectUncommitted?: boolean;
  /** A group that has committed nothing for this long, in ms, holds no more. Default 7 days. */
  barrierMaxAgeMs?: number | null;
}

/** Which records count as seen already, by their id. */
export interface DeduplicationOptions {
  /** Newest ids remembered for each partition, 1…10,000,000. Default 10,000. */
  maxEntries?: number;
  /** Milliseconds for which an id is remembered, by append time. Default 60,000. */
  ttlMs?: number;
}

/** Options that are stored with a topic. null turns something off that the log has on. */
export interface TopicOverrides {
  segment?: SegmentOptions;
  retention?: RetentionOptions | null;
  deduplication?: DeduplicationOptions | null;
}

/** Options of one topic, complete. */
export interface TopicOptions {
  readonly segment: Readonly<Required<SegmentOptions>>;
  readonly retention: Readonly<Required<RetentionOptions>> | null;
  readonly deduplication: Readonly<Required<DeduplicationOptions>> | null;
}

/** Names of the overrides. */
export const TOPIC_OVERRIDES: readonly string[] = ["segment", "retention", "deduplication"];

const RETENTION_DEFAULTS: Readonly<Required<RetentionOptions>> = {
  maxAgeMs: null,
  maxTopicBytes: null,
  deleteOldestSegments: false,
  archive: null,
  protectUncommitted: true,
  barrierMaxAgeMs: 7 * 24 * 60 * 60 * 1000,
};

const DEDUPLICATION_DEFAULTS: Readonly<Required<DeduplicationOptions>> = {
  maxEntries: 10_000,
  ttlMs: 60_000,
};

/** What holds when nobody says otherwise. */
export const TOPIC_DEFAULTS: TopicOptions = {
  segment: { bytes: 64 * 1024 * 1024, maxAgeMs: null },
  retention: null,
  deduplication: null,
};

const check: Validator = new Validator("open the log");

/**
 * Checks the overrides among the given options.
 *
 * @param prefix Path of the options, like "topics.orders.", for messages.
 * @returns What was given, and nothing else.
 * @throws {TypeError | RangeError} Naming the option.
 */
export function checkOverrides(
  prefix: string,
  given: Readonly<Record<string, unknown>>,
): TopicOverrides {
  const { segment, retention, deduplication } = given;
  const checked: TopicOverrides = {};
  if (segment !== undefined) checked.segment = checkSegment(`${prefix}segment`, segment);
  if (retention !== undefined) {
    const path = `${prefix}retention`;
    checked.retention = retention === null ? null : checkRetention(path, retention, prefix === "");
  }
  if (deduplication !== undefined) {
    const path = `${prefix}deduplication`;
    checked.deduplication = deduplication === null ? null : checkWindow(path, deduplication);
  }
  return checked;
}

/** Options with overrides laid over them, one by one. */
export function withOverrides(options: TopicOptions, over: TopicOverrides): TopicOptions {
  const { segment, retention, deduplication } = over;
  return {
    segment: { ...options.segment, ...segment },
    retention: laidOver(RETENTION_DEFAULTS, options.retention, retention),
    deduplication: laidOver(DEDUPLICATION_DEFAULTS, options.deduplication, deduplication),
  };
}

/** null is "off"; undefined says nothing. */
function laidOver<T extends object>(
  defaults: T,
  below: T | null,
  over: Partial<T> | null | undefined,
): T | null {
  if (over === undefined) return below;
  return over && { ...defaults, ...below, ...over };
}

function checkSegment(path: string, value: unknown): SegmentOptions {
  const given = check.object(path, value);
  check.knownKeys(path, given, ["bytes", "maxAgeMs"]);
  const { bytes, maxAgeMs } = given;
  return defined({
    bytes: integer(`${path}.bytes`, bytes, MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES),
    maxAgeMs: orNull(`${path}.maxAgeMs`, maxAgeMs, 1, MAX_AGE_MS),
  });
}

function checkRetention(path: string, value: unknown, callbacks: boolean): RetentionOptions {
  const given = check.object(path, value);
  check.knownKeys(path, given, Object.keys(RETENTION_DEFAULTS));
  const flag = (name: string): boolean | undefined => {
    return given[name] === undefined ? undefined : check.bool(`${path}.${name}`, given[name], true);
  };
  const { maxAgeMs, maxTopicBytes, barrierMaxAgeMs, archive } = given;
  const most = Number.MAX_SAFE_INTEGER;
  return defined({
    maxAgeMs: orNull(`${path}.maxAgeMs`, maxAgeMs, 1, MAX_AGE_MS),
    maxTopicBytes: orNull(`${path}.maxTopicBytes`, maxTopicBytes, MIN_SEGMENT_BYTES, most),
    deleteOldestSegments: flag("deleteOldestSegments"),
    archive: checkArchive(`${path}.archive`, archive, callbacks),
    protectUncommitted: flag("protectUncommitted"),
    barrierMaxAgeMs: orNull(`${path}.barrierMaxAgeMs`, barrierMaxAgeMs, 1, MAX_AGE_MS),
  });
}

/** A callback cannot be stored with a topic: a later open would remove what it should keep. */
function checkArchive(
  path: string,
  value: unknown,
  callbacks: boolean,
): string | ArchiveCallback | null | undefined {
  if (value === undefined || value === null) return value;
  if (typeof value === "string") return check.text(path, value);
  if (typeof value === "function" && callbacks) return value as ArchiveCallback;
  const rule = callbacks ? "a directory, a function or null" : "a directory or null";
  throw check.typeError(`${path} must be ${rule}`, value);
}

function checkWindow(path: string, value: unknown): DeduplicationOptions {
  const given = check.object(path, value);
  check.knownKeys(path, given, Object.keys(DEDUPLICATION_DEFAULTS));
  const { maxEntries, ttlMs } = given;
  return defined({
    maxEntries: integer(`${path}.maxEntries`, maxEntries, 1, MAX_WINDOW_ENTRIES),
    ttlMs: integer(`${path}.ttlMs`, ttlMs, 1, MAX_AGE_MS),
  });
}

function integer(path: string, value: unknown, min: number, max: number): number | undefined {
  return value === undefined ? undefined : check.integer(path, value, min, min, max);
}

function orNull(path: string, value: unknown, min: number, max: number): number | null | undefined {
  return value === null ? null : integer(path, value, min, max);
}

/** Without the members that are undefined: they must not hide what lies below them. */
function defined<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
