import type { PartitionKey } from "../types.ts";
import { murmur2Range, murmur3Range, NULL_KEY_HASH, xxh32Range } from "../wasm/hash.ts";
import { check, type PlacementHash, type ResolvedAnalysis } from "./analysis-options.ts";
import { distributionStatistics } from "./distribution-statistics.ts";

/** How the same messages would lie if another hash placed them. */
export interface OtherHash {
  /** "multiply-shift" is headrace's own, of virtual partitions. */
  readonly hash: PlacementHash | "multiply-shift";
  readonly imbalance: number;
}

type Hash = (bytes: Uint8Array, length: number, own: number, partitions: number) => number;

/** Hash and remainder of the producers; multiply-shift of headrace's own hash. */
const HASHES: Readonly<Record<OtherHash["hash"], Hash>> = {
  "multiply-shift": (_bytes, _length, own, partitions) => multiplyShift(own, partitions),
  murmur2: (bytes, length, _own, n) => (murmur2Range(bytes, 0, length) & 0x7fffffff) % n,
  murmur3: (bytes, length, _own, n) => murmur3Range(bytes, 0, length, 0) % n,
  xxh32: (bytes, length, _own, n) => xxh32Range(bytes, 0, length, 0) % n,
};

/** Counts where messages lie, and where other hashes would put them. */
export class SamplePlacement {
  readonly counts: Float64Array;
  readonly #options: ResolvedAnalysis;
  readonly #hash: Hash | null;
  readonly #others: { hash: OtherHash["hash"]; place: Hash; counts: Float64Array }[];
  #turn = 0;

  constructor(options: ResolvedAnalysis) {
    const { placement, partitions, reducer, distribution } = options;
    this.#options = options;
    this.counts = new Float64Array(partitions);
    const own = placement === "virtual" ? (reducer === null ? "multiply-shift" : null) : placement;
    this.#hash = own === null || own === "recorded" ? null : HASHES[own];
    // Nothing is hashed to a place with the other distributions.
    const hashed = placement !== "virtual" || distribution === "consistent";
    const names = (Object.keys(HASHES) as OtherHash["hash"][]).filter(
      (name) => hashed && name !== own && (placement === "virtual" || name !== "multiply-shift"),
    );
    this.#others = names.map((hash) => {
      return { hash, place: HASHES[hash], counts: new Float64Array(partitions) };
    });
  }

  /**
   * Counts a message whose key is `bytes[0, length)`.
   *
   * @param own headrace's own hash of the key.
   * @returns Its partition.
   * @throws {RangeError} When a message or a reducer names none that exists.
   */
  add(
    key: PartitionKey,
    bytes: Uint8Array,
    length: number,
    own: number,
    recorded: number | undefined,
  ): number {
    const { partitions } = this.#options;
    const place =
      this.#hash === null ? this.#told(key, recorded) : this.#hash(bytes, length, own, partitions);
    this.#count(this.counts, place);
    for (const { place: of, counts } of this.#others) {
      this.#count(counts, of(bytes, length, own, partitions));
    }
    return place;
  }

  /** Counts a message without a key: producers spread them, virtual partitions keep them together. */
  addWithoutKey(recorded: number | undefined): number {
    const { partitions, placement, reducer } = this.#options;
    this.#turn = (this.#turn + 1) % partitions;
    const together = multiplyShift(NULL_KEY_HASH, partitions);
    const place =
      placement === "recorded" || (placement === "virtual" && reducer !== null)
        ? this.#told(null, recorded)
        : placement === "virtual"
          ? together
          : this.#turn;
    this.#count(this.counts, place);
    for (const { counts } of this.#others) {
      this.#count(counts, placement === "virtual" ? together : this.#turn);
    }
    return place;
  }

  others(): OtherHash[] {
    return this.#others.map(({ hash, counts }) => {
      return { hash, imbalance: distributionStatistics(Array.from(counts)).imbalance };
    });
  }

  #told(key: PartitionKey, recorded: number | undefined): number {
    const { reducer, partitions } = this.#options;
    const place: unknown = reducer === null ? recorded : reducer(key, partitions);
    if (Number.isInteger(place) && (place as number) >= 0 && (place as number) < partitions) {
      return place as number;
    }
    const who = reducer === null ? "a message must lie in a partition" : "a reducer must return";
    throw check.rangeError(`${who} from 0 to ${partitions - 1}`, place);
  }

  #count(counts: Float64Array, place: number): void {
    counts[place] = counts[place]! + 1;
  }
}

function multiplyShift(hash: number, partitions: number): number {
  return Math.floor((hash * partitions) / 2 ** 32);
}
