import { MessageView } from "../message.ts";
import { PARTITIONER_RULE, partitionKeyOf } from "../partition-key.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { Partitioner, PartitionKey } from "../types.ts";
import { hashKeys, PARTITION_KEY_SEED, remixHashes } from "../wasm/hash.ts";
import type { Kernel } from "../wasm/kernel.ts";
import { keyHash } from "../wasm/key-hash.ts";

/** The partitioner failed for a message: the whole batch becomes one ordered run (P2). */
export interface KeyFailure {
  readonly index: number;
  readonly error: unknown;
  readonly value?: unknown;
}

/**
 * Finds the partition key of each message and writes its hash into the kernel's hash column.
 *
 * Keys are grouped by hash: two keys with one hash merely share a lane, so order stays safe and no key is stored.
 */
export class Grouper {
  readonly #partitioner: Partitioner | null;
  readonly #kernel: Kernel;
  readonly #remix: boolean;
  /** Keys of the last batch, kept for a custom reducer only. */
  readonly keys: PartitionKey[] | null;

  /**
   * @param remix Hashes are mixed once more: in a segment those of all keys lie side by side, and would be reduced to
   *   few virtual partitions.
   */
  constructor(
    kernel: Kernel,
    partitioner: Partitioner | null,
    keepKeys: boolean,
    remix: boolean = false,
  ) {
    this.#kernel = kernel;
    this.#remix = remix;
    this.#partitioner = partitioner;
    this.keys = keepKeys ? [] : null;
  }

  /** Fills the hash column and `batch.hashes`. */
  group(batch: PolledBatch): KeyFailure | null {
    const { count, records } = batch;
    let column: Uint32Array;
    if (this.#partitioner !== null || this.keys !== null) {
      column = this.#kernel.hashColumn(count);
      const failure = this.#choose(batch, column);
      if (failure !== null) return failure;
    } else if (records.keyHashes !== undefined) {
      column = this.#kernel.hashColumn(count);
      column.set(records.keyHashes);
      if (!this.#remix) {
        batch.hashes = records.keyHashes;
        return null;
      }
    } else if (records.rawKeys !== undefined) {
      const { bytes, starts, ends } = records.rawKeys;
      this.#kernel.hashRaw(bytes, starts, ends, count, PARTITION_KEY_SEED);
      column = this.#kernel.hashColumn(count);
    } else {
      column = this.#kernel.hashColumn(count);
      hashKeys(records, count, column);
    }
    if (this.#remix) remixHashes(column, count);
    batch.hashes = column.slice(0, count);
    return null;
  }

  #choose(batch: PolledBatch, column: Uint32Array): KeyFailure | null {
    const { keys } = this;
    const partitioner = this.#partitioner;
    for (let i = 0; i < batch.count; i++) {
      let value: unknown;
      try {
        value =
          partitioner === null ? batch.records.keyAt(i) : partitioner(new MessageView(batch, i));
      } catch (error) {
        return { index: i, error };
      }
      const key = partitionKeyOf(value);
      if (key === undefined) {
        const rule = `Cannot group as ${PARTITIONER_RULE}`;
        return { index: i, error: new TypeError(`${rule}: received ${typeof value}`), value };
      }
      column[i] = keyHash(key);
      if (keys !== null) keys[i] = key;
    }
    return null;
  }
}
