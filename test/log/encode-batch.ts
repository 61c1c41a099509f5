import { Buffer } from "node:buffer";
import { BatchBuffer, type BatchPlace } from "../../src/log/batch-buffer.ts";
import type { SinkRecord } from "../../src/source/source.ts";

/**
 * Makes the bytes of one batch by itself (format.ts), checksum included. Appends go through a
 * `BatchBuffer`, which keeps its memory.
 *
 * @param records At least one.
 * @throws {LogError} When a key, header name, id, timestamp or the whole breaks its limit.
 */
export function encodeBatch(
  records: readonly SinkRecord[],
  place: BatchPlace,
): { readonly bytes: Buffer; readonly maxEventTimeUs: number } {
  const buffer = new BatchBuffer();
  const { end, maxEventTimeUs } = buffer.add(records, place);
  return { bytes: Buffer.from(buffer.bytes.subarray(0, end)), maxEventTimeUs };
}
