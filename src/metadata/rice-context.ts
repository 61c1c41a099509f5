import type { BitReader } from "./bit-reader.ts";
import type { BitWriter } from "./bit-writer.ts";

/** Ones of a quotient after which the value is written plainly, behind its bit length. */
const MAX_ONES = 24;
/** Bits of a bit length less one: values are below 2³². */
const LENGTH_BITS = 5;
/** The mean is kept as a multiple of 1/16, and each value moves it by 1/16 of the distance. */
const MEAN_SHIFT = 4;
/** Largest value that the mean learns: its fixed-point arithmetic stays within 31 bits. */
const MAX_LEARNED = 2 ** 19;
/** A value counts as at most this many times the mean, so that one giant does not spoil the next hundred. */
const MAX_GROWTH = 8;

/**
 * Codes integers from 0 to 2³² - 1 that resemble each other: Rice code with a parameter that follows their mean.
 *
 * A value is its upper bits in unary (ones, then a zero) and its `k` lower bits plainly (Rice 1979; Golomb 1966).
 * With mean m the next larger k is better above m = 2.08 · 2^k - 0.5, where a quotient of 0 or 1 is as likely as the
 * golden ratio (Gallager and van Voorhis 1975). Writer and reader learn the same from the same values: integers only.
 */
export class RiceContext {
  #mean: number;
  #k: number;

  /** @param mean What values are expected to be before the first is seen. */
  constructor(mean: number) {
    this.#mean = mean << MEAN_SHIFT;
    this.#k = parameterOf(this.#mean);
  }

  /** Bits that `write` would take. */
  cost(value: number): number {
    const ones = value >>> this.#k;
    if (ones < MAX_ONES) return ones + 1 + this.#k;
    return MAX_ONES + LENGTH_BITS + bitLength(value);
  }

  write(writer: BitWriter, value: number): void {
    const k = this.#k;
    const ones = value >>> k;
    if (ones < MAX_ONES) {
      writer.write((1 << (ones + 1)) - 2, ones + 1);
      writer.write(value & ((1 << k) - 1), k);
    } else {
      const length = bitLength(value);
      writer.write((1 << MAX_ONES) - 1, MAX_ONES);
      writer.write(length - 1, LENGTH_BITS);
      writer.write(value, length);
    }
    this.#learn(value);
  }

  /** The next value; -1 when the bits end inside it, or no writer would have written it so. */
  read(reader: BitReader): number {
    const ones = reader.readOnes(MAX_ONES);
    if (ones < 0) return -1;
    const value = ones < MAX_ONES ? this.#readRest(reader, ones) : this.#readPlain(reader);
    if (value >= 0) this.#learn(value);
    return value;
  }

  #readRest(reader: BitReader, ones: number): number {
    const low = reader.read(this.#k);
    return low < 0 ? -1 : ones * 2 ** this.#k + low;
  }

  #readPlain(reader: BitReader): number {
    const length = reader.read(LENGTH_BITS);
    if (length < 0) return -1;
    const value = reader.read(length + 1);
    return value >= 0 && value >>> this.#k >= MAX_ONES && bitLength(value) === length + 1
      ? value
      : -1;
  }

  #learn(value: number): void {
    const mean = this.#mean;
    const most = ((mean >> MEAN_SHIFT) + 1) * MAX_GROWTH;
    const learned = Math.min(value, most, MAX_LEARNED);
    this.#mean = mean + learned - (mean >> MEAN_SHIFT);
    this.#k = parameterOf(this.#mean);
  }
}

/** Bits of the integer part of 0.48 (mean + 0.5): 1 / 2.08 is 123 / 256. */
function parameterOf(mean: number): number {
  return 32 - Math.clz32(((mean + 8) * 123) >>> (8 + MEAN_SHIFT));
}

/** Bits from the highest 1 down, at least one. */
function bitLength(value: number): number {
  return 32 - Math.clz32(value | 1);
}
