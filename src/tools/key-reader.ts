import type { PartitionKey } from "../types.ts";

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
