import { Buffer } from "node:buffer";
import { BATCH_HEADER_BYTES, readBatchHeader } from "./format.ts";
import { RawRecords } from "./raw-records.ts";
import type { StoredBatch } from "./read-batches.ts";

/** One record of a stored batch. Bytes are views of the batch. */
export interface StoredRecord {
  readonly offset: number;
  /** Event time, milliseconds since the epoch. */
  readonly timestamp: number;
  /** When the log took the batch, milliseconds since the epoch. */
  readonly appendTime: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[];
  /** 16 bytes, or null. */
  readonly id: Uint8Array | null;
}

/**
 * The records of a batch that `Log.read()` gave, one after the other.
 *
 * @param fromOffset Records below it are left out. Default: the batch's first.
 * @throws {CorruptLogError} When the frames do not fill the batch exactly.
 * @example
 * for (const batch of await log.read("orders", 0, 0)) {
 *   for (const { offset, value } of storedRecords(batch)) console.log(offset, value);
 * }
 */
export function* storedRecords(
  batch: StoredBatch,
  fromOffset: number = batch.baseOffset,
): Generator<StoredRecord, void, undefined> {
  const first = Math.max(fromOffset, batch.baseOffset);
  if (first >= batch.baseOffset + batch.count) return;
  const header = readBatchHeader(batch.bytes.subarray(0, BATCH_HEADER_BYTES), 0);
  const appendTimeUs = typeof header === "string" ? Number.NaN : header.appendTimeUs;
  const records = new RawRecords(batch, first);
  for (let index = 0; index < records.count; index++) {
    const id = records.idAt(index);
    yield {
      offset: first + index,
      timestamp: records.timestampAt(index),
      appendTime: Math.floor(appendTimeUs / 1000),
      key: records.keyAt(index),
      value: records.valueAt(index),
      headers: records.headersAt(index).entries(),
      id: id.every((byte) => byte === 0) ? null : Buffer.from(id),
    };
  }
}
