/** Reversed polynomial of IEEE 802.3, the CRC-32 of zip, gzip and PNG. */
const POLYNOMIAL = 0xedb88320;
const TABLE: Int32Array = makeTable();

function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  return table;
}

/**
 * CRC-32 of parts, one behind the other (Sarwate 1988: a table look-up per byte).
 *
 * @returns Unsigned 32-bit integer.
 * @example crc32(new TextEncoder().encode("123456789")) === 0xcbf43926
 */
export function crc32(...parts: readonly Uint8Array[]): number {
  let state = -1;
  for (const bytes of parts) {
    for (let at = 0; at < bytes.length; at++) {
      state = (state >>> 8) ^ TABLE[(state ^ bytes[at]!) & 0xff]!;
    }
  }
  return ~state >>> 0;
}
