import type { Partitioning } from "../types.ts";
import { Validator } from "../validate.ts";
import { murmur2, murmur3, xxh32 } from "../wasm/hash.ts";
import { RoundRobin } from "./round-robin.ts";

const check = new Validator("partition by key");
const encoder = new TextEncoder();

/** `murmur2`: as Kafka's own producers; `murmur3`: x86-32, seed 0; `xxh32`: seed 0, as Iggy's. */
export type KeyHash = "murmur2" | "murmur3" | "xxh32";

/** Hashes as unsigned numbers. Kafka drops the sign bit; a remainder of the others takes all 32. */
const HASHES: Readonly<Record<KeyHash, (key: Uint8Array) => number>> = {
  murmur2: (key) => murmur2(key) & 0x7fffffff,
  murmur3: (key) => murmur3(key, 0) >>> 0,
  xxh32: (key) => xxh32(key, 0) >>> 0,
};

/**
 * Records of one key to one partition, for as long as the number of partitions stays: hash modulo that number. An
 * empty key is a key; records without a key take turns.
 *
 * @throws {TypeError | RangeError} When the hash is not a {@link KeyHash}.
 */
export function messagesKey(hash: KeyHash = "murmur2"): Partitioning {
  const hashOf = HASHES[check.oneOf("hash", hash, "murmur2", ["murmur2", "murmur3", "xxh32"])];
  const turns = new RoundRobin();
  return {
    calculatePartitionId: (topic, { key }, partitionCount) => {
      if (key === undefined || key === null) return turns.next(topic, partitionCount);
      return hashOf(typeof key === "string" ? encoder.encode(key) : key) % partitionCount;
    },
  };
}
