import type { RecordBatch } from "./source/source.ts";
import type { MessageHeaders } from "./types.ts";

/** What is known of selected records beside their indexes. */
export interface SelectionFacts {
  /** Default: that of the whole batch, which stays in memory until these are done. */
  readonly byteLength?: number;
  /** Hashes of their keys. Default: the batch's. */
  readonly keyHashes?: Uint32Array;
}

/** Some records of a batch, in their order: what is left once those are out that are done (P1) or foreign (S2). */
export class SelectedRecords implements RecordBatch {
  readonly count: number;
  readonly baseOffset: number;
  readonly offsetDeltas: Uint32Array;
  readonly byteLength: number;
  readonly heldCount: number;
  readonly keyHashes?: Uint32Array;
  readonly #records: RecordBatch;
  readonly #indexes: ArrayLike<number>;

  /** @param indexes Ascending. */
  constructor(
    records: RecordBatch,
    indexes: ArrayLike<number>,
    { byteLength = records.byteLength, keyHashes }: SelectionFacts = {},
  ) {
    const { offsetDeltas } = records;
    this.#records = records;
    this.#indexes = indexes;
    this.count = indexes.length;
    this.baseOffset = records.baseOffset;
    this.offsetDeltas =
      offsetDeltas === null ? Uint32Array.from(indexes) : cellsAt(offsetDeltas, indexes);
    this.byteLength = byteLength;
    this.heldCount = records.heldCount ?? records.count;
    const hashes =
      keyHashes ?? (records.keyHashes === undefined ? null : cellsAt(records.keyHashes, indexes));
    if (hashes !== null) this.keyHashes = hashes;
  }

  keyAt(index: number): Uint8Array | null {
    return this.#records.keyAt(this.#indexes[index]!);
  }
  valueAt(index: number): Uint8Array | null {
    return this.#records.valueAt(this.#indexes[index]!);
  }
  timestampAt(index: number): number {
    return this.#records.timestampAt(this.#indexes[index]!);
  }
  headersAt(index: number): MessageHeaders {
    return this.#records.headersAt(this.#indexes[index]!);
  }
}

/** Some cells of a column. */
export function cellsAt(column: Uint32Array, indexes: ArrayLike<number>): Uint32Array {
  const cells = new Uint32Array(indexes.length);
  for (let i = 0; i < cells.length; i++) cells[i] = column[indexes[i]!]!;
  return cells;
}

/** The records whose offset is not done; the batch itself when that is all of them. */
export function withoutDone(
  records: RecordBatch,
  isDone: (offset: number) => boolean,
): RecordBatch {
  const { baseOffset, offsetDeltas, count } = records;
  const indexes: number[] = [];
  for (let index = 0; index < count; index++) {
    if (!isDone(baseOffset + (offsetDeltas?.[index] ?? index))) indexes.push(index);
  }
  return indexes.length === count ? records : new SelectedRecords(records, indexes);
}
