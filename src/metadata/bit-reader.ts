/** Reads what a BitWriter wrote. Never throws: a read past the end gives -1. */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #endBit: number;
  #bit = 0;

  /** Bytes without an end mark hold no bits at all. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const last = bytes[bytes.length - 1] ?? 0;
    // The mark is the lowest set bit of the last byte; padding of a whole byte was never written.
    this.#endBit = last === 0 ? -1 : bytes.length * 8 - 1 - (31 - Math.clz32(last & -last));
  }

  /** Whether the bytes end as a BitWriter ends them. */
  get isWhole(): boolean {
    return this.#endBit >= 0;
  }

  /** Bits not read yet. */
  get remaining(): number {
    return Math.max(0, this.#endBit - this.#bit);
  }

  /** The next `width` bits, 0 to 32, as an unsigned integer. */
  read(width: number): number {
    if (width > this.#endBit - this.#bit) return -1;
    if (width === 0) return 0;
    if (width <= 24) return this.#take(width);
    const high = this.#take(width - 16);
    return high * 0x10000 + this.#take(16);
  }

  /**
   * Counts the ones up to the next zero and reads past that zero.
   *
   * After `limit` ones (24 at most) it stops: no zero follows then.
   */
  readOnes(limit: number): number {
    const ones = Math.clz32(~this.#window());
    if (ones >= limit) {
      if (limit > this.#endBit - this.#bit) return -1;
      this.#bit += limit;
      return limit;
    }
    if (ones + 1 > this.#endBit - this.#bit) return -1;
    this.#bit += ones + 1;
    return ones;
  }

  #take(width: number): number {
    const value = this.#window() >>> (32 - width);
    this.#bit += width;
    return value;
  }

  /** The next bits, left-aligned in 32; at least 25 of them are real. */
  #window(): number {
    const bytes = this.#bytes;
    const at = this.#bit >>> 3;
    const word =
      ((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0);
    return word << (this.#bit & 7);
  }
}
