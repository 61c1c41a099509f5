import { unstableName } from "./known-partitioners.ts";
import { MAX_VERSION_BYTES } from "./metadata/segmentation.ts";
import type { ParallelSegmentsOptions } from "./options.ts";
import type { Partitioner, Reducer } from "./types.ts";
import { show, Validator } from "./validate.ts";

/** Parallel segments with every default filled in. */
export interface ResolvedSegments {
  /** At least 2. */
  readonly count: number;
  readonly partitioner: Partitioner;
  /** null: the default. */
  readonly reducer: Reducer | null;
  /** null: the default. */
  readonly mergeKey: string | null;
  readonly version: string | null;
  /** A message that the partitioner fails for holds its partition (S3). */
  readonly stops: boolean;
  /** Segments of this process, ascending. */
  readonly run: readonly number[];
}

/** Names the segments of a process whose options do not. */
const SEGMENTS_VARIABLE = "HEADRACE_SEGMENTS";
const MAX_SEGMENTS = 65_536;
const KEYS = [
  "count",
  "partitioner",
  "reducer",
  "mergeKey",
  "version",
  "onPartitionerError",
  "run",
] as const;
const path = "parallelSegments";

const check: Validator = new Validator("create a consumer");
const encoder: TextEncoder = new TextEncoder();

/**
 * Checks the `parallelSegments` of a consumer.
 *
 * @param environment Reads a variable of the process; asked where `run` is not given.
 * @returns null: there are none.
 */
export function resolveSegments(
  value: unknown,
  environment: (name: string) => string | undefined,
): ResolvedSegments | null {
  if (value === undefined) return null;
  const given = check.object(path, value) as unknown as ParallelSegmentsOptions;
  check.knownKeys(path, given, KEYS);
  if (given.count === undefined) throw check.typeError(`${path}.count must be a number`, undefined);
  const count = check.integer(`${path}.count`, given.count, 1, 1, MAX_SEGMENTS);
  const { partitioner, reducer, mergeKey } = given;
  if (count > 1 || partitioner !== undefined) checkPartitioner(partitioner);
  if (reducer !== undefined) check.callable(`${path}.reducer`, reducer);
  const onPartitionerError = check.oneOf(
    `${path}.onPartitionerError`,
    given.onPartitionerError,
    "segment-0",
    ["segment-0", "stop"],
  );
  const resolved = {
    count,
    partitioner,
    reducer: reducer ?? null,
    mergeKey: mergeKey === undefined ? null : check.text(`${path}.mergeKey`, mergeKey),
    version: resolveVersion(given.version),
    stops: onPartitionerError === "stop",
    run: resolveRun(given.run, count, environment),
  };
  return count === 1 ? null : resolved;
}

function checkPartitioner(partitioner: unknown): void {
  check.callable(`${path}.partitioner`, partitioner);
  const name = unstableName(partitioner as Partitioner);
  if (name === undefined) return;
  const rule = `${path}.partitioner must answer the same for a message in every process`;
  throw new TypeError(`Cannot create a consumer as ${rule}: received ${name}`);
}

function resolveVersion(value: unknown): string | null {
  if (value === undefined) return null;
  const version = check.text(`${path}.version`, value);
  if (encoder.encode(version).length <= MAX_VERSION_BYTES) return version;
  throw check.rangeError(`${path}.version must have at most ${MAX_VERSION_BYTES} bytes`, version);
}

function resolveRun(
  value: unknown,
  count: number,
  environment: (name: string) => string | undefined,
): readonly number[] {
  const all = Array.from({ length: count }, (_, index) => index);
  if (value === "all") return all;
  if (value !== undefined) {
    if (!Array.isArray(value)) throw check.typeError(`${path}.run must be "all" or a list`, value);
    return checkRun(`${path}.run`, value, count);
  }
  const text = count === 1 ? undefined : environment(SEGMENTS_VARIABLE)?.trim();
  if (text === undefined || text === "" || text === "all") return all;
  const numbers = text.split(",").map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : part));
  return checkRun(SEGMENTS_VARIABLE, numbers, count);
}

function checkRun(name: string, list: readonly unknown[], count: number): readonly number[] {
  if (list.length === 0) throw check.rangeError(`${name} must name at least one segment`, list);
  for (const one of list) {
    if (Number.isInteger(one) && (one as number) >= 0 && (one as number) < count) continue;
    throw check.rangeError(`${name} must name segments from 0 to ${count - 1}`, one);
  }
  const run = [...new Set(list as readonly number[])].sort((a, b) => a - b);
  if (run.length === list.length) return run;
  throw new RangeError(
    `Cannot create a consumer as ${name} must name each segment once: received ${show(list.join(","))}`,
  );
}
