import { MessageView } from "../message.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { Partitioner, PartitionKey } from "../types.ts";
import { hashKeys, murmur3, murmur3Text, NULL_KEY_HASH, PARTITION_KEY_SEED } from "../wasm/hash.ts";
import type { Kernel } from "../wasm/kernel.ts";

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
  /** Keys of the last batch, kept for a custom reducer only. */
  readonly keys: PartitionKey[] | null;

  constructor(kernel: Kernel, partitioner: Partitioner | null, keepKeys: boolean) {
    this.#kernel = kernel;
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
      this.#kernel.hashColumn(count).set(records.keyHashes);
      batch.hashes = records.keyHashes;
      return null;
    } else if (records.rawKeys !== undefined) {
      const { bytes, starts, ends } = records.rawKeys;
      this.#kernel.hashRaw(bytes, starts, ends, count, PARTITION_KEY_SEED);
      column = this.#kernel.hashColumn(count);
    } else {
      column = this.#kernel.hashColumn(count);
      hashKeys(records, count, column);
    }
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
      const key = partitionKey(value);
      if (key === undefined) {
        return { index: i, error: new TypeError(`${RULE}: received ${typeof value}`), value };
      }
      column[i] = hashOf(key);
      if (keys !== null) keys[i] = key;
    }
    return null;
  }
}

const RULE = "Cannot group as a partitioner must return string, number, bigint, bytes or null";

/** The key as reducers get it (P1); undefined when the partitioner may not return this. */
function partitionKey(value: unknown): PartitionKey | undefined {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;
}

/** Bytes and the text that they encode are one key. */
function hashOf(key: PartitionKey): number {
  if (key === null) return NULL_KEY_HASH;
  return typeof key === "string"
    ? murmur3Text(key, PARTITION_KEY_SEED)
    : murmur3(key, PARTITION_KEY_SEED);
}
