import { textBytes } from "../runtime/text-bytes.ts";
import type { Validator } from "../validate.ts";
import { murmur2Range, murmur3Range, xxh32Range } from "../wasm/hash.ts";

/** `murmur2`: as Kafka's own producers; `murmur3`: x86-32, seed 0; `xxh32`: seed 0, as Iggy's. */
export type KeyHash = "murmur2" | "murmur3" | "xxh32";

/** An unsigned hash of `bytes[start, end)`. */
type RangeHash = (bytes: Uint8Array, start: number, end: number) => number;

/** Kafka drops the sign bit; a remainder of the others takes all 32. */
const HASHES: Readonly<Record<KeyHash, RangeHash>> = {
  murmur2: (bytes, start, end) => murmur2Range(bytes, start, end) & 0x7fffffff,
  murmur3: (bytes, start, end) => murmur3Range(bytes, start, end, 0) >>> 0,
  xxh32: (bytes, start, end) => xxh32Range(bytes, start, end, 0) >>> 0,
};

const NAMES: readonly KeyHash[] = ["murmur2", "murmur3", "xxh32"];

/** Where short texts become bytes; longer ones are encoded on their own. */
const scratch: Uint8Array = new Uint8Array(256);

/** Hashes keys that are text, UTF-8, or bytes; nothing is allocated for short ASCII. */
export class KeyHasher {
  readonly #hash: RangeHash;

  /** @throws {TypeError | RangeError} When the hash is not a {@link KeyHash}. */
  constructor(check: Validator, hash: unknown) {
    this.#hash = HASHES[check.oneOf("hash", hash, "murmur2", NAMES)];
  }

  ofBytes(key: Uint8Array): number {
    return this.#hash(key, 0, key.length);
  }

  of(key: string | Uint8Array): number {
    if (typeof key !== "string") return this.ofBytes(key);
    const length = key.length;
    if (length > scratch.length) return this.ofBytes(textBytes(key));
    let all = 0;
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      scratch[i] = unit;
      all |= unit;
    }
    // Past ASCII one unit is not one byte.
    return all > 0x7f ? this.ofBytes(textBytes(key)) : this.#hash(scratch, 0, length);
  }
}
