/** One lease of a memory member: where it reads, and when it may hand over. */
import { recordList } from "../source/record-list.ts";
import type { Lease, SourceListener } from "../source/source.ts";
import type { MemoryPartition } from "./memory-log.ts";

/** What a lease needs of its member. */
export interface LeaseHost {
  readonly maxBatchRecords: number;
  /** Batches are handed over by `step` only. */
  readonly manual: boolean;
  /** Calls the listener, if there is still one; what it throws is kept for the test. */
  call<R>(act: (listener: SourceListener) => R): R | undefined;
  listenerThrew(error: unknown): void;
  /** Something happened that `idle()` may wait for. */
  changed(): void;
}

/** How a pending batch is handed over by hand. */
export interface StepOptions {
  /** Most records, those of several `deliver` calls merged. Default: the records of one `deliver` call. */
  readonly maxRecords?: number;
  /** Also when the partition is paused or held: a batch that was on its way. */
  readonly late?: boolean;
}

export class MemoryLease {
  readonly lease: Lease;
  readonly log: MemoryPartition;
  /** Rule R2; "live" before the drain. */
  state: "live" | "revoking" | "suspended" | "ended" = "live";
  /** What is stored under this lease; before any commit, where it started. */
  settled = 0;
  paused = false;
  readonly #host: LeaseHost;
  /** A promise of `deliver` has not settled. */
  #held = false;
  #scheduled = false;
  /** Next offset to hand over. */
  #position = 0;

  constructor(log: MemoryPartition, host: LeaseHost) {
    this.lease = Object.freeze({ topic: log.topic, partition: log.partition });
    this.log = log;
    this.#host = host;
  }

  /** Goes on reading at an offset: at the start, and after a seek. */
  begin(offset: number): void {
    this.#position = offset;
    this.settled = offset;
    this.schedule();
  }

  /** Everything is handed over, committed, and the next delivery is not held. */
  get idle(): boolean {
    const done = this.#position >= this.log.logEnd && this.settled >= this.log.logEnd;
    return done && this.state === "live" && !this.#held;
  }

  /** Looks, in a later turn, whether there is something to hand over: never inside the caller's turn. */
  schedule(): void {
    if (this.#host.manual || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#open()) return;
      if (this.#handOver(this.#host.maxBatchRecords, false) >= 0) this.schedule();
    });
  }

  /** @returns The number of records handed over, or -1 when there was nothing. */
  step(how: StepOptions): number {
    if (this.state !== "live" || !(this.#open() || how.late)) return -1;
    const merge = how.maxRecords !== undefined;
    return this.#handOver(how.maxRecords ?? this.#host.maxBatchRecords, merge);
  }

  #open(): boolean {
    return this.state === "live" && !this.paused && !this.#held;
  }

  #handOver(maxRecords: number, merge: boolean): number {
    const { lease, log } = this;
    const read = log.read(this.#position, maxRecords, merge);
    if (!read) {
      if (this.#position >= log.logEnd) return -1;
      this.#position = log.logEnd;
      this.#host.call((listener) => listener.advanced(lease, log.logEnd));
      this.#host.changed();
      return 0;
    }
    const { nextOffset } = read;
    this.#position = nextOffset;
    const records = recordList(read.records);
    const batch = { lease, records, nextOffset, highWatermark: log.logEnd };
    const held = this.#host.call((listener) => listener.deliver(batch));
    if (held) this.#hold(held);
    this.#host.changed();
    return records.count;
  }

  #hold(until: Promise<void>): void {
    this.#held = true;
    const release = (): void => {
      this.#held = false;
      this.schedule();
      this.#host.changed();
    };
    until.then(release, (error: unknown) => {
      this.#host.listenerThrew(error);
      release();
    });
  }
}
