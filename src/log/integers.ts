/** 64-bit integers of the log's files as numbers: no BigInt on the hot path. */

const TWO_32 = 0x1_0000_0000;

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** Unsigned; not a safe integer when the file holds nonsense, which callers check. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * TWO_32;
}

/** Signed, two's complement. */
export function readI64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + (readU32(bytes, at + 4) | 0) * TWO_32;
}

/** Signed or unsigned safe integer. */
export function write64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  writeU32(bytes, at, value - high * TWO_32);
  writeU32(bytes, at + 4, high);
}
