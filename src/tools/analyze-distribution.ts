import {
  type AnalysisOptions,
  check,
  MAX_PARTITIONS,
  partitionKeyOf,
  type SampleKey,
  type SampleMessage,
} from "./analysis-options.ts";
import { DistributionAnalysis } from "./distribution-analysis.ts";
import { type DistributionReport, reportOf } from "./distribution-report.ts";
import { KeyProfile } from "./key-profile.ts";
import { KeyReader } from "./key-reader.ts";

/** Counts that are known already. */
export interface CountedDistribution {
  /** Messages of each partition: 1…65,536 integers >= 0, not all 0. */
  readonly counts: readonly number[];
  /** How many different keys there are; or the keys, one for each message; or pairs (a Map) of keys and messages. */
  readonly keys?:
    | number
    | Iterable<SampleKey | readonly [SampleKey, number]>
    | Readonly<Record<string, number>>;
}

/** Messages that are counted. */
export interface SampledDistribution<M> extends AnalysisOptions<M> {
  /** In the order of their partition: objects with `key` and maybe `partition`, or keys alone. */
  readonly sample: Iterable<M>;
}

/**
 * How evenly messages lie in partitions or virtual partitions, why they do not, and what to do next.
 *
 * Keys are never all kept: hot keys come from a Space-Saving sketch, the number of keys from HyperLogLog. For messages
 * that come one by one there is {@link DistributionAnalysis}.
 *
 * @throws {TypeError | RangeError} For wrong input, naming it, the rule and the value; also when there is no message.
 * @throws Whatever the sample, the partitioner or the reducer throws.
 * @example
 * const { verdicts } = analyzeDistribution({ sample: ["a", "b", "a"], partitions: 2 });
 * console.log(verdicts[0].message);
 */
export function analyzeDistribution<M = SampleMessage | SampleKey>(
  input: CountedDistribution | SampledDistribution<M>,
): DistributionReport {
  const given = check.object("input", input);
  if ("counts" in given === "sample" in given) {
    const received = "counts" in given ? "both" : "none";
    throw check.typeError("one of counts and sample is given", received);
  }
  if ("counts" in given) return analyzeCounts(given as unknown as CountedDistribution);
  const { sample, ...options } = given as unknown as SampledDistribution<M>;
  // A text is an iterable of characters, and nobody means those.
  if (typeof sample === "string" || !isIterable(sample)) {
    throw check.typeError("sample must be an iterable of messages", sample);
  }
  const analysis = new DistributionAnalysis<M>(options);
  for (const message of sample) analysis.add(message);
  return analysis.report();
}

function analyzeCounts(given: CountedDistribution): DistributionReport {
  check.knownKeys("input", given, ["counts", "keys"]);
  const { counts } = given;
  if (!Array.isArray(counts)) throw check.typeError("counts must be an array", counts);
  if (counts.length === 0 || counts.length > MAX_PARTITIONS) {
    throw check.rangeError(`counts must be of 1 to ${MAX_PARTITIONS} partitions`, counts);
  }
  counts.forEach((count, at) => {
    if (count === undefined) throw check.typeError(`counts[${at}] must be a number`, count);
    check.integer(`counts[${at}]`, count, 0, 0, Number.MAX_SAFE_INTEGER);
  });
  if (counts.every((count) => count === 0)) throw check.rangeError("there must be messages", 0);
  return reportOf({
    counts: [...counts],
    keys: keysOf(given.keys, counts.length),
    others: [],
    options: null,
    speeds: null,
  });
}

function keysOf(
  given: CountedDistribution["keys"],
  partitions: number,
): KeyProfile | number | null {
  if (given === undefined) return null;
  if (typeof given === "number") {
    return check.integer("keys", given, 1, 1, Number.MAX_SAFE_INTEGER);
  }
  if (typeof given !== "object" || given === null) {
    throw check.typeError("keys must be a number, keys, or pairs of keys and messages", given);
  }
  const profile = new KeyProfile(partitions);
  const reader = new KeyReader();
  let at = 0;
  for (const one of isIterable(given) ? given : Object.entries(given)) {
    const pair = Array.isArray(one);
    const name = `keys[${at++}]`;
    const key = partitionKeyOf(pair ? one[0] : one, () => name);
    const count = pair
      ? check.integer(`messages of ${name}`, one[1], 1, 1, Number.MAX_SAFE_INTEGER)
      : 1;
    if (key === null) {
      profile.addWithoutKey(count);
      continue;
    }
    reader.read(key);
    profile.add(reader.bytes, reader.length, undefined, count);
  }
  return profile;
}

function isIterable(value: unknown): value is Iterable<never> {
  return typeof (value as Iterable<unknown> | null)?.[Symbol.iterator] === "function";
}
