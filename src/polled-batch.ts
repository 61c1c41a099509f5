import type { Lease, RecordBatch, SourceBatch } from "./source/source.ts";
import type { Deserializer } from "./types.ts";

const NONE: Uint32Array = new Uint32Array(0);

/** The records of one poll of one partition, with what the stages find out about them. */
export class PolledBatch {
  readonly lease: Lease;
  /** Who polled it: a lease may be taken up again after a seek, its old batches may not. */
  readonly owner: object;
  readonly topic: string;
  readonly partition: number;
  /** What the client gave, or copies of what is left of it (F2). */
  records: RecordBatch;
  readonly count: number;
  /** Records whose memory it keeps: those beside its own were done before, or are foreign. */
  readonly heldCount: number;
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly highWatermark: number;
  /** Monotonic milliseconds. */
  readonly polledAtMs: number;
  /** The partitioner's, then the handler's. */
  deserializer: Deserializer<unknown> | null;
  /** Bytes charged per record (F2). */
  readonly recordBytes: number;
  /** Records whose call has not ended. */
  left: number;
  /** User code has, or had, a view of a record: it may have kept bytes of it. */
  shown = false;
  /** Key hash of each record, filled by group. */
  hashes: Uint32Array = NONE;
  /** Record indexes, lane after lane, offsets ascending inside a lane; filled by distribute. */
  order: Uint32Array = NONE;
  /** Lanes that `order` names, and where the run of each begins; empty where the key itself is the lane. */
  lanes: Uint32Array = NONE;
  laneStarts: Uint32Array = NONE;
  /** Its keys are not known: it is handled in offset order on one lane, alone (P2). */
  ordered = false;
  readonly #deltas: Uint32Array | null;
  #bins: Uint32Array | null = null;

  constructor(
    owner: object,
    batch: SourceBatch,
    deserializer: Deserializer<unknown> | null,
    polledAtMs: number,
  ) {
    const { lease, records } = batch;
    this.owner = owner;
    this.lease = lease;
    this.topic = lease.topic;
    this.partition = lease.partition;
    this.records = records;
    this.count = records.count;
    this.heldCount = records.heldCount ?? records.count;
    this.left = records.count;
    this.baseOffset = records.baseOffset;
    this.nextOffset = batch.nextOffset;
    this.highWatermark = batch.highWatermark;
    this.polledAtMs = polledAtMs;
    this.deserializer = deserializer;
    this.recordBytes = records.count === 0 ? 0 : records.byteLength / records.count;
    this.#deltas = records.offsetDeltas;
  }

  offsetAt(index: number): number {
    return this.baseOffset + (this.#deltas === null ? index : this.#deltas[index]!);
  }

  /**
   * What collective marking means by "the same virtual partition" (O2): the lane of a record, or its key hash where the
   * key is the lane. -1 in an ordered run.
   */
  laneKeyAt(index: number): number {
    if (this.ordered) return -1;
    if (this.lanes.length === 0) return this.hashes[index]!;
    this.#bins ??= this.#makeBins();
    return this.#bins[index]!;
  }

  /** This batch has one record, a copy of that one, and counts as handled where that was. */
  placeLike(batch: PolledBatch, index: number): void {
    this.ordered = batch.ordered;
    this.hashes = batch.hashes.slice(index, index + 1);
    if (batch.lanes.length === 0) return;
    this.#bins = Uint32Array.of(batch.laneKeyAt(index));
    this.lanes = this.#bins;
  }

  /** This batch has one record, which counts as handled on the lane that `laneKeyAt()` has named. */
  placeOn(laneKey: number): void {
    this.ordered = laneKey === -1;
    this.hashes = Uint32Array.of(laneKey);
  }

  /** Asked for by handlers that mark, so not made before. */
  #makeBins(): Uint32Array {
    const bins = new Uint32Array(this.count);
    for (const [run, lane] of this.lanes.entries()) {
      const end = this.laneStarts[run + 1]!;
      for (let at = this.laneStarts[run]!; at < end; at++) bins[this.order[at]!] = lane;
    }
    return bins;
  }

  /** The call of a record has ended. */
  ended(): void {
    if (--this.left === 0 && !this.shown) this.records.release?.();
  }

  /** What events say of it; it is not empty. */
  range(): {
    topic: string;
    partition: number;
    count: number;
    firstOffset: number;
    lastOffset: number;
  } {
    const { topic, partition, count } = this;
    const firstOffset = this.offsetAt(0);
    return { topic, partition, count, firstOffset, lastOffset: this.offsetAt(count - 1) };
  }
}
