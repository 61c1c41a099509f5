import { CorruptLogError, type HeadraceError, SourceError } from "../errors.ts";
import type {
  AssignedLease,
  CommitEntry,
  CommitOutcome,
  Lease,
  Source,
  SourceBatch,
  SourceFactory,
  SourceListener,
} from "../source/source.ts";
import { type AssignedPartition, GroupCoordinator, type GroupMember } from "./group-coordinator.ts";
import { MAX_METADATA_LENGTH } from "./group-offsets.ts";
import { type LeaseOwner, LogLease } from "./log-lease.ts";
import type { LogStore } from "./log-store.ts";

/** How long a drain may take past its deadline: the last commit's reserve (R7). */
const REVOKE_RESERVE_MS = 5000;

/** What a source is opened with. */
export type GroupOptions = Parameters<SourceFactory["open"]>[0];

/** A share in an open log, given back when its user is done. */
export interface StoreShare {
  readonly store: LogStore;
  close(): Promise<void>;
}

/** A member of a consumer group over the embedded log. */
export class LogSource implements Source, GroupMember, LeaseOwner {
  readonly can = { drainOnRevoke: true, incremental: true, raw: true, topicIds: true };
  readonly group: GroupOptions;
  readonly #openShare: () => Promise<StoreShare>;
  readonly #owned = new Map<Lease, LogLease>();
  readonly #stopped = new AbortController();
  #listener: SourceListener | undefined;
  #share: StoreShare | undefined;
  #coordinator: GroupCoordinator | undefined;
  #started = false;

  constructor(group: GroupOptions, openShare: () => Promise<StoreShare>) {
    this.group = group;
    this.#openShare = openShare;
  }

  get clock(): GroupOptions["clock"] {
    return this.group.clock;
  }

  get topics(): readonly string[] {
    return this.group.topics;
  }

  /** @throws {SourceError} When a topic is missing, or it was started before. */
  async start(listener: SourceListener): Promise<void> {
    if (this.#started) {
      throw new SourceError(
        "Cannot start a source as it starts only once: received a second start",
      );
    }
    this.#started = true;
    const share = await this.#openShare();
    const { root } = share.store;
    const missing = this.topics.filter((topic) => share.store.topic(topic) === undefined);
    if (missing.length > 0 || this.#stopped.signal.aborted) {
      await share.close();
      if (missing.length === 0) return;
      throw new SourceError(
        `Cannot start a consumer as its topics must exist in ${root}: ` +
          `received ${missing.join(", ")}`,
      );
    }
    this.#share = share;
    this.#listener = listener;
    this.#coordinator = GroupCoordinator.of(share.store, this.group.groupId);
    await this.#coordinator.join(this);
  }

  async stop(how: { readonly leave: boolean; readonly signal: AbortSignal }): Promise<void> {
    this.#listener = undefined;
    this.#stopped.abort();
    const leases = [...this.#owned.values()];
    for (const lease of leases) this.#drop(lease);
    this.#coordinator?.leave(this);
    const share = this.#share;
    this.#share = undefined;
    await unlessAborted(Promise.all(leases.map((lease) => lease.ran)), how.signal);
    await share?.close();
  }

  pause(lease: Lease): void {
    this.#owned.get(lease)?.pause();
  }

  resume(lease: Lease): void {
    this.#owned.get(lease)?.resume();
  }

  seek(lease: Lease, offset: number): void {
    this.#owned.get(lease)?.seek(offset);
  }

  async commit(
    entries: readonly CommitEntry[],
    signal: AbortSignal,
  ): Promise<readonly CommitOutcome[]> {
    return entries.map((entry) => (signal.aborted ? "retry" : this.#store(entry)));
  }

  // What the coordinator calls.

  async revoke(owned: readonly LogLease[]): Promise<void> {
    for (const lease of owned) lease.hold();
    const leases = owned.map(({ lease }) => lease);
    const { drainTimeoutMs } = this.group;
    const drained = this.call((listener) => listener.revoking(leases, drainTimeoutMs));
    await this.#atMost(drainTimeoutMs + REVOKE_RESERVE_MS, drained);
  }

  settle(kept: readonly LogLease[], ended: readonly LogLease[]): void {
    for (const lease of ended) this.#drop(lease);
    const of = (leases: readonly LogLease[]): Lease[] => leases.map(({ lease }) => lease);
    this.call((listener) => listener.joined(of(kept), of(ended)));
    for (const lease of kept) lease.release();
  }

  assign(partitions: readonly AssignedPartition[], generation: number): readonly LogLease[] {
    const leases = partitions.map((one) => new LogLease(one, generation, this));
    // The listener may pause or commit them at once.
    for (const lease of leases) this.#owned.set(lease.lease, lease);
    const assigned = partitions.map((one, at) => this.#describe(one, leases[at]!.lease));
    const starts = this.call((listener) => listener.assigned(assigned));
    leases.forEach((lease, at) => {
      const start = starts?.[at];
      if (Number.isSafeInteger(start) && start! >= 0) lease.begin(start!);
      else this.#refuseStart(lease, start);
    });
    return leases;
  }

  // What leases call.

  deliver(batch: SourceBatch): void | Promise<void> {
    return this.call((listener) => listener.deliver(batch));
  }

  readFailed(error: unknown, lease: Lease): boolean {
    const fatal = error instanceof CorruptLogError;
    const where = `${lease.topic}#${lease.partition}`;
    const failure = fatal
      ? error
      : new SourceError(`Cannot read ${where} as the file must be readable: received ${error}`, {
          retriable: true,
          cause: error,
        });
    this.#fail(failure, fatal);
    return fatal;
  }

  /** Calls the listener, if it still listens; what it throws goes no further than the log. */
  call<R>(act: (listener: SourceListener) => R): R | undefined {
    if (this.#listener === undefined) return undefined;
    try {
      return act(this.#listener);
    } catch (error) {
      this.listenerThrew(error);
      return undefined;
    }
  }

  listenerThrew(error: unknown): void {
    this.group.logger.error(`A listener of the log source threw: ${String(error)}`);
  }

  #describe({ topic, log }: AssignedPartition, lease: Lease): AssignedLease {
    const { groupId } = this.group;
    const stored = topic.groups.get(groupId, lease.partition);
    const groupKnowsTopic = topic.partitions.some(
      ({ place }) => topic.groups.get(groupId, place.partition) !== undefined,
    );
    return {
      lease,
      committed: stored ? { offset: stored.offset, metadata: stored.metadata } : null,
      groupKnowsTopic,
      logStart: log.logStart,
      logEnd: log.logEnd,
      topicId: topic.id,
    };
  }

  #store({ lease, offset, metadata }: CommitEntry): CommitOutcome {
    const owned = this.#owned.get(lease);
    const share = this.#share;
    if (owned === undefined || share === undefined || share.store.fenced) return "fenced";
    if (metadata.length > MAX_METADATA_LENGTH) return "too-large";
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(`Cannot commit as offsets are integers >= 0: received ${offset}`);
    }
    const { topic, generation } = owned;
    try {
      topic.groups.set(this.group.groupId, lease.partition, { offset, metadata, generation });
    } catch (error) {
      this.group.logger.warn(`Cannot store an offset of ${lease.topic}: ${String(error)}`);
      return "retry";
    }
    share.store.wrote();
    return "stored";
  }

  #refuseStart(lease: LogLease, start: number | undefined): void {
    this.#drop(lease);
    const rule = "Cannot start a lease as its offset must be an integer >= 0";
    this.#fail(new SourceError(`${rule}: received ${start}`), true);
  }

  #fail(error: HeadraceError, fatal: boolean): void {
    this.call((listener) => listener.failed(error, fatal));
  }

  #drop(lease: LogLease): void {
    lease.end();
    this.#owned.delete(lease.lease);
  }

  /** Settles with the promise, with the time, or when this member is stopped. */
  async #atMost(ms: number, promise: Promise<void> | undefined): Promise<void> {
    const { signal } = this.#stopped;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.clock.clearTimer(timer);
        signal.removeEventListener("abort", settle);
        resolve();
      };
      const timer = this.clock.setTimer(settle, ms);
      signal.addEventListener("abort", settle);
      if (signal.aborted || promise === undefined) settle();
      promise?.then(settle, (error: unknown) => {
        this.listenerThrew(error);
        settle();
      });
    });
  }
}

/** Settles with the promise or when the signal aborts. */
async function unlessAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      signal.removeEventListener("abort", settle);
      resolve();
    };
    signal.addEventListener("abort", settle);
    promise.then(settle, settle);
  });
}
