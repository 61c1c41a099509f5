import type { PolledBatch } from "../polled-batch.ts";
import type { ResolvedTopic } from "../resolve-topic.ts";
import type { PartitionKey, Reducer } from "../types.ts";
import type { Kernel, Placement } from "../wasm/kernel.ts";
import type { FinishedKeys } from "./finished-keys.ts";

/** A custom reducer's answer is not a virtual partition (P3). */
export interface ReduceFailure {
  readonly index: number;
  readonly error: unknown;
  readonly value?: unknown;
}

/** What distribution needs to know of the lanes at that moment. */
export interface LaneState {
  /** Messages per virtual partition, `balanced` only. */
  loads(): Uint32Array;
}

/** Puts the key groups of a batch onto lanes. The batch's hash column is in the kernel. */
export interface Distributor {
  distribute(
    batch: PolledBatch,
    keys: readonly PartitionKey[] | null,
    lanes: LaneState,
  ): Placement | ReduceFailure;
}

/**
 * The distributor of a topic.
 *
 * @param finished Keys of messages that are done; null where placement does not depend on what is in flight.
 */
export function createDistributor(
  kernel: Kernel,
  topic: ResolvedTopic,
  finished: FinishedKeys | null,
): Distributor {
  switch (topic.distribution) {
    case "single":
      return new SingleLane();
    case "consistent":
      return topic.reducer === null
        ? new Consistent(kernel, topic.maxPartitions)
        : new CustomReducer(kernel, topic.maxPartitions, topic.reducer);
    case "balanced":
      return new Balanced(kernel, topic.maxPartitions, finished!);
    case "per-key":
      return new PerKey(kernel, finished!);
  }
}

/** No virtual partitions: one lane in partition order. */
class SingleLane implements Distributor {
  distribute(batch: PolledBatch): Placement {
    const order = new Uint32Array(batch.count);
    for (let i = 0; i < order.length; i++) order[i] = i;
    return {
      groupCount: order.length === 0 ? 0 : 1,
      lanes: Uint32Array.of(0),
      starts: Uint32Array.of(0, order.length),
      order,
    };
  }
}

/** D1: a key's virtual partition depends on the key alone. */
class Consistent implements Distributor {
  readonly #kernel: Kernel;
  readonly #maxPartitions: number;

  constructor(kernel: Kernel, maxPartitions: number) {
    this.#kernel = kernel;
    this.#maxPartitions = maxPartitions;
  }
  distribute(batch: PolledBatch): Placement {
    return this.#kernel.reduce(batch.count, this.#maxPartitions);
  }
}

/** D1 with the user's reducer, called for every message with its own key. */
class CustomReducer implements Distributor {
  readonly #kernel: Kernel;
  readonly #maxPartitions: number;
  readonly #reducer: Reducer;

  constructor(kernel: Kernel, maxPartitions: number, reducer: Reducer) {
    this.#kernel = kernel;
    this.#maxPartitions = maxPartitions;
    this.#reducer = reducer;
  }

  distribute(batch: PolledBatch, keys: readonly PartitionKey[] | null): Placement | ReduceFailure {
    const max = this.#maxPartitions;
    const bins = this.#kernel.binColumn(batch.count);
    for (let index = 0; index < batch.count; index++) {
      let value: unknown;
      try {
        value = this.#reducer(keys![index]!, max);
      } catch (error) {
        return { index, error };
      }
      if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= max) {
        const rule = `Cannot distribute as a reducer must return an integer from 0 to ${max - 1}`;
        return { index, error: new RangeError(`${rule}: received ${String(value)}`), value };
      }
      bins[index] = value as number;
    }
    return this.#kernel.place(batch.count, max);
  }
}

/** D2: largest key group first to the least loaded virtual partition; keys in flight stay where they are. */
class Balanced implements Distributor {
  readonly #kernel: Kernel;
  readonly #maxPartitions: number;
  readonly #finished: FinishedKeys;

  constructor(kernel: Kernel, maxPartitions: number, finished: FinishedKeys) {
    this.#finished = finished;
    this.#kernel = kernel;
    this.#maxPartitions = maxPartitions;
  }
  distribute(batch: PolledBatch, _keys: unknown, lanes: LaneState): Placement {
    const count = this.#finished.take();
    const { hashes } = this.#finished;
    return this.#kernel.pack(batch.count, this.#maxPartitions, lanes.loads(), hashes, count);
  }
}

/** D3: every key in flight is a lane of its own. */
class PerKey implements Distributor {
  readonly #kernel: Kernel;
  readonly #finished: FinishedKeys;

  constructor(kernel: Kernel, finished: FinishedKeys) {
    this.#finished = finished;
    this.#kernel = kernel;
  }
  distribute(batch: PolledBatch): Placement {
    const count = this.#finished.take();
    return this.#kernel.group(batch.count, this.#finished.hashes, count);
  }
}
