import type { HeadraceError } from "../errors.ts";
import type { PlainRecord } from "../plain-record.ts";
import type { AssignedLease, Lease, SourceBatch, SourceListener } from "./source.ts";

/**
 * A listener for tests of sources: notes everything it hears, and every breach of the contract that can be seen from
 * its side. What it answers is set by the three hooks.
 */
export class RecordingListener implements SourceListener {
  /** Leases that are ours, in the order of their assignment. */
  readonly leases: Lease[] = [];
  /** Every assignment ever heard of. */
  readonly assignments: AssignedLease[] = [];
  /** Every batch, copied out. */
  readonly batches: { readonly lease: Lease; readonly records: readonly PlainRecord[] }[] = [];
  /** Leases whose drain was asked for, and those that ended after it, were kept or lost. */
  readonly revoked: Lease[] = [];
  readonly ended: Lease[] = [];
  readonly kept: Lease[] = [];
  readonly lostLeases: Lease[] = [];
  readonly failures: { readonly error: HeadraceError; readonly fatal: boolean }[] = [];
  /** Breaches of the contract. */
  readonly breaches: string[] = [];
  /** Where a lease starts; default: what is committed, else the log's start. */
  onAssigned: (lease: AssignedLease) => number = (one) => one.committed?.offset ?? one.logStart;
  /** What `deliver` answers, or throws. */
  onDeliver: (batch: SourceBatch) => void | Promise<void> = () => {};
  /** What `revoking` answers. */
  onRevoking: (leases: readonly Lease[]) => Promise<void> = () => Promise.resolve();
  /** Set when the source was stopped: it must be silent. */
  stopped = false;
  /** Lowest offset that each lease may still get. */
  readonly #positions = new Map<Lease, number>();

  assigned(leases: readonly AssignedLease[]): readonly number[] {
    this.#heard("assigned");
    return leases.map((one) => {
      const start = this.onAssigned(one);
      if (this.#positions.has(one.lease)) this.breaches.push("a lease object was assigned twice");
      this.leases.push(one.lease);
      this.assignments.push(one);
      this.#positions.set(one.lease, start);
      return start;
    });
  }

  revoking(leases: readonly Lease[]): Promise<void> {
    this.#heard("revoking");
    this.revoked.push(...leases);
    return this.onRevoking(leases);
  }

  joined(kept: readonly Lease[], ended: readonly Lease[]): void {
    this.#heard("joined");
    this.kept.push(...kept);
    this.ended.push(...ended);
    this.#end(ended);
  }

  lost(leases: readonly Lease[]): void {
    this.#heard("lost");
    this.lostLeases.push(...leases);
    this.#end(leases);
  }

  deliver(batch: SourceBatch): void | Promise<void> {
    this.#heard("deliver");
    const records = copyOut(batch);
    this.batches.push({ lease: batch.lease, records });
    this.#check(batch, records);
    return this.onDeliver(batch);
  }

  advanced(lease: Lease, nextOffset: number): void {
    this.#heard("advanced");
    const position = this.#positions.get(lease);
    if (position === undefined || nextOffset < position) {
      this.breaches.push(`advanced to ${nextOffset} from ${position}`);
    }
    this.#positions.set(lease, nextOffset);
  }

  failed(error: HeadraceError, fatal: boolean): void {
    this.failures.push({ error, fatal });
  }

  /** The test has called `seek`. */
  sought(lease: Lease, offset: number): void {
    this.#positions.set(lease, offset);
  }

  /** Our lease of a partition. */
  leaseOf(partition: number): Lease | undefined {
    return this.leases.find((lease) => lease.partition === partition);
  }

  /** Records of a partition in the order of their delivery, from the `from`-th batch on. */
  recordsOf(partition: number, from = 0): readonly PlainRecord[] {
    const batches = this.batches.slice(from).filter((one) => one.lease.partition === partition);
    return batches.flatMap((one) => one.records);
  }

  /** Offsets of {@link recordsOf}. */
  offsetsOf(partition: number, from = 0): number[] {
    return this.recordsOf(partition, from).map((record) => record.offset);
  }

  #heard(call: string): void {
    if (this.stopped) this.breaches.push(`${call} was called after stop() had settled`);
  }

  #end(leases: readonly Lease[]): void {
    for (const lease of leases) {
      const index = this.leases.indexOf(lease);
      if (index < 0) this.breaches.push("a lease ended that was not ours");
      else this.leases.splice(index, 1);
    }
  }

  #check(batch: SourceBatch, records: readonly PlainRecord[]): void {
    const { lease, nextOffset, highWatermark } = batch;
    let position = this.#positions.get(lease);
    if (position === undefined || !this.leases.includes(lease)) {
      this.breaches.push(`a batch of ${lease.topic}#${lease.partition} came without a lease`);
      position = 0;
    }
    for (const { offset } of records) {
      if (offset < position) this.breaches.push(`offset ${offset} came, ${position} was next`);
      position = Math.max(position, offset + 1);
    }
    if (nextOffset < position) this.breaches.push(`nextOffset ${nextOffset} is below ${position}`);
    if (highWatermark !== -1 && highWatermark < position) {
      this.breaches.push(`high watermark ${highWatermark} is below ${position}`);
    }
    this.#positions.set(lease, Math.max(position, nextOffset));
  }
}

/** Bytes are copied: a source may use its memory again. */
function copyOut({ records }: SourceBatch): readonly PlainRecord[] {
  return Array.from({ length: records.count }, (_, i) => ({
    offset: records.baseOffset + (records.offsetDeltas?.[i] ?? i),
    timestamp: records.timestampAt(i),
    key: records.keyAt(i)?.slice() ?? null,
    value: records.valueAt(i)?.slice() ?? null,
    headers: records
      .headersAt(i)
      .entries()
      .map(([name, value]) => [name, value.slice()] as const),
  }));
}
