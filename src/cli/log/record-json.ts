import { Buffer } from "node:buffer";
import type { StoredRecord } from "../../adapters/log.ts";
import { CommandError } from "../command-error.ts";

/** Text, or bytes that are no UTF-8 text. */
type JsonBytes = string | { readonly base64: string };

/** One record as `headrace log read --json` prints it. Bytes that are no text are in `…Base64`. */
export interface RecordJson {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Event time, milliseconds since the epoch. */
  readonly timestamp: number;
  /** When the log took it, milliseconds since the epoch. */
  readonly appendTime: number;
  readonly key?: string | null;
  readonly keyBase64?: string;
  readonly value?: string | null;
  readonly valueBase64?: string;
  /** A name that comes several times has a list. */
  readonly headers: Readonly<Record<string, JsonBytes | readonly JsonBytes[]>>;
  /** UUID. */
  readonly id?: string;
}

/** A record to be appended. */
export interface RecordInput {
  readonly key: string | Uint8Array | null;
  readonly value: string | Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | Uint8Array | (string | Uint8Array)[]>>;
  readonly partition?: number;
  readonly timestamp?: number;
  readonly id?: string;
}

const FIELDS: readonly string[] = [
  ...["key", "keyBase64", "value", "valueBase64", "headers", "partition", "timestamp", "id"],
  // Printed by `read --json` and decided anew by the log that takes the record.
  ...["topic", "offset", "appendTime"],
];

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A record as plain JSON; nothing of it is lost, but the order of headers of different names. */
export function recordToJson(topic: string, partition: number, record: StoredRecord): RecordJson {
  const { offset, timestamp, appendTime, id } = record;
  return {
    topic,
    partition,
    offset,
    timestamp,
    appendTime,
    ...bytesField("key", record.key),
    ...bytesField("value", record.value),
    headers: headersToJson(record.headers),
    ...(id === null ? {} : { id: uuidOf(id) }),
  };
}

/**
 * Reads one line of JSON. A value that is no string is stored as its JSON text.
 *
 * @param where For errors: "line 3".
 * @throws {CommandError} When it is no JSON object, or a field is unknown or of a wrong kind.
 */
export function recordFromJson(text: string, where: string): RecordInput {
  const fields = parseObject(text, where);
  for (const name of Object.keys(fields)) {
    if (FIELDS.includes(name)) continue;
    throw refused(where, `fields are ${FIELDS.join(", ")}`, name);
  }
  const value = bytesOf("value", fields, where, (other) => JSON.stringify(other));
  const key = bytesOf("key", fields, where, (other) => {
    if (typeof other === "number") return String(other);
    throw refused(where, "key must be a string, a number or null", other);
  });
  if (value === undefined) throw refused(where, "value is required", "none");
  const { headers, partition, timestamp, id } = fields;
  return {
    key: key ?? null,
    value,
    ...(headers === undefined ? {} : { headers: headersFromJson(headers, where) }),
    ...(partition === undefined ? {} : { partition: partitionOf(partition, where) }),
    ...(timestamp === undefined ? {} : { timestamp: timestampOf(timestamp, where) }),
    ...(id === undefined ? {} : { id: idOf(id, where) }),
  };
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined; // No UTF-8: the caller writes base64.
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function bytesField(name: string, bytes: Uint8Array | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null };
  const text = textOf(bytes);
  return text === undefined ? { [`${name}Base64`]: base64(bytes) } : { [name]: text };
}

function headersToJson(headers: StoredRecord["headers"]): RecordJson["headers"] {
  const all = new Map<string, JsonBytes[]>();
  for (const [name, value] of headers) {
    const text = textOf(value);
    const json = text ?? { base64: base64(value) };
    all.set(name, [...(all.get(name) ?? []), json]);
  }
  return Object.fromEntries(
    [...all].map(([name, values]) => [name, values.length === 1 ? values[0]! : values]),
  );
}

/** A UUID as people write it: its bytes in order. */
function uuidOf(id: Uint8Array): string {
  const hex = Buffer.from(id).toString("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join("-");
}

function parseObject(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused(where, "each line must be a JSON object", text);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw refused(where, "each line must be a JSON object", value);
}

/** @param other What becomes of a value that is neither text nor null. */
function bytesOf(
  name: "key" | "value",
  fields: Record<string, unknown>,
  where: string,
  other: (value: unknown) => string,
): string | Uint8Array | null | undefined {
  const plain = fields[name];
  const encoded = fields[`${name}Base64`];
  if (encoded === undefined) {
    if (plain === undefined || plain === null || typeof plain === "string") return plain;
    return other(plain);
  }
  if (plain === undefined) return base64Bytes(encoded, `${name}Base64`, where);
  throw refused(where, `one of ${name} and ${name}Base64 is given`, "both");
}

function base64Bytes(text: unknown, name: string, where: string): Uint8Array {
  if (typeof text === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0) {
    return Buffer.from(text, "base64");
  }
  throw refused(where, `${name} must be base64`, text);
}

function headersFromJson(headers: unknown, where: string): NonNullable<RecordInput["headers"]> {
  const rule = "headers must be an object of strings, {base64} objects or lists of these";
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    throw refused(where, rule, headers);
  }
  const one = (value: unknown): string | Uint8Array => {
    if (typeof value === "string") return value;
    if (typeof value === "object" && value !== null && "base64" in value) {
      return base64Bytes(value.base64, "base64", where);
    }
    throw refused(where, rule, value);
  };
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(one) : one(value),
    ]),
  );
}

function partitionOf(value: unknown, where: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw refused(where, "partition must be an integer >= 0", value);
}

function timestampOf(value: unknown, where: string): number {
  const ms = typeof value === "string" ? Date.parse(value) : value;
  if (Number.isSafeInteger(ms)) return ms as number;
  throw refused(where, "timestamp must be integer milliseconds or an ISO 8601 time", value);
}

function idOf(value: unknown, where: string): string {
  if (typeof value === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) {
    return value;
  }
  throw refused(where, "id must be a UUID", value);
}

/** Longest part of a bad line that an error shows. */
const SHOWN = 60;

function refused(where: string, rule: string, received: unknown): CommandError {
  const shown = typeof received === "string" ? received : (JSON.stringify(received) ?? "nothing");
  const short = shown.length > SHOWN ? `${shown.slice(0, SHOWN)}…` : shown;
  return new CommandError(`Cannot append ${where} as ${rule}: received ${short}`);
}
