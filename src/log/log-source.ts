import { CorruptLogError, HeadraceError, SourceError } from "../errors.ts";
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
import { type AssignorName, assignors } from "./assignors.ts";
import { type AssignedPartition, GroupCoordinator, type GroupMember } from "./group-coordinator.ts";
import { type GroupOffset, MAX_METADATA_LENGTH } from "./group-slot.ts";
import type { LockedGroup } from "./locked-group.ts";
import { type LeaseOwner, LogLease } from "./log-lease.ts";
import type { ReaderStore } from "./reader-store.ts";

/** How long a drain may take past its deadline: the last commit's reserve (R7). */
const REVOKE_RESERVE_MS = 5000;
/** How long a group whose lock somebody else holds is waited for. */
const JOIN_TRIES = 20;
const JOIN_RETRY_MS = 5;

/** What a source is opened with. */
export type GroupOptions = Parameters<SourceFactory["open"]>[0];

/** A share in a log that is open for reading, given back when its user is done. */
export interface ReaderShare {
  readonly reader: ReaderStore;
  close(): Promise<void>;
}

/**
 * A member of a consumer group over the embedded log. It reads beside whoever writes, and never
 * writes to the log itself: what it stores are the group's offsets.
 */
export class LogSource implements Source, GroupMember, LeaseOwner {
  readonly can: Source["can"];
  readonly group: GroupOptions;
  readonly #openShare: () => Promise<ReaderShare>;
  readonly #assignor: AssignorName;
  readonly #owned = new Map<Lease, LogLease>();
  readonly #stopped = new AbortController();
  #listener: SourceListener | undefined;
  #share: ReaderShare | undefined;
  #coordinator: GroupCoordinator | undefined;
  #started = false;

  constructor(
    group: GroupOptions,
    openShare: () => Promise<ReaderShare>,
    assignor: AssignorName = "sticky",
  ) {
    this.group = group;
    this.#openShare = openShare;
    this.#assignor = assignor;
    const { incremental } = assignors[assignor];
    this.can = { drainOnRevoke: true, incremental, raw: true, topicIds: true };
  }

  get clock(): GroupOptions["clock"] {
    return this.group.clock;
  }

  get topics(): readonly string[] {
    return this.group.topics;
  }

  /**
   * @throws {SourceError} When a topic is missing, or it was started before.
   * @throws {LogError} When there is no log, or another process has the group.
   */
  async start(listener: SourceListener): Promise<void> {
    if (this.#started) {
      throw new SourceError(
        "Cannot start a source as it starts only once: received a second start",
      );
    }
    this.#started = true;
    const share = await this.#openShare();
    const { root } = share.reader;
    share.reader.refresh();
    const missing = this.topics.filter((topic) => share.reader.topic(topic) === undefined);
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
    try {
      await this.#join(share.reader);
    } catch (error) {
      this.#listener = undefined;
      this.#share = undefined;
      await share.close();
      throw error;
    }
  }

  /** A commit from outside holds the group's lock for some milliseconds: it is waited for. */
  async #join(reader: ReaderStore): Promise<void> {
    for (let tries = 1; !this.#stopped.signal.aborted; tries++) {
      const coordinator = GroupCoordinator.of(reader, this.group.groupId, this.#assignor);
      this.#coordinator = coordinator;
      try {
        await coordinator.join(this, this.#assignor);
        return;
      } catch (error) {
        if (!HeadraceError.is(error) || !error.retriable || tries === JOIN_TRIES) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, JOIN_RETRY_MS));
    }
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
    if (signal.aborted) return entries.map(() => "retry");
    const groups = new Set(entries.map(({ lease }) => this.#owned.get(lease)?.offsets));
    const held = new Map([...groups].map((one) => [one, one?.held ?? false]));
    const outcomes = entries.map((entry) => this.#store(entry, held));
    for (const { lease } of entries) this.#tellTaken(lease, held);
    return outcomes;
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

  lose(owned: readonly LogLease[]): void {
    for (const lease of owned) this.#drop(lease);
    this.call((listener) => listener.lost(owned.map(({ lease }) => lease)));
  }

  failed(error: HeadraceError, fatal: boolean): void {
    this.call((listener) => listener.failed(error, fatal));
  }

  // What leases call.

  outOfRange(lease: LogLease, position: number): void {
    if (this.#owned.get(lease.lease) !== lease) return;
    this.lose([lease]);
    this.#coordinator?.renew(lease, position);
  }

  deliver(batch: SourceBatch): void | Promise<void> {
    return this.call((listener) => listener.deliver(batch));
  }

  untilNeeded(lease: Lease): Promise<void> | undefined {
    return this.call((listener) => listener.untilNeeded?.(lease, 0));
  }

  advanced(lease: Lease, nextOffset: number): void {
    this.call((listener) => listener.advanced(lease, nextOffset));
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
    this.failed(failure, fatal);
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

  #describe(assigned: AssignedPartition, lease: Lease): AssignedLease {
    const { topic, log, offsets, remade, lostAt } = assigned;
    log.refresh();
    const { logStart, logEnd } = log;
    const stored: GroupOffset | undefined = offsets.get(lease.partition);
    let committed = stored ? { offset: stored.offset, metadata: stored.metadata } : null;
    let groupKnowsTopic = remade || offsets.partitions.length > 0;
    if (committed === null && lostAt !== undefined) {
      // Nothing was stored yet, but the group is no new one that may begin at the end: O11 decides
      // by the position, which proves nothing when it lies inside again.
      groupKnowsTopic = true;
      const isInside = lostAt >= logStart && lostAt <= logEnd;
      if (!isInside) committed = { offset: lostAt, metadata: "" };
    }
    return { lease, committed, groupKnowsTopic, logStart, logEnd, topicId: topic.id };
  }

  #store(
    { lease, offset, metadata }: CommitEntry,
    held: ReadonlyMap<LockedGroup | undefined, boolean>,
  ): CommitOutcome {
    const owned = this.#owned.get(lease);
    if (owned === undefined || held.get(owned.offsets) !== true) return "fenced";
    if (metadata.length > MAX_METADATA_LENGTH) return "too-large";
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(`Cannot commit as offsets are integers >= 0: received ${offset}`);
    }
    const { offsets, generation } = owned;
    try {
      offsets.set(lease.partition, { offset, metadata, generation });
    } catch (error) {
      this.group.logger.warn(`Cannot store an offset of ${lease.topic}: ${String(error)}`);
      return "retry";
    }
    return "stored";
  }

  /** Says why commits are fenced although the lease is ours: the topic is gone, or the group. */
  #tellTaken(lease: Lease, held: ReadonlyMap<LockedGroup | undefined, boolean>): void {
    const owned = this.#owned.get(lease);
    if (owned === undefined || held.get(owned.offsets) !== false) return;
    // A topic that is gone is lost in a turn of its own.
    if (this.#coordinator?.isThere(owned.topic) !== true) return;
    const { groupId } = this.group;
    this.failed(
      new SourceError(
        `Cannot go on in group ${groupId} as this process must hold its lock: ` +
          `received a lock of ${lease.topic} that is gone or another's`,
      ),
      true,
    );
  }

  #refuseStart(lease: LogLease, start: number | undefined): void {
    this.#drop(lease);
    const rule = "Cannot start a lease as its offset must be an integer >= 0";
    this.failed(new SourceError(`${rule}: received ${start}`), true);
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
