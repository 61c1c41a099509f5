import type { Partitioner, PartitionKey, Reducer } from "../types.ts";
import { Validator } from "../validate.ts";
import { DISTRIBUTIONS, type Distribution } from "./flow-model.ts";

/** A key as it may be given; a message without a key has null or undefined. */
export type SampleKey = string | number | bigint | Uint8Array | null | undefined;

/** A message as far as an analysis looks at it; messages of headrace are such. */
export interface SampleMessage {
  readonly key?: SampleKey;
  /** The partition that it lies in. */
  readonly partition?: number;
}

/** Hash functions by which clients place keys, with remainder: see `messagesKey()`. */
export type PlacementHash = "murmur2" | "murmur3" | "xxh32";

/**
 * What decides where a message is: `virtual`: reducer or distribution, as for virtual partitions; `recorded`: it
 * says so itself (`partition`); a hash: the producer that places by it.
 */
export type Placement = "virtual" | "recorded" | PlacementHash;

/** How a {@link DistributionAnalysis} looks at messages. */
export interface AnalysisOptions<M = SampleMessage> {
  /** Partitions, or virtual partitions, 1…65,536. */
  readonly partitions: number;
  /** Default "virtual". */
  readonly placement?: Placement;
  /** Chooses the key of a message. Default: its `key`. */
  readonly partitioner?: (message: M) => ReturnType<Partitioner>;
  /** Chooses the virtual partition of a key. Default: multiply-shift, as in consumers. */
  readonly reducer?: Reducer;
  /** Of virtual partitions. Default "consistent". */
  readonly distribution?: Distribution;
  /** For predictions: messages of a partition that are polled and not done, at most, 1…1,000,000. Default 1000. */
  readonly batchSize?: number;
  /** For predictions: milliseconds of a handler call, above 0. Default 10. */
  readonly handlerMs?: number;
}

/** With every default filled in. */
export interface ResolvedAnalysis {
  readonly partitions: number;
  readonly placement: Placement;
  readonly partitioner: ((message: never) => unknown) | null;
  readonly reducer: Reducer | null;
  readonly distribution: Distribution;
  readonly batchSize: number;
  readonly handlerMs: number;
}

/** Most partitions of an analysis. */
export const MAX_PARTITIONS = 65_536;
const MAX_BATCH = 1_000_000;
const MAX_HANDLER_MS = 86_400_000;
const MIN_HANDLER_MS = 1e-6;

const PLACEMENTS: readonly Placement[] = ["virtual", "recorded", "murmur2", "murmur3", "xxh32"];
const NAMES = [
  ...["partitions", "placement", "partitioner", "reducer", "distribution", "batchSize"],
  "handlerMs",
] as const;

/** For errors of an analysis. */
export const check: Validator = new Validator("analyze a distribution");

/** Checks the options of an analysis. @throws {TypeError | RangeError} Naming the option, the rule and the value. */
export function resolveAnalysis(options: unknown): ResolvedAnalysis {
  const given = check.object("options", options) as unknown as AnalysisOptions;
  check.knownKeys("options", given, NAMES);
  const { partitions, placement: wanted, partitioner, reducer } = given;
  if (partitions === undefined) throw check.typeError("partitions must be a number", undefined);
  const placement = check.oneOf("placement", wanted, "virtual", PLACEMENTS);
  const distribution = check.oneOf("distribution", given.distribution, "consistent", DISTRIBUTIONS);
  if (partitioner !== undefined) check.callable("partitioner", partitioner);
  if (reducer !== undefined) check.callable("reducer", reducer);
  for (const name of ["reducer", "distribution", "batchSize", "handlerMs"] as const) {
    if (given[name] === undefined || placement === "virtual") continue;
    throw check.typeError(`${name} works with placement "virtual" only`, placement);
  }
  if (reducer !== undefined && distribution !== "consistent") {
    throw check.typeError('reducer works with distribution "consistent" only', distribution);
  }
  return {
    partitions: check.integer("partitions", partitions, 1, 1, MAX_PARTITIONS),
    placement,
    partitioner: partitioner ?? null,
    reducer: reducer ?? null,
    distribution,
    batchSize: check.integer("batchSize", given.batchSize, 1000, 1, MAX_BATCH),
    handlerMs: check.number("handlerMs", given.handlerMs, 10, MIN_HANDLER_MS, MAX_HANDLER_MS),
  };
}

/**
 * A key as reducers get it (P1).
 *
 * @param where For errors: "the key of message 3".
 * @throws {TypeError} For anything that is no key.
 */
export function partitionKeyOf(value: unknown, where: () => string): PartitionKey {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  if (value === null || value === undefined) return null;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw check.typeError(`${where()} must be string, number, bigint, bytes or null`, value);
}
