import { textByteLength, textBytes } from "../runtime/text-bytes.ts";
import type { SinkRecord } from "../source/source.ts";
import type { ProducerRecord } from "../types.ts";
import { Validator } from "../validate.ts";

const check = new Validator("produce");
const NO_HEADERS: SinkRecord["headers"] = [];
const MAX_TIMESTAMP = Number.MAX_SAFE_INTEGER;
const ID_BYTES = 16;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Counted per record beside key, value and headers, so that many empty records fill the buffer too. */
const OVERHEAD_BYTES_PER_RECORD = 64;

/**
 * A record that was checked. Texts become bytes when it is sent: until then many may wait, and few small objects cost
 * the collector of garbage less than many.
 */
export interface CheckedRecord {
  readonly given: ProducerRecord;
  readonly key: string | Uint8Array | null;
  readonly value: string | Uint8Array | null;
  readonly headers: SinkRecord["headers"];
  readonly timestamp: number;
  readonly id: Uint8Array | null;
  /** Key, value and headers + 64. */
  readonly byteLength: number;
}

/**
 * Checks a record. Bytes that were given are not copied: they must not change before the record is acknowledged.
 *
 * @param wallTimeMs Timestamp of a record without one.
 * @throws {TypeError | RangeError} Naming the property that is wrong.
 */
export function checkRecord(given: ProducerRecord, wallTimeMs: number): CheckedRecord {
  check.object("a record", given);
  const { key = null, value, headers, timestamp, id } = given;
  check.text("topic", given.topic);
  if (given.partition !== undefined) check.integer("partition", given.partition, 0, 0, 0x7fffffff);
  if (given.partitioning !== undefined) {
    const { calculatePartitionId } = check.object("partitioning", given.partitioning);
    check.callable("partitioning.calculatePartitionId", calculatePartitionId);
  }
  const pairs = headers === undefined ? NO_HEADERS : toHeaders(headers);
  return {
    given,
    key,
    value,
    headers: pairs,
    timestamp: check.integer("timestamp", timestamp, Math.floor(wallTimeMs), 0, MAX_TIMESTAMP),
    id: id === undefined ? null : toId(id),
    byteLength:
      OVERHEAD_BYTES_PER_RECORD + sizeOf("key", key) + sizeOf("value", value) + headerBytes(pairs),
  };
}

/** The record as a sink writes it. */
export function toSinkRecord(record: CheckedRecord): SinkRecord {
  const { key, value, headers, timestamp, id } = record;
  return { key: bytesOf(key), value: bytesOf(value), headers, timestamp, id };
}

function bytesOf(value: string | Uint8Array | null): Uint8Array | null {
  return typeof value === "string" ? textBytes(value) : value;
}

function sizeOf(name: string, value: unknown): number {
  if (typeof value === "string") return textByteLength(value);
  if (value instanceof Uint8Array) return value.length;
  if (value === null) return 0;
  throw check.typeError(`${name} must be a string, bytes or null`, value);
}

function headerBytes(headers: SinkRecord["headers"]): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length;
  return bytes;
}

function toHeaders(headers: NonNullable<ProducerRecord["headers"]>): SinkRecord["headers"] {
  const pairs: [string, Uint8Array][] = [];
  for (const [name, value] of Object.entries(check.object("headers", headers))) {
    for (const one of Array.isArray(value) ? value : [value]) {
      pairs.push([name, toHeaderBytes(name, one)]);
    }
  }
  return pairs;
}

function toId(id: unknown): Uint8Array {
  if (id instanceof Uint8Array) {
    if (id.length === ID_BYTES) return id;
    throw check.rangeError(`id must have ${ID_BYTES} bytes`, id.length);
  }
  if (typeof id !== "string") throw check.typeError("id must be bytes or a UUID", id);
  if (!UUID.test(id)) throw check.rangeError("id must be a UUID when it is text", id);
  const hex = id.replaceAll("-", "");
  return Uint8Array.from({ length: ID_BYTES }, (_, i) =>
    Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  );
}

function toHeaderBytes(name: string, value: unknown): Uint8Array {
  if (typeof value === "string") return textBytes(value);
  if (value instanceof Uint8Array) return value;
  throw check.typeError(`headers[${JSON.stringify(name)}] must be a string or bytes`, value);
}
