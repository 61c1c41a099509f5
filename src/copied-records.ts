import { headerList } from "./header-list.ts";
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
  const copy = (bytes: Uint8Array | null): Uint8Array | null => {
    if (bytes === null) return null;
    // slice() of a Buffer is a view; of() of the same class keeps `Buffer`s `Buffer`s.
    const own = bytes.constructor as unknown as { from(bytes: Uint8Array): Uint8Array };
    return own.from(bytes);
  };
  const key = copy(records.keyAt(index));
  const value = copy(records.valueAt(index));
  const timestamp = records.timestampAt(index);
  const pairs = records
    .headersAt(index)
    .entries()
    .map(([name, bytes]) => [name, copy(bytes)!] as const);
  const offset = records.baseOffset + (records.offsetDeltas?.[index] ?? index);
  return oneRecord({ offset, timestamp, key, value, headers: pairs });
}

/** A batch of one record; its memory is charged elsewhere. */
export function oneRecord(record: {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[];
}): RecordBatch {
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
