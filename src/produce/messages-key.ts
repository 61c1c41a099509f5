import type { Partitioning, ProducerRecord } from "../types.ts";
import { Validator } from "../validate.ts";
import { type KeyHash, KeyHasher } from "./key-hash.ts";
import { RoundRobin } from "./round-robin.ts";

export type { KeyHash } from "./key-hash.ts";

const check = new Validator("partition by key");

/** What {@link messagesKey} gives: it looks at nothing but the key, so the bytes that a producer has anyway serve. */
export class KeyPartitioning implements Partitioning {
  readonly #hasher: KeyHasher;
  readonly #turns = new RoundRobin();

  constructor(hash: unknown) {
    this.#hasher = new KeyHasher(check, hash);
  }

  /** True for an object that this class has made itself, whatever wraps it. */
  static is(value: Partitioning): value is KeyPartitioning {
    return #hasher in value;
  }

  readonly calculatePartitionId = (
    topic: string,
    { key }: ProducerRecord,
    partitionCount: number,
  ): number => {
    if (key === undefined || key === null) return this.#turns.next(topic, partitionCount);
    return this.#hasher.of(key) % partitionCount;
  };

  /** The same from the bytes of the key. */
  partitionOfKey(topic: string, key: Uint8Array | null, partitionCount: number): number {
    if (key === null) return this.#turns.next(topic, partitionCount);
    return this.#hasher.ofBytes(key) % partitionCount;
  }
}

/**
 * Records of one key to one partition, for as long as the number of partitions stays: hash modulo that number. An
 * empty key is a key; records without a key take turns.
 *
 * Keys are text, or bytes; {@link u32}, {@link u64} and {@link u128} make the bytes of numbers.
 *
 * @throws {TypeError | RangeError} When the hash is not a {@link KeyHash}.
 */
export function messagesKey(hash: KeyHash = "murmur2"): Partitioning {
  return new KeyPartitioning(hash);
}
