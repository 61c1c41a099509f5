import { headerList } from "../header-list.ts";
import { invariant } from "../invariant.ts";
import type { PlainRecord } from "../plain-record.ts";
import type { MessageHeaders } from "../types.ts";
import type { RecordBatch } from "./source.ts";

/** Memory charged per decoded record beside its bytes (rule F2). */
const OVERHEAD_BYTES_PER_RECORD = 512;

class RecordList implements RecordBatch {
  readonly #records: readonly PlainRecord[];
  readonly count: number;
  readonly baseOffset: number;
  readonly offsetDeltas: Uint32Array | null;
  readonly byteLength: number;

  constructor(records: readonly PlainRecord[]) {
    const first = records[0];
    const last = records[records.length - 1];
    invariant(first !== undefined && last !== undefined, "a record list has a record");
    this.#records = records;
    this.count = records.length;
    this.baseOffset = first.offset;
    const dense = last.offset - first.offset === records.length - 1;
    this.offsetDeltas = dense
      ? null
      : Uint32Array.from(records, (record) => record.offset - first.offset);
    this.byteLength = records.reduce((sum, record) => sum + recordBytes(record), 0);
  }

  keyAt(index: number): Uint8Array | null {
    return this.#at(index).key;
  }

  valueAt(index: number): Uint8Array | null {
    return this.#at(index).value;
  }

  timestampAt(index: number): number {
    return this.#at(index).timestamp;
  }

  headersAt(index: number): MessageHeaders {
    return headerList(this.#at(index).headers);
  }

  #at(index: number): PlainRecord {
    const record = this.#records[index];
    invariant(record !== undefined, `a record index lies in [0, ${this.count})`);
    return record;
  }
}

function recordBytes(record: PlainRecord): number {
  let bytes = OVERHEAD_BYTES_PER_RECORD;
  bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of record.headers) bytes += name.length + value.length;
  return bytes;
}

/**
 * A record batch over plain objects, for sources and tests in which speed does not matter.
 *
 * @param records At least one, offsets ascending, all within 2³² of the first.
 * @throws {InvariantError} When there is none, or an index is out of range.
 */
export function recordList(records: readonly PlainRecord[]): RecordBatch {
  return new RecordList(records);
}
