import type { ProduceError } from "../errors.ts";
import type { ResolvedDelivery } from "./delivery.ts";
import type { EncodedRecord } from "./encode-record.ts";

/** Where a record was stored. */
export interface ProduceResult {
  readonly partition: number;
  /** undefined when the sink acknowledges nothing. */
  readonly offset: number | undefined;
}

/** One call of a producer's method: it has ended when each of its records has. */
export interface ProduceCall {
  readonly records: readonly EncodedRecord[];
  /** Ends one record, once. `offset` is read only when there is no error. */
  settle(index: number, partition: number, offset: number | undefined, error?: ProduceError): void;
}

/** A call of `produce` or `produceMany`. */
export class AnsweredCall implements ProduceCall {
  readonly records: readonly EncodedRecord[];
  /** Results in the order of the records; rejects with the error of the first record that failed. */
  readonly done: Promise<readonly ProduceResult[]>;
  readonly #results: (ProduceResult | ProduceError)[];
  readonly #ended: () => void;
  #open: number;
  #failed = false;
  #resolve!: (results: readonly ProduceResult[]) => void;
  #reject!: (error: ProduceError) => void;

  /** @param ended Called when all records have ended. */
  constructor(records: readonly EncodedRecord[], ended: () => void) {
    this.records = records;
    this.#results = new Array(records.length);
    this.#ended = ended;
    this.#open = records.length;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  settle(index: number, partition: number, offset: number | undefined, error?: ProduceError): void {
    this.#results[index] = error ?? { partition, offset };
    if (error !== undefined) this.#failed = true;
    this.#open -= 1;
    if (this.#open > 0) return;
    if (this.#failed) {
      this.#reject(this.#results.find((one) => one instanceof Error) as ProduceError);
    } else {
      this.#resolve(this.#results as ProduceResult[]);
    }
    this.#ended();
  }
}

/** A call of `produceAsync`: nobody waits for it, failures are told to `ended`. */
export class UnansweredCall implements ProduceCall {
  readonly records: readonly EncodedRecord[];
  readonly #ended: (record: EncodedRecord, partition: number, error?: ProduceError) => void;

  constructor(
    record: EncodedRecord,
    ended: (record: EncodedRecord, partition: number, error?: ProduceError) => void,
  ) {
    this.records = [record];
    this.#ended = ended;
  }

  settle(
    index: number,
    partition: number,
    _offset: number | undefined,
    error?: ProduceError,
  ): void {
    this.#ended(this.records[index] as EncodedRecord, partition, error);
  }
}

/** Records of one call that go to one partition. */
export interface Chunk {
  readonly call: ProduceCall;
  readonly records: readonly EncodedRecord[];
  /** Indexes of the records in their call, ascending. */
  readonly indexes: readonly number[];
  readonly byteLength: number;
  readonly delivery: ResolvedDelivery;
  /** When it had got room in the buffer. */
  readonly bufferedAtMs: number;
}
