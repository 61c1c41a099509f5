import { textBytes } from "../runtime/text-bytes.ts";
import type { SinkRecord } from "../source/source.ts";
import type { ProducerRecord } from "../types.ts";
import { Validator } from "../validate.ts";

const check = new Validator("produce");
const NO_HEADERS: SinkRecord["headers"] = [];
const ID_BYTES = 16;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Counted per record beside key, value and headers, so that many empty records fill the buffer too. */
const OVERHEAD_BYTES_PER_RECORD = 64;

/** A record that was checked, with its bytes. */
export interface EncodedRecord {
  readonly given: ProducerRecord;
  readonly sink: SinkRecord;
  /** Key, value and headers + 64. */
  readonly byteLength: number;
}

/**
 * Checks a record and makes its bytes. Bytes that were given are not copied: they must not change before the record is
 * acknowledged.
 *
 * @param wallTimeMs Timestamp of a record without one.
 * @throws {TypeError | RangeError} Naming the property that is wrong.
 */
export function encodeRecord(given: ProducerRecord, wallTimeMs: number): EncodedRecord {
  check.object("a record", given);
  check.text("topic", given.topic);
  const max = Number.MAX_SAFE_INTEGER;
  if (given.partition !== undefined) check.integer("partition", given.partition, 0, 0, 0x7fffffff);
  if (given.partitioning !== undefined) {
    const { calculatePartitionId } = check.object("partitioning", given.partitioning);
    check.callable("partitioning.calculatePartitionId", calculatePartitionId);
  }
  const sink: SinkRecord = {
    key: toBytes("key", given.key ?? null),
    value: toBytes("value", given.value),
    headers: given.headers === undefined ? NO_HEADERS : toHeaders(given.headers),
    timestamp: check.integer("timestamp", given.timestamp, Math.floor(wallTimeMs), 0, max),
    id: given.id === undefined ? null : toId(given.id),
  };
  return { given, sink, byteLength: sizeOf(sink) };
}

function sizeOf({ key, value, headers }: SinkRecord): number {
  let bytes = OVERHEAD_BYTES_PER_RECORD + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, header] of headers) bytes += name.length + header.length;
  return bytes;
}

function toHeaders(headers: NonNullable<ProducerRecord["headers"]>): SinkRecord["headers"] {
  const pairs: [string, Uint8Array][] = [];
  for (const [name, value] of Object.entries(check.object("headers", headers))) {
    for (const one of Array.isArray(value) ? value : [value]) {
      pairs.push([name, toBytes(`headers[${JSON.stringify(name)}]`, one, "a string or bytes")]);
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

function toBytes(name: string, value: unknown): Uint8Array | null;
function toBytes(name: string, value: unknown, kind: "a string or bytes"): Uint8Array;
function toBytes(name: string, value: unknown, kind = "a string, bytes or null"): unknown {
  if (typeof value === "string") return textBytes(value);
  if (value instanceof Uint8Array) return value;
  if (value === null && kind.endsWith("null")) return null;
  throw check.typeError(`${name} must be ${kind}`, value);
}
