/** Numbers as keys: little-endian bytes, as Iggy's clients write them. */
import { Validator } from "../validate.ts";

const check = new Validator("make a key");
const BITS_PER_WORD = 32n;
const WORD = 0xffff_ffffn;

/**
 * Four bytes, little-endian.
 *
 * @throws {TypeError | RangeError} When it is no integer from 0 to 2³² − 1.
 */
export function u32(value: number): Uint8Array {
  return wordsOf("a u32", value, 1);
}

/**
 * Eight bytes, little-endian. A `number` must be a safe integer; larger ones are bigints.
 *
 * @throws {TypeError | RangeError} When it is no integer from 0 to 2⁶⁴ − 1.
 */
export function u64(value: number | bigint): Uint8Array {
  return wordsOf("a u64", value, 2);
}

/**
 * Sixteen bytes, little-endian. A `number` must be a safe integer; larger ones are bigints.
 *
 * @throws {TypeError | RangeError} When it is no integer from 0 to 2¹²⁸ − 1.
 */
export function u128(value: number | bigint): Uint8Array {
  return wordsOf("a u128", value, 4);
}

function wordsOf(name: string, value: unknown, words: number): Uint8Array {
  const bits = BigInt(words) * BITS_PER_WORD;
  if (typeof value !== "number" && typeof value !== "bigint") {
    throw check.typeError(`${name} must be a number or a bigint`, value);
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw check.rangeError(`${name} must be a safe integer when it is a number`, value);
  }
  let rest = BigInt(value);
  if (rest < 0n || rest >= 1n << bits) {
    throw check.rangeError(`${name} must be from 0 to 2^${bits} - 1`, value);
  }
  const bytes = new Uint8Array(words * 4);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4) {
    view.setUint32(at, Number(rest & WORD), true);
    rest >>= BITS_PER_WORD;
  }
  return bytes;
}
