/**
 * Writes bits into bytes, most significant first.
 *
 * The end is a single 1 and then zeros up to the byte, so that a reader knows how many bits there are without a count.
 */
export class BitWriter {
  readonly #bytes: Uint8Array;
  #length = 0;
  /** Bits that do not fill a byte yet, right-aligned; the `#pendingCount` lowest ones count. */
  #pending = 0;
  #pendingCount = 0;

  /** @param maxBytes Room for everything that will be written, and one bit for the end. */
  constructor(maxBytes: number) {
    this.#bytes = new Uint8Array(maxBytes);
  }

  /** Bits written so far, without the end. */
  get bitCount(): number {
    return this.#length * 8 + this.#pendingCount;
  }

  /**
   * Writes the `width` lowest bits of `value`.
   *
   * @param value From 0 to 2^width - 1.
   * @param width From 0 to 32.
   */
  write(value: number, width: number): void {
    if (width > 24) {
      this.#push(value >>> 16, width - 16);
      this.#push(value & 0xffff, 16);
    } else {
      this.#push(value, width);
    }
  }

  /** Ends what was written. The writer takes nothing more. */
  finish(): Uint8Array {
    this.#push(1, 1);
    this.#push(0, -this.#pendingCount & 7);
    return this.#bytes.subarray(0, this.#length);
  }

  /** At most 24 bits: with the 7 that may wait they stay a positive 32-bit integer. */
  #push(value: number, width: number): void {
    let pending = (this.#pending << width) | value;
    let count = this.#pendingCount + width;
    while (count >= 8) {
      count -= 8;
      this.#bytes[this.#length++] = pending >>> count;
      pending &= (1 << count) - 1;
    }
    this.#pending = pending;
    this.#pendingCount = count;
  }
}
