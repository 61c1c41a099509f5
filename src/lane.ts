import type { PolledBatch } from "./polled-batch.ts";

interface Segment {
  readonly batch: PolledBatch;
  /** Positions in `batch.order`. */
  readonly start: number;
  readonly end: number;
}

/**
 * The FIFO of one virtual partition (`per-key`: of one key): messages that wait, in offset order, one call at most.
 *
 * Its content is a list of runs of `batch.order`, so that adding a batch costs O(1) and no object per message. The
 * first run lies in the lane itself: with `per-key` most lanes never have a second one, and lanes are reused.
 */
export class Lane {
  /** Index among the partition's lanes. */
  readonly id: number;
  /** Messages in the lane, those of its running call included. */
  length = 0;
  /** A call of it has not ended. */
  running = false;
  /** It waits for the end of a back-off. */
  waiting = false;
  /** Virtual partition of its calls; with `per-key` while it runs only. */
  slot = 0;
  /** It waits for a worker thread. */
  parked = false;
  /** Until its retries are over, its calls run alone in their thread: one has died under it (W3). */
  solo = false;
  /** It is among the ready lanes. */
  ready = false;
  /** Offset of the first message while ready: the order in which lanes get slots (D7). */
  headOffset = 0;
  /** Failed calls that contained the first message. */
  failures = 0;
  /** Failed calls since the lane last made progress: the budget of its retries (Q5). */
  failuresInScope = 0;
  /** Messages at the front that are left of a failed call: retried one per call, none added (E3, Q1). */
  retryLength = 0;
  /** Failures that these share: 1, or 0 when their call was abandoned (E9). */
  retryFailures = 0;

  #batch: PolledBatch | null = null;
  #position = 0;
  #end = 0;
  #more: Segment[] = [];

  constructor(id: number) {
    this.id = id;
  }

  get batch(): PolledBatch {
    return this.#batch!;
  }

  /** Record index of the first message in `batch`. */
  get index(): number {
    return this.#batch!.order[this.#position]!;
  }

  get firstOffset(): number {
    return this.#batch!.offsetAt(this.index);
  }

  /** Offset of the first message that is open; infinity without one. O(messages before it). */
  firstOpen(isOpen: (batch: PolledBatch, index: number) => boolean): number {
    let batch = this.#batch;
    let position = this.#position;
    let end = this.#end;
    for (let next = 0; batch !== null; next++) {
      for (; position < end; position++) {
        const index = batch.order[position]!;
        if (isOpen(batch, index)) return batch.offsetAt(index);
      }
      const segment = this.#more[next];
      if (segment === undefined) break;
      ({ batch, start: position, end } = segment);
    }
    return Number.POSITIVE_INFINITY;
  }

  add(batch: PolledBatch, start: number, end: number): void {
    this.length += end - start;
    if (this.#batch === null) {
      this.#batch = batch;
      this.#position = start;
      this.#end = end;
      return;
    }
    this.#more.push({ batch, start, end });
  }

  /** Visits the first `count` messages. */
  peek(count: number, visit: (batch: PolledBatch, index: number) => void): void {
    let left = count;
    let batch = this.#batch;
    let position = this.#position;
    let end = this.#end;
    for (let next = 0; left > 0 && batch !== null; next++) {
      for (; position < end && left > 0; left--) visit(batch, batch.order[position++]!);
      const segment = this.#more[next];
      if (segment === undefined) return;
      ({ batch, start: position, end } = segment);
    }
  }

  /** Drops the first message: its call has ended. */
  shift(): void {
    this.length--;
    if (++this.#position < this.#end) return;
    if (this.#more.length === 0) {
      this.#batch = null;
      return;
    }
    const next = this.#more.shift()!;
    this.#batch = next.batch;
    this.#position = next.start;
    this.#end = next.end;
  }
}
