/** One member of a group over the memory log: the Source that a consumer gets. */
import { type HeadraceError, SourceError } from "../errors.ts";
import type {
  AssignedLease,
  CommitEntry,
  CommitOutcome,
  Lease,
  Source,
  SourceFactory,
  SourceListener,
} from "../source/source.ts";
import type { TopicPartition } from "../types.ts";
import type {
  CommitAttempt,
  MemoryCommit,
  MemoryCommits,
  PlannedOutcome,
} from "./memory-commits.ts";
import { type LeaseHost, MemoryLease, type StepOptions } from "./memory-lease.ts";
import type { MemoryPartition } from "./memory-log.ts";

/** How long past its drain deadline a revocation may take: the last commit's reserve (R7). */
const REVOKE_RESERVE_MS = 5000;

/** What a source is opened with. */
export type GroupOptions = Parameters<SourceFactory["open"]>[0];

/** What a member needs of the memory source it belongs to. */
export interface MemberHost {
  readonly commits: MemoryCommits;
  readonly maxBatchRecords: number;
  readonly maxMetadataLength: number;
  /** Batches are handed over by `step` only. */
  readonly manual: boolean;
  readonly chooseOutcome: (
    entries: readonly MemoryCommit[],
  ) => PlannedOutcome | undefined | Promise<PlannedOutcome | undefined>;
  /** Joins the group: whatever start() has to wait for. */
  join(member: MemoryMember): Promise<void>;
  listenerThrew(error: unknown): void;
  /** Something happened that `idle()` may wait for. */
  changed(): void;
}

/** A member that its test controls. */
export class MemoryMember implements Source {
  readonly can = { drainOnRevoke: true, incremental: true, raw: false, topicIds: false };
  readonly group: GroupOptions;
  readonly index: number;
  readonly #host: MemberHost;
  readonly #leaseHost: LeaseHost;
  readonly #owned = new Map<Lease, MemoryLease>();
  #listener: SourceListener | null = null;
  #phase: "new" | "started" | "stopped" | "killed" = "new";
  #pendingCommits = 0;

  constructor(group: GroupOptions, index: number, host: MemberHost) {
    this.group = group;
    this.index = index;
    this.#host = host;
    this.#leaseHost = { ...host, call: (act) => this.#call(act) };
  }

  get running(): boolean {
    return this.#phase === "started";
  }

  async start(listener: SourceListener): Promise<void> {
    if (this.#phase !== "new")
      throw new SourceError("Cannot start a source as it starts only once");
    this.#listener = listener;
    this.#phase = "started";
    try {
      await this.#host.join(this);
    } catch (error) {
      this.#end("stopped");
      throw error;
    }
  }

  async stop(_how: { readonly leave: boolean; readonly signal: AbortSignal }): Promise<void> {
    if (this.#phase !== "killed") this.#end("stopped");
  }

  /** Its process is gone: it hears nothing more and gets no answers. */
  kill(): void {
    this.#end("killed");
  }

  pause(lease: Lease): void {
    const owned = this.#owned.get(lease);
    if (owned) owned.paused = true;
  }

  resume(lease: Lease): void {
    const owned = this.#owned.get(lease);
    if (!owned) return;
    owned.paused = false;
    owned.schedule();
  }

  seek(lease: Lease, offset: number): void {
    const owned = this.#owned.get(lease);
    if (!owned) return;
    owned.begin(offset);
  }

  async commit(
    entries: readonly CommitEntry[],
    signal: AbortSignal,
  ): Promise<readonly CommitOutcome[]> {
    const commits = entries.map((entry) => this.#toCommit(entry));
    const stale = entries.map((entry) => this.#stateOf(entry.lease) === "ended");
    const attempts = this.#host.commits.begin(commits);
    // A killed process may go on for a while in a test; it cannot know that it is dead.
    if (this.#phase === "killed") return this.#hang(attempts, signal);
    for (const [i, entry] of commits.entries()) if (stale[i]) this.#host.commits.noteStale(entry);
    this.#pendingCommits += 1;
    try {
      const chosen = this.#host.chooseOutcome(commits);
      const planned = chosen instanceof Promise ? await unlessAborted(chosen, signal) : chosen;
      if (planned === "hang" || signal.aborted) return await this.#hang(attempts, signal);
      return entries.map((entry, i) =>
        this.#answer(entry, attempts[i] as CommitAttempt & { outcome: CommitOutcome }, planned),
      );
    } finally {
      this.#pendingCommits -= 1;
      this.#host.changed();
    }
  }

  /**
   * Gives partitions to this member.
   *
   * @param free Those that nobody owns when the turn comes, so that two members never get the same one.
   */
  async assign(
    free: () => readonly MemoryPartition[],
    stored: (log: MemoryPartition) => Pick<AssignedLease, "committed" | "groupKnowsTopic">,
  ): Promise<void> {
    // Nothing of a source runs inside the caller's turn.
    await Promise.resolve();
    const logs = free();
    if (logs.length === 0 || !this.running) return;
    const owned = logs.map((log) => new MemoryLease(log, this.#leaseHost));
    // The listener may commit or pause them at once.
    for (const one of owned) this.#owned.set(one.lease, one);
    const assigned = owned.map(({ lease, log }): AssignedLease => {
      return { lease, ...stored(log), logStart: log.logStart, logEnd: log.logEnd };
    });
    const starts = this.#call((listener) => listener.assigned(assigned)) ?? [];
    for (const [i, one] of owned.entries()) this.#begin(one, starts[i]);
    this.#host.changed();
  }

  /** Takes partitions away in order, or gives some back at once: rules R2 and R3. */
  async revoke(
    wanted: (lease: Lease) => boolean,
    keep: (lease: Lease) => boolean,
    whileSuspended: (() => void | Promise<void>) | undefined,
  ): Promise<void> {
    await Promise.resolve();
    const going = this.#liveLeases(wanted);
    if (going.length === 0) return;
    for (const owned of going) owned.state = "revoking";
    const { drainTimeoutMs } = this.group;
    const leases = going.map((owned) => owned.lease);
    await this.#atMost(
      drainTimeoutMs + REVOKE_RESERVE_MS,
      this.#call((listener) => listener.revoking(leases, drainTimeoutMs)),
    );
    // Some may have been lost, or the member stopped, in the meantime.
    const left = going.filter((owned) => owned.state === "revoking");
    for (const owned of left) owned.state = "suspended";
    await whileSuspended?.();
    const answer = left.filter((owned) => owned.state === "suspended");
    for (const owned of answer) {
      if (keep(owned.lease)) owned.state = "live";
      else this.#drop(owned);
    }
    const kept = answer.filter((owned) => owned.state === "live");
    const ended = answer.filter((owned) => owned.state === "ended");
    if (answer.length > 0) {
      const of = (list: MemoryLease[]): Lease[] => list.map((owned) => owned.lease);
      this.#call((listener) => listener.joined(of(kept), of(ended)));
    }
    for (const owned of kept) owned.schedule();
    this.#host.changed();
  }

  /** Takes partitions away without warning. */
  async lose(wanted: (lease: Lease) => boolean): Promise<void> {
    await Promise.resolve();
    const gone = [...this.#owned.values()].filter((owned) => wanted(owned.lease));
    for (const owned of gone) this.#drop(owned);
    if (gone.length > 0) this.#call((listener) => listener.lost(gone.map((owned) => owned.lease)));
    this.#host.changed();
  }

  fail(error: HeadraceError, fatal: boolean): void {
    this.#call((listener) => listener.failed(error, fatal));
  }

  owns(where: TopicPartition): boolean {
    return this.#ownedOf(where) !== undefined;
  }

  /** The log of a partition has grown. */
  grown(where: TopicPartition): void {
    this.#ownedOf(where)?.schedule();
  }

  /** Hands over one pending batch, or tells of a hole. @returns The number of records, or -1 when there was nothing. */
  step(where: TopicPartition, how: StepOptions): number {
    return this.#ownedOf(where)?.step(how) ?? -1;
  }

  /** Everything is handed over and committed, and nothing is on its way. */
  idle(): boolean {
    if (!this.running) return true;
    return this.#pendingCommits === 0 && [...this.#owned.values()].every((one) => one.idle);
  }

  #begin(owned: MemoryLease, start: number | undefined): void {
    if (start !== undefined && Number.isSafeInteger(start) && start >= 0) {
      owned.begin(start);
      return;
    }
    this.#drop(owned);
    const text = `Cannot start a lease as its offset must be an integer >= 0: received ${start}`;
    this.fail(new SourceError(text), true);
  }

  #ownedOf(where: TopicPartition): MemoryLease | undefined {
    return [...this.#owned.values()].find(
      ({ lease }) => lease.topic === where.topic && lease.partition === where.partition,
    );
  }

  #drop(owned: MemoryLease): void {
    owned.state = "ended";
    this.#owned.delete(owned.lease);
  }

  #end(phase: "stopped" | "killed"): void {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.#listener = null;
    for (const owned of [...this.#owned.values()]) this.#drop(owned);
    this.#host.changed();
  }

  #liveLeases(wanted: (lease: Lease) => boolean): MemoryLease[] {
    return [...this.#owned.values()].filter(
      (owned) => owned.state === "live" && wanted(owned.lease),
    );
  }

  #stateOf(lease: Lease): MemoryLease["state"] {
    return this.#owned.get(lease)?.state ?? "ended";
  }

  /** Calls the listener; what it throws is kept for the test and goes no further. */
  #call<R>(act: (listener: SourceListener) => R): R | undefined {
    if (!this.#listener) return undefined;
    try {
      return act(this.#listener);
    } catch (error) {
      this.#host.listenerThrew(error);
      return undefined;
    }
  }

  async #atMost(ms: number, promise: Promise<void> | undefined): Promise<void> {
    if (!promise) return;
    const { clock } = this.group;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(resolve, ms);
      const settle = (): void => {
        clock.clearTimer(timer);
        resolve();
      };
      promise.then(settle, (error: unknown) => {
        this.#host.listenerThrew(error);
        settle();
      });
    });
  }

  #toCommit({ lease, offset, metadata }: CommitEntry): MemoryCommit {
    const { topic, partition } = lease;
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(`Cannot commit as offsets are integers >= 0: received ${offset}`);
    }
    return { groupId: this.group.groupId, member: this.index, topic, partition, offset, metadata };
  }

  /** The lease is looked at when the request arrives, as a broker does. */
  #answer(
    entry: CommitEntry,
    attempt: CommitAttempt & { outcome: CommitOutcome },
    planned: PlannedOutcome = "stored",
  ): CommitOutcome {
    const state = this.#stateOf(entry.lease);
    const stores = planned === "stored" || planned === "stored-unknown";
    if (state === "ended") attempt.outcome = "fenced";
    else if (state === "suspended") attempt.outcome = "not-now";
    else if (!stores) attempt.outcome = planned as CommitOutcome;
    else if (entry.metadata.length > this.#host.maxMetadataLength) attempt.outcome = "too-large";
    else {
      attempt.outcome = planned === "stored" ? "stored" : "retry";
      this.#host.commits.store(attempt);
      (this.#owned.get(entry.lease) as MemoryLease).settled = entry.offset;
    }
    return attempt.outcome;
  }

  async #hang(
    attempts: readonly { outcome: CommitOutcome | null }[],
    signal: AbortSignal,
  ): Promise<readonly CommitOutcome[]> {
    await unlessAborted(new Promise(() => {}), signal);
    return attempts.map((attempt) => {
      attempt.outcome = "retry";
      return "retry";
    });
  }
}

/** Settles like the promise, or with undefined when the signal aborts. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const aborted = (): void => resolve(undefined);
    signal.addEventListener("abort", aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}
