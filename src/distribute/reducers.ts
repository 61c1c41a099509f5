import type { Reducer } from "../types.ts";
import { keyHash } from "../wasm/key-hash.ts";

const encoder: TextEncoder = new TextEncoder();

/** The default: floor(hash × maxPartitions / 2³²) of headrace's own murmur3, as the kernel computes it. */
export const multiplyShift: Reducer = (key, maxPartitions) =>
  Math.floor((keyHash(key) * maxPartitions) / 2 ** 32);

/** Byte sum of the key's text modulo the count. */
export const byteSum: Reducer = (key, maxPartitions) => {
  if (key === null) return 0;
  let sum = 0;
  for (const byte of typeof key === "string" ? encoder.encode(key) : key) sum += byte;
  return sum % maxPartitions;
};

/** Remainder of a hash of the key's bytes (empty for none). Beware of Kafka's own hash: see the design notes. */
export function modulo(hash: (bytes: Uint8Array) => number): Reducer {
  return (key, maxPartitions) => {
    const bytes = typeof key === "string" ? encoder.encode(key) : (key ?? new Uint8Array(0));
    return (hash(bytes) >>> 0) % maxPartitions;
  };
}
