import { CopiedRecords } from "./copied-records.ts";
import type { Lane } from "./lane.ts";
import type { PolledBatch } from "./polled-batch.ts";

/** A batch that is younger is left alone: most end soon. */
const COPY_AFTER_MS = 1000;
/** It is copied once no more than one of so many of the messages in its memory is left. */
const COPY_BELOW_SHARE = 4;
/** So small a batch is copied whole: the fetch response that it lies in may be large. */
const SMALL_BATCH = 16;
/** Batches that are looked at whenever one comes. */
const LOOKS_PER_BATCH = 4;

/** Who has messages of batches. */
export interface BatchOwner {
  readonly lanes: { busy(): Iterable<Lane> };
  /** Reads copies for running calls from now on. */
  readonly processor: { rebase(): void };
}

/**
 * Batches with messages that have not ended. What slow messages leave of an old batch is copied out, so that they do
 * not hold its fetch response (F2): at most four times the budget's bytes are held, and what came in the last second.
 */
export class LiveBatches {
  readonly #owner: BatchOwner;
  readonly #batches: PolledBatch[] = [];
  #next = 0;

  constructor(owner: BatchOwner) {
    this.#owner = owner;
  }

  /** A batch has come: looks at some of those that came before, in turn. */
  add(batch: PolledBatch): void {
    const batches = this.#batches;
    for (let looks = Math.min(LOOKS_PER_BATCH, batches.length); looks > 0; looks--) {
      if (this.#next >= batches.length) this.#next = 0;
      const one = batches[this.#next]!;
      if (one.left > 0 && !this.#copy(one, batch.polledAtMs)) {
        this.#next++;
        continue;
      }
      batches[this.#next] = batches[batches.length - 1]!;
      batches.pop();
    }
    batches.push(batch);
  }

  #copy(batch: PolledBatch, nowMs: number): boolean {
    if (nowMs - batch.polledAtMs < COPY_AFTER_MS) return false;
    if (batch.left * COPY_BELOW_SHARE > batch.heldCount && batch.count > SMALL_BATCH) return false;
    const indexes: number[] = [];
    for (const lane of this.#owner.lanes.busy()) {
      lane.peek(lane.length, (of, index) => {
        if (of === batch) indexes.push(index);
      });
    }
    // It still waits to be put into lanes.
    if (indexes.length !== batch.left) return false;
    batch.records = new CopiedRecords(batch.records, indexes);
    this.#owner.processor.rebase();
    return true;
  }
}
