import { createHash } from "node:crypto";

/** What of a record must not change. */
export interface DigestedRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
}

/** One short text for the content of records, in order. */
export function digestOf(records: readonly DigestedRecord[]): string {
  const hash = createHash("sha1");
  for (const { key, value, timestamp } of records) {
    hash.update(`${timestamp} ${key?.length} ${value?.length} `);
    if (key !== null) hash.update(key);
    if (value !== null) hash.update(value);
  }
  return hash.digest("hex").slice(0, 16);
}
