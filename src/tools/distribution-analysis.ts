import type { PartitionKey } from "../types.ts";
import { NULL_KEY_HASH } from "../wasm/hash.ts";
import {
  type AnalysisOptions,
  check,
  partitionKeyOf,
  type ResolvedAnalysis,
  resolveAnalysis,
  type SampleKey,
  type SampleMessage,
} from "./analysis-options.ts";
import { type DistributionReport, reportOf } from "./distribution-report.ts";
import { type FlowModel, flowModel } from "./flow-model.ts";
import { KeyProfile } from "./key-profile.ts";
import { KeyReader } from "./key-reader.ts";
import { Predictor } from "./prediction.ts";
import { SamplePlacement } from "./sample-placement.ts";

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
