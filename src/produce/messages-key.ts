import type { Partitioning } from "../types.ts";
import { Validator } from "../validate.ts";
import { type KeyHash, KeyHasher } from "./key-hash.ts";
import { RoundRobin } from "./round-robin.ts";

export type { KeyHash } from "./key-hash.ts";

const check = new Validator("partition by key");

/**
 * Records of one key to one partition, for as long as the number of partitions stays: hash modulo that number. An
 * empty key is a key; records without a key take turns.
 *
 * Keys are text, or bytes; {@link u32}, {@link u64} and {@link u128} make the bytes of numbers.
 *
 * @throws {TypeError | RangeError} When the hash is not a {@link KeyHash}.
 */
export function messagesKey(hash: KeyHash = "murmur2"): Partitioning {
  const hasher = new KeyHasher(check, hash);
  const turns = new RoundRobin();
  return {
    calculatePartitionId: (topic, { key }, partitionCount) => {
      if (key === undefined || key === null) return turns.next(topic, partitionCount);
      return hasher.of(key) % partitionCount;
    },
  };
}
