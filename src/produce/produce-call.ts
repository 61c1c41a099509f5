import type { ProduceError } from "../errors.ts";
import type { CheckedRecord } from "./checked-record.ts";
import type { ResolvedDelivery } from "./delivery.ts";
import type { Epoch } from "./open-calls.ts";

/** Where a record was stored. */
export interface ProduceResult {
  readonly partition: number;
  /** undefined when the sink acknowledges nothing. */
  readonly offset: number | undefined;
}

/** Who is told how records end. */
export interface ProduceCall {
  /**
   * Ends one record, once.
   *
   * @param index Of the record in its call.
   * @param partition -1 when it got none.
   * @param offset Read only when there is no error.
   */
  settle(
    record: CheckedRecord,
    index: number,
    partition: number,
    offset: number | undefined,
    error?: ProduceError,
  ): void;
}

/** A call of `produce` or `produceMany`. */
export class AnsweredCall implements ProduceCall {
  /** Results in the order of the records; rejects with the error of the first record that failed. */
  readonly done: Promise<readonly ProduceResult[]>;
  readonly #results: (ProduceResult | ProduceError)[];
  readonly #ended: () => void;
  #open: number;
  #failed = false;
  #resolve!: (results: readonly ProduceResult[]) => void;
  #reject!: (error: ProduceError) => void;

  /** @param ended Called when all records have ended. */
  constructor(recordCount: number, ended: () => void) {
    this.#results = new Array(recordCount);
    this.#ended = ended;
    this.#open = recordCount;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  settle(
    _record: CheckedRecord,
    index: number,
    partition: number,
    offset: number | undefined,
    error?: ProduceError,
  ): void {
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

/** Calls of `produceAsync`, all that began between two flushes: nobody waits for one of them. */
export class UnansweredCalls implements ProduceCall {
  readonly epoch: Epoch;
  readonly #ended: (epoch: Epoch, record: CheckedRecord, at: number, error?: ProduceError) => void;

  /** @param ended Called for each record, with its partition. */
  constructor(
    epoch: Epoch,
    ended: (epoch: Epoch, record: CheckedRecord, at: number, error?: ProduceError) => void,
  ) {
    this.epoch = epoch;
    this.#ended = ended;
  }

  settle(
    record: CheckedRecord,
    _index: number,
    partition: number,
    _offset: number | undefined,
    error?: ProduceError,
  ): void {
    this.#ended(this.epoch, record, partition, error);
  }
}

/** Records of one call that go to one partition. */
export interface Chunk {
  readonly call: ProduceCall;
  readonly records: readonly CheckedRecord[];
  /** Indexes of the records in their call, ascending. */
  readonly indexes: readonly number[];
  readonly byteLength: number;
  readonly delivery: ResolvedDelivery;
  /** When it had got room in the buffer. */
  readonly bufferedAtMs: number;
}
