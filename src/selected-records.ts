import type { RecordBatch } from "./source/source.ts";
import type { MessageHeaders } from "./types.ts";

/** Some records of a batch, in their order: what is left of it once done ones are taken out (P1). */
export class SelectedRecords implements RecordBatch {
  readonly count: number;
  readonly baseOffset: number;
  readonly offsetDeltas: Uint32Array;
  readonly byteLength: number;
  readonly keyHashes?: Uint32Array;
  readonly #records: RecordBatch;
  readonly #indexes: readonly number[];

  /** @param indexes Ascending. */
  constructor(records: RecordBatch, indexes: readonly number[]) {
    this.#records = records;
    this.#indexes = indexes;
    this.count = indexes.length;
    this.baseOffset = records.baseOffset;
    this.offsetDeltas = Uint32Array.from(
      indexes,
      (index) => records.offsetDeltas?.[index] ?? index,
    );
    // The whole batch stays in memory until these are done.
    this.byteLength = records.byteLength;
    const { keyHashes } = records;
    if (keyHashes !== undefined) {
      this.keyHashes = Uint32Array.from(indexes, (index) => keyHashes[index]!);
    }
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
