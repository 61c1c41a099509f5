import { murmur3Range, PARTITION_KEY_SEED, xxh32Range } from "../wasm/hash.ts";
import { DistinctKeys } from "./distinct-keys.ts";
import { type HotKey, hotKeyOf } from "./hot-key.ts";
import { MovedKeys } from "./moved-keys.ts";
import { SpaceSaving } from "./space-saving.ts";

/** Counters of the sketch: at least this many … */
const MIN_COUNTERS = 1024;
/** … and so many a partition: a key that has more than 1 / N of the messages is found, its count ± a quarter. */
const COUNTERS_PER_PARTITION = 4;
/** Hot keys that are told. */
const TOLD_KEYS = 20;

/** What is known of the keys of a sample. */
export interface KeyFacts {
  /** Different keys, messages without a key left out. */
  readonly distinct: number;
  /** The number is exact, as are the counts of hot keys; else within about 2 %. */
  readonly exact: boolean;
  /** Messages without a key. */
  readonly withoutKey: number;
  /** Most that a count of a hot key can be too high, in messages. */
  readonly maxError: number;
  /** Share of the keys that lie in more than one partition; null when messages do not say where they lie. */
  readonly movedShare: number | null;
}

/** Learns about keys in memory that does not grow with their number. */
export class KeyProfile {
  readonly #sketch: SpaceSaving;
  readonly #counters: number;
  readonly #distinct = new DistinctKeys();
  readonly #moved = new MovedKeys();
  #keyed = 0;
  #withoutKey = 0;
  #recorded = false;

  constructor(partitions: number) {
    this.#counters = Math.max(MIN_COUNTERS, COUNTERS_PER_PARTITION * partitions);
    this.#sketch = new SpaceSaving(this.#counters);
  }

  addWithoutKey(messages = 1): void {
    this.#withoutKey += messages;
  }

  /**
   * A message whose key is `bytes[0, length)`.
   *
   * @param partition Where it lies; undefined when that is not known.
   * @returns headrace's own hash of the key, unsigned.
   */
  add(bytes: Uint8Array, length: number, partition: number | undefined, messages = 1): number {
    // Two hashes that have nothing to do with each other name a key.
    const hash = murmur3Range(bytes, 0, length, PARTITION_KEY_SEED);
    const other = xxh32Range(bytes, 0, length, 0);
    this.#keyed += messages;
    this.#sketch.add(hash, other, bytes, 0, length, messages);
    this.#distinct.add(hash, other);
    if (partition !== undefined) {
      this.#recorded = true;
      this.#moved.add((other >>> 11) * 2 ** 32 + hash, partition);
    }
    return hash;
  }

  facts(): KeyFacts {
    const { exact } = this.#sketch;
    return {
      distinct: exact ? this.#sketch.size : this.#distinct.estimate(),
      exact,
      withoutKey: this.#withoutKey,
      maxError: exact ? 0 : Math.floor(this.#keyed / this.#counters),
      movedShare: this.#recorded ? this.#moved.share() : null,
    };
  }

  /**
   * The most frequent keys, most frequent first. Left out are those of which most may be error: a key that came more
   * often than twice `maxError` is never left out.
   *
   * @param total Messages, for shares.
   */
  hotKeys(total: number): HotKey[] {
    const told = this.#sketch.top(TOLD_KEYS).filter(({ count, error }) => error < count / 2);
    return told.map((key) => hotKeyOf(key, total));
  }
}
