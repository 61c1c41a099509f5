import { MAX_VERSION_BYTES, UNKNOWN_VERSION } from "../metadata/segmentation.ts";
import type { SourceFactory } from "../source/source.ts";
import { Validator } from "../validate.ts";
import type { PositionFormat } from "./position.ts";
import { DEFAULT_MERGE_KEY, type SegmentNaming } from "./segment-names.ts";

/** As the consumer's `parallelSegments.count`. */
const MAX_COUNT = 65_536;
/** What brokers take unless told otherwise, in UTF-16 units. */
const DEFAULT_METADATA_LENGTH = 4096;

/** What the offsets of parallel segments are asked for with. */
export interface SegmentsStatusOptions {
  /** Where the groups are; it must have an `admin()`. */
  readonly source: SourceFactory;
  /** The group that the segments come from. */
  readonly groupId: string;
  /** Default: all in which one of the groups that are read has an offset. */
  readonly topics?: readonly string[];
  /** How many segments there are, 2…65,536. */
  readonly count: number;
  /** What stands between the group's name and the segment's number. Default "-parallel-". */
  readonly mergeKey?: string;
}

/** What the offsets of parallel segments are moved with. */
export interface SegmentsOptions extends SegmentsStatusOptions {
  /** The consumers' `parallelSegments.version`. Default: not known, which fits every one. */
  readonly version?: string;
  /** How completed offsets are written: as the consumers' `offsetMap`. Default "dense". */
  readonly offsetMap?: "dense" | "ascii";
  /** UTF-16 units of metadata that the broker accepts, 0…1,048,576. Default 4096. */
  readonly maxMetadataLength?: number;
  /** Goes on where offsets exist already, differ, or lie past the log's end. Default false. */
  readonly force?: boolean;
  /** Reads and checks everything, and writes nothing. Default false. */
  readonly dryRun?: boolean;
}

/** The options, checked and filled in. */
export interface ResolvedSegmentsOptions {
  readonly source: Required<Pick<SourceFactory, "admin">>;
  readonly naming: SegmentNaming;
  /** null: all that there are. */
  readonly topics: readonly string[] | null;
  readonly version: string;
  readonly format: PositionFormat;
  readonly force: boolean;
  readonly dryRun: boolean;
}

const STATUS_KEYS = ["source", "groupId", "topics", "count", "mergeKey"] as const;
const WRITE_KEYS = ["version", "offsetMap", "maxMetadataLength", "force", "dryRun"] as const;

/**
 * Checks the options of one call.
 *
 * @param act Completes "Cannot <act> as …".
 * @param writes Whether options about writing are allowed.
 * @throws {TypeError | RangeError} Naming the option, the rule and the value.
 */
export function resolveSegmentsOptions(
  act: string,
  options: SegmentsOptions,
  writes: boolean,
): ResolvedSegmentsOptions {
  const check = new Validator(act);
  const given = check.object("options", options);
  check.knownKeys("options", given, writes ? [...STATUS_KEYS, ...WRITE_KEYS] : STATUS_KEYS);
  const source = check.object("source", given.source) as Partial<SourceFactory>;
  if (typeof source.admin !== "function") {
    throw check.typeError("source must have an admin()", source);
  }
  const origin = check.text("groupId", given.groupId);
  if (given.count === undefined) throw check.typeError("count must be given", given.count);
  const count = check.integer("count", given.count, 2, 2, MAX_COUNT);
  const mergeKey =
    given.mergeKey === undefined ? DEFAULT_MERGE_KEY : check.text("mergeKey", given.mergeKey);
  const maxLength = check.integer(
    "maxMetadataLength",
    given.maxMetadataLength,
    DEFAULT_METADATA_LENGTH,
    0,
    1 << 20,
  );
  return {
    source: source as Required<Pick<SourceFactory, "admin">>,
    naming: { origin, count, mergeKey },
    topics: topicsOf(check, given.topics),
    version: versionOf(check, given.version),
    format: {
      form: check.oneOf("offsetMap", given.offsetMap, "dense", ["dense", "ascii"]),
      maxLength,
    },
    force: check.bool("force", given.force, false),
    dryRun: check.bool("dryRun", given.dryRun, false),
  };
}

function topicsOf(check: Validator, given: unknown): readonly string[] | null {
  if (given === undefined) return null;
  if (!Array.isArray(given)) throw check.typeError("topics must be an array", given);
  if (given.length === 0) throw check.rangeError("topics must not be empty", given);
  const topics = given.map((topic, at) => check.text(`topics[${at}]`, topic));
  return [...new Set(topics)];
}

function versionOf(check: Validator, given: unknown): string {
  if (given === undefined) return UNKNOWN_VERSION;
  const version = check.text("version", given);
  if (new TextEncoder().encode(version).length <= MAX_VERSION_BYTES) return version;
  throw check.rangeError(`version must have at most ${MAX_VERSION_BYTES} bytes`, version);
}
