import { Buffer } from "node:buffer";
import type { StoredRecord } from "../../adapters/log.ts";
import { recordToJson } from "./record-json.ts";

/** How records are printed. */
export interface RecordFormat {
  /** One JSON object per line. */
  readonly json: boolean;
  /** Printed between key and value; undefined: values alone. */
  readonly keySeparator: string | undefined;
}

const NEWLINE: Buffer = Buffer.from("\n");
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * The bytes of some records, one line each. Without JSON a null value is an empty line, and a value
 * that holds newlines is several.
 */
export function recordLines(
  topic: string,
  partition: number,
  records: Iterable<StoredRecord>,
  format: RecordFormat,
): Buffer {
  const parts: Uint8Array[] = [];
  const separator = format.keySeparator === undefined ? null : Buffer.from(format.keySeparator);
  for (const record of records) {
    if (format.json) {
      parts.push(Buffer.from(JSON.stringify(recordToJson(topic, partition, record))));
    } else {
      if (separator !== null) parts.push(record.key ?? NOTHING, separator);
      parts.push(record.value ?? NOTHING);
    }
    parts.push(NEWLINE);
  }
  return Buffer.concat(parts);
}
