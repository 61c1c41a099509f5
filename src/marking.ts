import type { Events } from "./events.ts";
import type { Intake } from "./intake.ts";
import type { Lane } from "./lane.ts";
import { HandedMessages } from "./mark/handed-messages.ts";
import type { OffsetTracker } from "./mark/offset-tracker.ts";
import { type CollectedResults, Results } from "./mark/results.ts";
import type { PolledBatch } from "./polled-batch.ts";
import type { TopicPartition } from "./types.ts";

/** A call as collective marking sees it. */
export interface MarkingCall {
  readonly lane: Lane | null;
  readonly length: number;
}

/** From process to mark: results of calls, and what handlers mark themselves. */
export class Marking {
  readonly #tracker: OffsetTracker;
  readonly #intake: Intake;
  /** null: success marks, so nothing stays unmarked behind a call. */
  readonly #handed: HandedMessages | null;
  readonly #results: Results;
  /** Highest offset whose call has ended well; -1 before the first. */
  highestDone = -1;
  /** Lanes that have, or had, messages of a failed call. */
  readonly #failed = new Set<Lane>();

  /** @param applied What was collected in a turn has been marked. */
  constructor(
    tracker: OffsetTracker,
    intake: Intake,
    manual: boolean,
    applied: (results: CollectedResults) => void,
  ) {
    this.#tracker = tracker;
    this.#intake = intake;
    this.#handed = manual ? new HandedMessages() : null;
    this.#results = new Results((results) => {
      this.#markAll(results, !manual);
      applied(results);
    });
  }

  /** Messages whose call ended without a mark. */
  get unacknowledged(): number {
    return this.#handed?.size ?? 0;
  }

  isOpen(batch: PolledBatch, index: number): boolean {
    return this.#tracker.isOpen(batch.offsetAt(index));
  }

  /** Its call ended well; the message has left its lane. */
  done(batch: PolledBatch, index: number): void {
    this.#results.add(batch.offsetAt(index), batch.recordBytes);
    this.#intake.finished(batch, index);
    batch.ended();
    if (this.#handed !== null && this.isOpen(batch, index)) {
      this.#handed.add(batch.laneKeyAt(index), batch.offsetAt(index));
    }
  }

  /** A call failed; its messages are still in the lane. */
  failed(lane: Lane): void {
    this.#failed.add(lane);
  }

  /** Marks what calls of this turn have finished. */
  apply(): void {
    this.#results.apply();
  }

  /**
   * O2: marks a message and every earlier one that was handed to the same lane.
   *
   * @param key What `laneKeyAt()` says of the message.
   * @returns false when all of them were marked before.
   */
  through(key: number, offset: number, calls: Iterable<MarkingCall>): boolean {
    let marked = false;
    const mark = (one: number): void => {
      if (one <= offset && this.#tracker.mark(one)) marked = true;
    };
    const markFront = (lane: Lane, length: number): void => {
      if (lane.batch.laneKeyAt(lane.index) !== key) return;
      lane.peek(length, (of, at) => mark(of.offsetAt(at)));
    };
    for (const { lane, length } of calls) if (lane !== null) markFront(lane, length);
    // Handed over earlier, by calls that failed or that marked nothing.
    for (const lane of this.#failed) {
      if (lane.retryLength > 0) markFront(lane, lane.retryLength);
      else this.#failed.delete(lane);
    }
    this.#handed?.takeThrough(key, offset, mark);
    mark(offset);
    return marked;
  }

  /** Marks one message, and no other. */
  alone(batch: PolledBatch, index: number): void {
    this.#handed?.take(batch.laneKeyAt(index), batch.offsetAt(index));
    this.#tracker.mark(batch.offsetAt(index));
  }

  #markAll({ offsets, count }: CollectedResults, automatic: boolean): void {
    let highest = this.highestDone;
    for (let i = 0; i < count; i++) {
      const offset = offsets[i]!;
      if (automatic) this.#tracker.mark(offset);
      if (offset > highest) highest = offset;
    }
    this.highestDone = highest;
  }
}

/** Tells what the results of a turn were, once for all of them. */
export function emitResults(
  events: Events,
  { topic, partition }: TopicPartition,
  { offsets, count }: CollectedResults,
  manual: boolean,
): void {
  if (!events.has("processed") && !events.has("marked")) return;
  const done = offsets.subarray(0, count);
  const firstOffset = done.reduce((a, b) => Math.min(a, b));
  const lastOffset = done.reduce((a, b) => Math.max(a, b));
  const payload = { topic, partition, count, firstOffset, lastOffset };
  events.emit("processed", payload);
  if (!manual) events.emit("marked", payload);
}
