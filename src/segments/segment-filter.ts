import { CopiedRecords } from "../copied-records.ts";
import { MessageView } from "../message.ts";
import { PARTITIONER_RULE, partitionKeyOf } from "../partition-key.ts";
import { PolledBatch } from "../polled-batch.ts";
import { cellsAt, SelectedRecords } from "../selected-records.ts";
import type { RecordBatch, SourceBatch } from "../source/source.ts";
import type { Deserializer, Partitioner, PartitionKey, Reducer } from "../types.ts";
import { hashKeys, PARTITION_KEY_SEED } from "../wasm/hash.ts";
import { Kernel } from "../wasm/kernel.ts";
import { keyHash } from "../wasm/key-hash.ts";

/** Own records that are fewer than one of so many are copied out: the rest of the batch is not kept for them. */
const COPY_BELOW_SHARE = 4;
const HASHES = 2 ** 32;

/** Which messages a segment handles (S1). */
export interface SegmentRule {
  readonly index: number;
  readonly count: number;
  /** null: by the message key. */
  readonly partitioner: Partitioner | null;
  /** null: multiply-shift of the key hash. */
  readonly reducer: Reducer | null;
  /** A message that fails holds its partition; otherwise it belongs to segment 0 (S3). */
  readonly stops: boolean;
}

/** The partitioner or reducer has failed for a message (S3). */
export interface SegmentFailure {
  readonly offset: number;
  readonly error: unknown;
  /** What it has answered; absent when it threw. */
  readonly value?: unknown;
}

/**
 * Leaves out of a polled batch what other segments handle (S2), before anything is made of it.
 *
 * By key and with the default reducer this is a look at the column of key hashes: those of a segment are one range. Any
 * other rule is asked message by message, through one view.
 */
export class SegmentFilter {
  readonly #rule: SegmentRule;
  readonly #failed: (failure: SegmentFailure) => void;
  /** For raw keys: made when there are some. */
  #kernel: Kernel | null = null;
  /** Key hashes of this segment: from, and up to but without. */
  readonly #from: number;
  readonly #to: number;
  /** Indexes of own records, as far as they are found. */
  #own = new Uint32Array(0);
  #hashes = new Uint32Array(0);

  /** @param failed Is told of each message that the rule fails for, and of the first one only where it stops. */
  constructor(rule: SegmentRule, failed: (failure: SegmentFailure) => void) {
    this.#rule = rule;
    this.#failed = failed;
    // floor(hash × count ÷ 2³²) is the index in just this range.
    this.#from = Math.ceil((rule.index * HASHES) / rule.count);
    this.#to = Math.ceil(((rule.index + 1) * HASHES) / rule.count);
  }

  /**
   * The records of the batch that this segment handles; the batch's own object when it handles all of them.
   *
   * @param deserializer Of the payloads that a partitioner asks for.
   * @returns null when the rule stops: it has failed for a message, and none can be handed over.
   */
  select(given: SourceBatch, deserializer: Deserializer<unknown> | null): RecordBatch | null {
    const { records } = given;
    if (this.#own.length < records.count) this.#own = new Uint32Array(records.count);
    const { partitioner, reducer } = this.#rule;
    if (partitioner !== null || reducer !== null) {
      records.keep?.();
      const count = this.#ask(given, deserializer);
      return count < 0 ? null : this.#take(records, count, null);
    }
    const hashes = this.#hashesOf(records);
    return this.#take(records, this.#compare(hashes, records.count), hashes);
  }

  #hashesOf(records: RecordBatch): Uint32Array {
    if (records.keyHashes !== undefined) return records.keyHashes;
    const { count, rawKeys } = records;
    if (rawKeys === undefined) {
      if (this.#hashes.length < count) this.#hashes = new Uint32Array(count);
      hashKeys(records, count, this.#hashes);
      return this.#hashes;
    }
    const { bytes, starts, ends } = rawKeys;
    this.#kernel ??= new Kernel();
    this.#kernel.hashRaw(bytes, starts, ends, count, PARTITION_KEY_SEED);
    return this.#kernel.hashColumn(count);
  }

  #compare(hashes: Uint32Array, count: number): number {
    const own = this.#own;
    const from = this.#from;
    const to = this.#to;
    let found = 0;
    for (let index = 0; index < count; index++) {
      const hash = hashes[index]!;
      if (hash >= from && hash < to) own[found++] = index;
    }
    return found;
  }

  /** @returns How many are own; -1 when the rule stops. */
  #ask(given: SourceBatch, deserializer: Deserializer<unknown> | null): number {
    const { index: segment, stops } = this.#rule;
    const batch = new PolledBatch(this, given, deserializer, 0);
    const view = new MessageView(batch, 0);
    const own = this.#own;
    let found = 0;
    for (let index = 0; index < batch.count; index++) {
      view.moveTo(index);
      const answer = this.#segmentOf(view, batch.records, index);
      if (answer === segment) own[found++] = index;
      if (typeof answer === "number") continue;
      this.#failed({ offset: batch.offsetAt(index), ...answer });
      if (stops) return -1;
      if (segment === 0) own[found++] = index;
    }
    return found;
  }

  #segmentOf(
    view: MessageView,
    records: RecordBatch,
    index: number,
  ): number | Omit<SegmentFailure, "offset"> {
    const { partitioner, reducer, count } = this.#rule;
    try {
      const value = partitioner === null ? records.keyAt(index) : partitioner(view);
      const key = partitionKeyOf(value);
      if (key === undefined) {
        const rule = `Cannot find a segment as ${PARTITIONER_RULE}`;
        return { error: new TypeError(`${rule}: received ${typeof value}`), value };
      }
      return reducer === null
        ? Math.floor((keyHash(key) * count) / HASHES)
        : reduced(reducer, key, count);
    } catch (error) {
      return { error };
    }
  }

  #take(records: RecordBatch, found: number, hashes: Uint32Array | null): RecordBatch {
    const { count } = records;
    if (found === count) return records;
    const indexes = this.#own.slice(0, found);
    const facts = {
      byteLength: Math.ceil((records.byteLength * found) / count),
      ...(hashes !== null && { keyHashes: cellsAt(hashes, indexes) }),
    };
    const isFew = found * COPY_BELOW_SHARE < count;
    const source = isFew ? new CopiedRecords(records, indexes) : records;
    return new SelectedRecords(source, indexes, facts);
  }
}

function reduced(
  reducer: Reducer,
  key: PartitionKey,
  count: number,
): number | Omit<SegmentFailure, "offset"> {
  const value: unknown = reducer(key, count);
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < count) {
    return value as number;
  }
  const rule = `Cannot find a segment as a reducer must return an integer from 0 to ${count - 1}`;
  return { error: new RangeError(`${rule}: received ${String(value)}`), value };
}
