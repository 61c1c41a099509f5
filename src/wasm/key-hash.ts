import type { PartitionKey } from "../types.ts";
import { murmur3, murmur3Text, NULL_KEY_HASH, PARTITION_KEY_SEED } from "./hash.ts";

/** headrace's own hash of a key, unsigned. Bytes and the text that they encode are one key. */
export function keyHash(key: PartitionKey): number {
  if (key === null) return NULL_KEY_HASH;
  return typeof key === "string"
    ? murmur3Text(key, PARTITION_KEY_SEED)
    : murmur3(key, PARTITION_KEY_SEED);
}
