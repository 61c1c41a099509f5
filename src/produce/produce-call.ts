import type { ProduceError } from "../errors.ts";
import type { EncodedRecord } from "./encode-record.ts";

/** Where a record was stored. */
export interface ProduceResult {
  readonly partition: number;
  /** undefined when the sink acknowledges nothing. */
  readonly offset: number | undefined;
}

/** One call of `produce` or `produceMany`: settles when all its records have. */
export class ProduceCall {
  readonly records: readonly EncodedRecord[];
  readonly byteLength: number;
  /** Results in the order of the records; rejects with the error of the first record that failed. */
  readonly done: Promise<readonly ProduceResult[]>;
  readonly #results: (ProduceResult | ProduceError | undefined)[];
  #open: number;
  #resolve!: (results: readonly ProduceResult[]) => void;
  #reject!: (error: ProduceError) => void;

  constructor(records: readonly EncodedRecord[]) {
    this.records = records;
    this.byteLength = records.reduce((sum, record) => sum + record.byteLength, 0);
    this.#results = new Array(records.length);
    this.#open = records.length;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (records.length === 0) this.#resolve([]);
  }

  /** Ends one record, once. */
  settle(index: number, result: ProduceResult | ProduceError): void {
    this.#results[index] = result;
    this.#open -= 1;
    if (this.#open > 0) return;
    const error = this.#results.find((one) => one instanceof Error);
    if (error) this.#reject(error as ProduceError);
    else this.#resolve(this.#results as ProduceResult[]);
  }
}

/** Records of one call that go to one partition: they travel in one batch. */
export interface Chunk {
  readonly call: ProduceCall;
  /** Indexes of the records in their call, ascending. */
  readonly indexes: readonly number[];
  readonly byteLength: number;
}

/** The records that a chunk stands for. */
export function recordsOf({ call, indexes }: Chunk): readonly EncodedRecord[] {
  return indexes.map((index) => call.records[index] as EncodedRecord);
}
