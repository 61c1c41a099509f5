import type {
  AssignedLease,
  CommitOutcome,
  Lease,
  Source,
  SourceBatch,
  SourceListener,
} from "../../src/source/source.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import type { MemorySource } from "../../src/testing/memory-source.ts";

export const clock: FakeClock = fakeClock();
const logger = { debug() {}, info() {}, warn() {}, error() {} };
export const never: AbortSignal = new AbortController().signal;

/** A consumer's end that only notes what it hears. */
export class Notes implements SourceListener {
  readonly leases: Lease[] = [];
  readonly assignments: AssignedLease[] = [];
  readonly batches: SourceBatch[] = [];
  readonly log: string[] = [];
  start: (lease: AssignedLease) => number = (lease) => lease.committed?.offset ?? 0;
  hold: Promise<void> | undefined;
  drain: Promise<void> = Promise.resolve();

  assigned(leases: readonly AssignedLease[]): readonly number[] {
    this.leases.push(...leases.map((one) => one.lease));
    this.assignments.push(...leases);
    this.log.push(`assigned ${name(leases.map((one) => one.lease))}`);
    return leases.map(this.start);
  }
  revoking(leases: readonly Lease[], deadlineMs: number): Promise<void> {
    this.log.push(`revoking ${name(leases)} ${deadlineMs}`);
    return this.drain;
  }
  joined(kept: readonly Lease[], ended: readonly Lease[]): void {
    this.log.push(`joined ${name(kept)} ended ${name(ended)}`);
  }
  lost(leases: readonly Lease[]): void {
    this.log.push(`lost ${name(leases)}`);
  }
  deliver(batch: SourceBatch): void | Promise<void> {
    this.batches.push(batch);
    return this.hold;
  }
  advanced(lease: Lease, nextOffset: number): void {
    this.log.push(`advanced ${name([lease])} ${nextOffset}`);
  }
  failed(error: Error, fatal: boolean): void {
    this.log.push(`failed ${fatal} ${error.message}`);
  }
  offsets(): number[][] {
    return this.batches.map(({ records }) =>
      Array.from(
        { length: records.count },
        (_, i) => records.baseOffset + (records.offsetDeltas?.[i] ?? i),
      ),
    );
  }
}

function name(leases: readonly Lease[]): string {
  return `[${leases.map((lease) => `${lease.topic}#${lease.partition}`).join(" ")}]`;
}

export function open(
  memory: MemorySource,
  topics: readonly string[] = ["t"],
  groupId = "g",
): Source {
  const group = { groupId, topics, member: 0, drainTimeoutMs: 100, clock, logger };
  return memory.source.open(group);
}

export async function started(
  memory: MemorySource,
  notes: Notes = new Notes(),
): Promise<[Source, Notes]> {
  const source = open(memory);
  await source.start(notes);
  return [source, notes];
}

export const settle = (): Promise<void> => clock.advance(0);
export const values = (count: number): { value: string }[] =>
  Array.from({ length: count }, (_, i) => ({ value: String(i) }));

export async function commit(
  source: Source,
  lease: Lease | undefined,
  offset: number,
  signal: AbortSignal = never,
): Promise<CommitOutcome | undefined> {
  return (await source.commit([{ lease: lease as Lease, offset, metadata: "m" }], signal))[0];
}
