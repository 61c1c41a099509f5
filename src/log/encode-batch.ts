import { Buffer } from "node:buffer";
import { LogError } from "../errors.ts";
import type { SinkRecord } from "../source/source.ts";
import { crc32c } from "./crc32c.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_VERSION,
  CHECKSUM_FROM,
  FLAG_NULL_VALUE,
  FRAME_HEADER_BYTES,
  MAX_BATCH_BYTES,
  MAX_KEY_BYTES,
  NO_KEY,
} from "./format.ts";
import { write64, writeU16, writeU32 } from "./integers.ts";

const ID_BYTES = 16;
const MAX_HEADER_NAME_BYTES = 0xffff;

/** What the partition knows about a batch to be written. */
export interface BatchPlace {
  readonly baseOffset: number;
  readonly writerEpoch: number;
  readonly topicEpoch: number;
  readonly appendTimeUs: number;
}

/** An encoded batch. */
export interface EncodedBatch {
  readonly bytes: Buffer;
  readonly maxEventTimeUs: number;
}

function headersBytes(headers: SinkRecord["headers"]): number {
  let total = 0;
  for (const [name, value] of headers) {
    const nameBytes = Buffer.byteLength(name);
    if (nameBytes > MAX_HEADER_NAME_BYTES) {
      throw limit(`a header name must not exceed ${MAX_HEADER_NAME_BYTES} bytes`, nameBytes);
    }
    total += 6 + nameBytes + value.length;
  }
  return total;
}

function limit(rule: string, received: unknown): LogError {
  return new LogError(`Cannot append as ${rule}: received ${received}`);
}

/** Lengths are checked here, before a byte is written. */
function frameBytes(record: SinkRecord, headers: number): number {
  const keyBytes = record.key?.length ?? 0;
  if (keyBytes > MAX_KEY_BYTES) {
    throw limit(`a key must not exceed ${MAX_KEY_BYTES} bytes`, keyBytes);
  }
  if (record.id !== null && record.id.length !== ID_BYTES) {
    throw limit("an id must have 16 bytes", record.id.length);
  }
  if (!Number.isInteger(record.timestamp) || !Number.isSafeInteger(record.timestamp * 1000)) {
    throw limit("a timestamp must be integer milliseconds", record.timestamp);
  }
  return FRAME_HEADER_BYTES + keyBytes + headers + (record.value?.length ?? 0);
}

function writeHeaders(out: Buffer, start: number, headers: SinkRecord["headers"]): number {
  let at = start;
  for (const [name, value] of headers) {
    const nameBytes = out.write(name, at + 2);
    writeU16(out, at, nameBytes);
    at += 2 + nameBytes;
    writeU32(out, at, value.length);
    out.set(value, at + 4);
    at += 4 + value.length;
  }
  return at;
}

function writeFrame(
  out: Buffer,
  at: number,
  delta: number,
  record: SinkRecord,
  sizes: { frame: number; headers: number },
): void {
  const { key, value, id } = record;
  writeU32(out, at, sizes.frame);
  writeU32(out, at + 4, delta);
  write64(out, at + 8, record.timestamp * 1000);
  if (id === null) out.fill(0, at + 16, at + 32);
  else out.set(id, at + 16);
  writeU16(out, at + 32, key === null ? NO_KEY : key.length);
  writeU16(out, at + 34, value === null ? FLAG_NULL_VALUE : 0);
  writeU32(out, at + 36, sizes.headers);
  let body = at + FRAME_HEADER_BYTES;
  if (key !== null) {
    out.set(key, body);
    body += key.length;
  }
  body = writeHeaders(out, body, record.headers);
  if (value !== null) out.set(value, body);
}

function writeBatchHeader(out: Buffer, place: BatchPlace, count: number, maxEventUs: number): void {
  writeU32(out, 0, BATCH_MAGIC);
  out[4] = BATCH_VERSION;
  out[5] = 0;
  writeU16(out, 6, BATCH_HEADER_BYTES);
  writeU32(out, 12, out.length);
  write64(out, 16, place.baseOffset);
  writeU32(out, 24, count);
  writeU32(out, 28, place.writerEpoch);
  write64(out, 32, place.appendTimeUs);
  write64(out, 40, maxEventUs);
  writeU32(out, 48, place.topicEpoch);
  out.fill(0, 52, BATCH_HEADER_BYTES);
  writeU32(out, 8, crc32c(out, CHECKSUM_FROM));
}

/**
 * Makes the bytes of one batch (format.ts), checksum included.
 *
 * @param records At least one.
 * @throws {LogError} When a key, header name, id, timestamp or the whole breaks its limit; nothing
 * was written then.
 */
export function encodeBatch(records: readonly SinkRecord[], place: BatchPlace): EncodedBatch {
  if (records.length === 0) throw limit("a batch must have at least one record", 0);
  const sizes = records.map((record) => {
    const headers = headersBytes(record.headers);
    return { frame: frameBytes(record, headers), headers };
  });
  const total = sizes.reduce((sum, size) => sum + size.frame, BATCH_HEADER_BYTES);
  if (total > MAX_BATCH_BYTES) {
    throw limit(`a batch must not exceed ${MAX_BATCH_BYTES} bytes`, total);
  }
  const bytes = Buffer.allocUnsafe(total);
  let at = BATCH_HEADER_BYTES;
  let maxEventTimeUs = Number.NEGATIVE_INFINITY;
  for (let delta = 0; delta < records.length; delta++) {
    const record = records[delta]!;
    writeFrame(bytes, at, delta, record, sizes[delta]!);
    at += sizes[delta]!.frame;
    maxEventTimeUs = Math.max(maxEventTimeUs, record.timestamp * 1000);
  }
  writeBatchHeader(bytes, place, records.length, maxEventTimeUs);
  return { bytes, maxEventTimeUs };
}
