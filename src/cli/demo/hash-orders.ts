import { createHash } from "node:crypto";

/** SHA-256 one after the other, so that an order takes some tenths of a millisecond. */
const HASHES = 150;

/**
 * What the handlers that compute do with an order: it needs the processor all the time.
 *
 * @returns A part of the last digest, 1 or above.
 */
export function hashOrder(value: Uint8Array): number {
  let digest = createHash("sha256").update(value).digest();
  for (let i = 1; i < HASHES; i++) digest = createHash("sha256").update(digest).digest();
  return (digest.readUInt32LE() >>> 1) + 1;
}
