import { copiedBytes } from "./copied-bytes.ts";
import { headerList } from "./header-list.ts";
import type { PlainRecord } from "./plain-record.ts";
import type { RecordBatch } from "./source/source.ts";
import type { MessageHeaders } from "./types.ts";

/**
 * Some records of a batch with bytes of their own: what is left of it once the rest is done (F2). The client's buffers
 * are free then. Indexes, offsets and count stay; a record that was not copied has nothing in it.
 */
export class CopiedRecords implements RecordBatch {
  readonly count: number;
  readonly baseOffset: number;
  readonly offsetDeltas: Uint32Array | null;
  readonly byteLength: number;
  readonly heldCount: number;
  readonly #copies = new Map<number, RecordBatch>();

  constructor(records: RecordBatch, indexes: ArrayLike<number>) {
    this.count = records.count;
    this.baseOffset = records.baseOffset;
    this.offsetDeltas = records.offsetDeltas;
    this.byteLength = records.byteLength;
    this.heldCount = indexes.length;
    for (let i = 0; i < indexes.length; i++) {
      this.#copies.set(indexes[i]!, copyOfOne(records, indexes[i]!));
    }
  }

  keyAt(index: number): Uint8Array | null {
    return this.#copies.get(index)?.keyAt(0) ?? null;
  }
  valueAt(index: number): Uint8Array | null {
    return this.#copies.get(index)?.valueAt(0) ?? null;
  }
  timestampAt(index: number): number {
    return this.#copies.get(index)?.timestampAt(0) ?? -1;
  }
  headersAt(index: number): MessageHeaders {
    return this.#copies.get(index)?.headersAt(0) ?? headerList([]);
  }
}

/** A batch of one record, with bytes of its own. */
export function copyOfOne(records: RecordBatch, index: number): RecordBatch {
  const key = records.keyAt(index);
  const value = records.valueAt(index);
  return oneRecord({
    offset: records.baseOffset + (records.offsetDeltas?.[index] ?? index),
    timestamp: records.timestampAt(index),
    key: key && copiedBytes(key),
    value: value && copiedBytes(value),
    headers: records
      .headersAt(index)
      .entries()
      .map(([name, bytes]) => [name, copiedBytes(bytes)]),
  });
}

/** A batch of one record; its memory is charged elsewhere. */
export function oneRecord(record: PlainRecord): RecordBatch {
  const { offset, timestamp, key, value } = record;
  const headers = headerList(record.headers);
  return {
    count: 1,
    baseOffset: offset,
    offsetDeltas: null,
    byteLength: 0,
    keyAt: () => key,
    valueAt: () => value,
    timestampAt: () => timestamp,
    headersAt: () => headers,
  };
}
