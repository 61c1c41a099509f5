import { errorInfo } from "./errors.ts";
import type { Events } from "./events.ts";
import type { Pipeline } from "./pipeline.ts";
import { backoffDelayMs } from "./process/backoff.ts";
import { SegmentFilter, type SegmentRule } from "./segments/segment-filter.ts";
import { withoutDone } from "./selected-records.ts";
import type { Lease, RecordBatch, SourceBatch } from "./source/source.ts";
import { Timers } from "./timers.ts";
import type { Clock } from "./types.ts";

/** Where what is polled goes in. */
export interface Inlet {
  deliver(batch: SourceBatch): Promise<void> | undefined;
  /** The position moved without records. */
  advanced(nextOffset: number): void;
}

/** Who fetches for a lease. */
export interface Flow {
  pause(lease: Lease): void;
  resume(lease: Lease): void;
}

/**
 * The way into the pipeline of a segment: what is foreign goes no further (S2).
 *
 * Where a partitioner's error stops (S3), the partition is held: what has been polled waits here, nothing more is
 * fetched, and the rule is asked again after a back-off.
 */
export class SegmentInlet implements Inlet, Flow {
  readonly #flow: Flow;
  readonly #timers: Timers;
  readonly #filter: SegmentFilter;
  #pipeline: Pipeline | null = null;
  /** Batches and positions that wait, in their order. */
  readonly #waiting: (SourceBatch | number)[] = [];
  #failures = 0;
  #error = "";

  constructor(rule: SegmentRule, flow: Flow, events: Events, clock: Clock) {
    this.#flow = flow;
    this.#timers = new Timers(clock);
    this.#filter = new SegmentFilter(rule, ({ offset, error, ...value }) => {
      this.#error = errorInfo(error).message;
      if (!events.has("partitionerFailed")) return;
      const { topic, partition } = this.#lease;
      const place = { topic, partition, offset };
      events.emit("partitionerFailed", { ...place, error: errorInfo(error), ...value });
    });
  }

  /** Where it leads to. */
  open(pipeline: Pipeline): void {
    this.#pipeline = pipeline;
  }

  get #lease(): Lease {
    return this.#pipeline!.lease;
  }
  get isHeld(): boolean {
    return this.#waiting.length > 0;
  }
  /** Why it is held; null while it is not. */
  get heldBy(): string | null {
    return this.isHeld ? this.#error : null;
  }

  deliver(batch: SourceBatch): Promise<void> | undefined {
    if (this.isHeld) {
      this.#waiting.push(batch);
      return undefined;
    }
    const left = this.#left(batch);
    if (left !== null) return this.#pipeline!.deliver(left);
    this.#waiting.push(batch);
    this.#flow.pause(this.#lease);
    this.#waitForRetry();
    return undefined;
  }

  advanced(nextOffset: number): void {
    if (this.isHeld) this.#waiting.push(nextOffset);
    else this.#pipeline!.advanced(nextOffset);
  }

  pause(lease: Lease): void {
    this.#flow.pause(lease);
  }
  /** Whoever else held the lease back does not do so any more. */
  resume(lease: Lease): void {
    if (!this.isHeld) this.#flow.resume(lease);
  }

  /** The lease goes on: back-offs end at once, as all do. */
  continue(): void {
    if (this.isHeld) this.#retry();
  }

  /** The lease's work is over. */
  end(): void {
    this.#timers.clear();
    this.#waiting.length = 0;
  }

  /** null: held. */
  #left(batch: SourceBatch): SourceBatch | null {
    const { metadata, topic } = this.#pipeline!;
    const { inherited } = metadata;
    // P1: what is done is shown to no partitioner.
    const isDone = (offset: number): boolean => inherited.has(offset);
    const open = inherited.count === 0 ? batch.records : withoutDone(batch.records, isDone);
    const records: RecordBatch | null = this.#filter.select(
      { ...batch, records: open },
      topic.deserializer,
    );
    return records === null ? null : { ...batch, records };
  }

  #waitForRetry(): void {
    const { topic, state } = this.#pipeline!;
    this.#failures++;
    // A lease that drains asks nothing more; one that goes on does so at once.
    if (state !== "live") return;
    this.#timers.set(backoffDelayMs(topic.retry, this.#failures), () => this.#retry());
  }

  #retry(): void {
    this.#timers.clear();
    const pipeline = this.#pipeline!;
    if (pipeline.state !== "live") return;
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined) break;
      const left = typeof next === "number" ? next : this.#left(next);
      if (left === null) {
        this.#waitForRetry();
        return;
      }
      this.#failures = 0;
      this.#waiting.shift();
      if (typeof left === "number") pipeline.advanced(left);
      // Nobody waits for this delivery: flow control pauses the partition in its time.
      else pipeline.deliver(left)?.catch(() => {});
    }
    if (!pipeline.account.paused) this.#flow.resume(this.#lease);
  }
}
