import type { PartitionKey } from "../types.ts";
import { NULL_KEY_HASH } from "../wasm/hash.ts";
import {
  type AnalysisOptions,
  check,
  MAX_PARTITIONS,
  partitionKeyOf,
  type ResolvedAnalysis,
  resolveAnalysis,
  type SampleKey,
  type SampleMessage,
} from "./analysis-options.ts";
import { type DistributionReport, reportOf } from "./distribution-report.ts";
import { type FlowModel, flowModel } from "./flow-model.ts";
import { KeyProfile, KeyReader } from "./key-profile.ts";
import { Predictor } from "./prediction.ts";
import { SamplePlacement } from "./sample-placement.ts";

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

/**
 * Judges how messages lie in partitions, one message after the other.
 *
 * Memory does not grow with messages or keys: less than 1 MB up to 256 partitions, if keys are short. It grows with the
 * options: by about 1.3 kB per partition above that, and by about 100 bytes per message of `batchSize`.
 *
 * @throws {TypeError | RangeError} For a wrong option, naming it, the rule and the value.
 * @example
 * const analysis = new DistributionAnalysis({ partitions: 12, placement: "murmur2" });
 * for await (const message of messages) analysis.add(message);
 * console.log(analysis.report().verdicts[0].message);
 */
export class DistributionAnalysis<M = SampleMessage | SampleKey> {
  readonly #options: ResolvedAnalysis;
  readonly #reader = new KeyReader();
  readonly #keys: KeyProfile;
  readonly #placement: SamplePlacement;
  /** `balanced` and `per-key`: where messages come to depends on what is in flight. */
  readonly #flow: FlowModel | null;
  readonly #predictor: Predictor | null;
  #messages = 0;
  #report: DistributionReport | undefined;

  constructor(options: AnalysisOptions<M>) {
    const resolved = resolveAnalysis(options);
    const { partitions, placement, distribution, batchSize } = resolved;
    const virtual = placement === "virtual";
    this.#options = resolved;
    this.#keys = new KeyProfile(partitions);
    this.#placement = new SamplePlacement(resolved);
    this.#flow =
      virtual && distribution !== "consistent"
        ? flowModel(distribution, partitions, batchSize)
        : null;
    this.#predictor = virtual ? new Predictor(partitions, batchSize) : null;
  }

  /** Messages so far. */
  get messages(): number {
    return this.#messages;
  }

  /**
   * Looks at a message: an object with `key` and maybe `partition`, or the key alone. Messages come in the order of
   * their partition.
   *
   * @throws {TypeError | RangeError} For a key of a wrong kind, or a partition that does not exist.
   * @throws Whatever the partitioner or the reducer throws.
   */
  add(message: M): void {
    if (this.#report !== undefined) {
      throw check.typeError("messages come before the report", "one after it");
    }
    const { partitioner } = this.#options;
    const described = isDescribed(message) ? message : null;
    const where = (): string => `the key of message ${this.#messages}`;
    const given =
      partitioner !== null
        ? partitioner(message as never)
        : described === null
          ? message
          : described.key;
    this.#place(partitionKeyOf(given, where), described?.partition);
    this.#messages++;
  }

  /**
   * What there is to say. Ends the analysis.
   *
   * @throws {RangeError} When there was no message.
   */
  report(): DistributionReport {
    if (this.#messages === 0) throw check.rangeError("there must be messages", 0);
    this.#report ??= reportOf({
      counts: Array.from(this.#counts()),
      keys: this.#keys,
      others: this.#placement.others(),
      options: this.#options,
      speeds: this.#predictor?.finish(this.#options.handlerMs) ?? null,
    });
    return this.#report;
  }

  #counts(): Float64Array {
    this.#flow?.finish();
    return this.#flow?.counts ?? this.#placement.counts;
  }

  #place(key: PartitionKey, recorded: number | undefined): void {
    let hash = NULL_KEY_HASH;
    let place: number;
    if (key === null) {
      place = this.#placement.addWithoutKey(recorded);
      this.#keys.addWithoutKey();
    } else {
      const reader = this.#reader;
      reader.read(key);
      hash = this.#keys.add(reader.bytes, reader.length, recorded);
      place = this.#placement.add(key, reader.bytes, reader.length, hash, recorded);
    }
    this.#flow?.push(hash, place);
    this.#predictor?.push(hash, place);
  }
}

function isDescribed(message: unknown): message is SampleMessage {
  return typeof message === "object" && message !== null && !(message instanceof Uint8Array);
}
