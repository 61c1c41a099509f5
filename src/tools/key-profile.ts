import type { PartitionKey } from "../types.ts";
import { murmur3Range, PARTITION_KEY_SEED, xxh32Range } from "../wasm/hash.ts";
import { DistinctKeys } from "./distinct-keys.ts";
import { MovedKeys } from "./moved-keys.ts";
import { SpaceSaving, type WatchedKey } from "./space-saving.ts";

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

/** A key that many messages have. */
export interface HotKey {
  /** As text; null when its bytes are none. The first 256 bytes of a longer one. */
  readonly key: string | null;
  /** The bytes, where they are no text. */
  readonly keyBase64?: string;
  /** Length of the key in bytes, where only its beginning is told. */
  readonly keyBytes?: number;
  /** Messages; at most `error` too many. */
  readonly count: number;
  readonly error: number;
  /** count / messages, in [0, 1]. */
  readonly share: number;
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

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/** @param total Messages of the sample. */
function hotKeyOf(watched: WatchedKey, total: number): HotKey {
  const { bytes, byteLength, count, error } = watched;
  const numbers = { count, error, share: Math.min(1, count / total) };
  const cut = byteLength > bytes.length ? { keyBytes: byteLength } : {};
  const text = textOf(bytes, byteLength > bytes.length);
  if (text !== null) return { key: text, ...cut, ...numbers };
  return { key: null, keyBase64: base64(bytes), ...cut, ...numbers };
}

/** @param cut The last character may be there in part. */
function textOf(bytes: Uint8Array, cut: boolean): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    if (!cut) return null;
  }
  const text = lenient.decode(bytes);
  const whole = text.replace(/\ufffd$/, "");
  return whole.includes("\ufffd") ? null : whole;
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

const SCRATCH_BYTES = 4096;
const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** The bytes of one key after the other, texts in UTF-8, without an allocation for short ones. */
export class KeyReader {
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  /** The key is `bytes[0, length)`, until the next one is read. */
  bytes: Uint8Array = NOTHING;
  length = 0;

  read(key: Exclude<PartitionKey, null>): void {
    if (typeof key !== "string") {
      this.bytes = key;
      this.length = key.length;
    } else if (key.length * 3 <= SCRATCH_BYTES) {
      this.bytes = this.#scratch;
      this.length = encoder.encodeInto(key, this.#scratch).written;
    } else {
      this.bytes = encoder.encode(key);
      this.length = this.bytes.length;
    }
  }
}
