import { settlesWithin } from "../settles-within.ts";
import type { CommitEntry, CommitOutcome, Lease } from "../source/source.ts";
import type { Clock, TimerHandle } from "../types.ts";

/** A partition that became idle is committed after this time (O4). */
const IDLE_COMMIT_MS = 50;
/** Deadline of one request. */
const REQUEST_MS = 5000;
/** Pause before a request that was not stored is repeated. */
const REPEAT_MS = 100;
/** Most bytes of one request: brokers refuse a request whole above about 1,000,000. */
const MAX_REQUEST_BYTES = 900_000;
/** What one entry costs beside its texts. */
const ENTRY_BYTES = 64;

/** What must be stored for a partition. The same object comes back with the answer. */
export interface PendingCommit {
  readonly offset: number;
  readonly metadata: string;
}

/** A partition as the committer sees it. */
export interface Committable {
  readonly lease: Lease;
  /** The lease may send commits in this tick. */
  readonly mayCommit: boolean;
  /** What must be stored; null when the broker has it already. */
  pendingCommit(): PendingCommit | null;
  committed(sent: PendingCommit, outcome: CommitOutcome): void;
}

interface CommitterOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly groupId: string;
  readonly send: (
    entries: readonly CommitEntry[],
    signal: AbortSignal,
  ) => Promise<readonly CommitOutcome[]>;
  readonly onError: (error: unknown) => void;
}

/**
 * Tells the broker what is done (O4): in intervals where something changed, soon after a partition became idle, and
 * on demand. One request at a time; what was not stored is sent again, newest first, without waiting for new work.
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #dirty = new Set<Committable>();
  readonly #encoder = new TextEncoder();
  #timer: TimerHandle | null = null;
  #timerAtMs = 0;
  #inFlight: Promise<void> | null = null;
  #closed = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Something was marked; idle: nothing is left to do. */
  changed(partition: Committable, idle: boolean): void {
    if (this.#closed) return;
    if (!idle && this.#timer !== null && this.#dirty.has(partition)) return;
    this.#dirty.add(partition);
    this.#arm(idle ? IDLE_COMMIT_MS : this.#options.intervalMs);
  }

  /** Must be stored before anything else can happen: sent in this turn of the event loop. */
  changedNow(partition: Committable): void {
    if (this.#closed) return;
    this.#dirty.add(partition);
    this.#arm(0);
  }

  /** The lease is over. */
  remove(partition: Committable): void {
    this.#dirty.delete(partition);
  }

  close(): void {
    this.#closed = true;
    this.#disarm();
    this.#dirty.clear();
  }

  /**
   * Commits now and until everything is stored, refused for good, or the deadline has passed.
   *
   * @param deadlineMs Monotonic time; at least one round is tried before it.
   * @returns Partitions that are not stored.
   */
  async flush(partitions: readonly Committable[], deadlineMs: number): Promise<Committable[]> {
    const { clock } = this.#options;
    for (;;) {
      await this.#round(partitions, deadlineMs);
      const left = partitions.filter((one) => one.mayCommit && one.pendingCommit() !== null);
      if (left.length === 0 || clock.now() + REPEAT_MS >= deadlineMs) return left;
      await new Promise<void>((resolve) => clock.setTimer(resolve, REPEAT_MS));
    }
  }

  /** One round for `consumer.commit()`. */
  async commitOnce(partitions: readonly Committable[]): Promise<void> {
    await this.#round(partitions, this.#options.clock.now() + REQUEST_MS);
  }

  #arm(delayMs: number): void {
    const { clock } = this.#options;
    const atMs = clock.now() + delayMs;
    if (this.#timer !== null) {
      if (this.#timerAtMs <= atMs) return;
      this.#disarm();
    }
    this.#timerAtMs = atMs;
    this.#timer = clock.setTimer(() => {
      this.#timer = null;
      this.#tick().catch(this.#options.onError);
    }, delayMs);
  }

  #disarm(): void {
    if (this.#timer !== null) this.#options.clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  async #tick(): Promise<void> {
    if (this.#inFlight === null) {
      await this.#round([...this.#dirty], this.#options.clock.now() + REQUEST_MS);
    }
    if (this.#dirty.size > 0 && !this.#closed) {
      this.#arm(Math.min(this.#options.intervalMs, 10 * REPEAT_MS));
    }
  }

  /** Sends once the running request has ended, or at the deadline. */
  async #round(partitions: readonly Committable[], deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    while (this.#inFlight !== null && clock.now() < deadlineMs) {
      await settlesWithin(clock, deadlineMs - clock.now(), this.#inFlight);
    }
    // No await between the look and the start: of several who waited, one goes first.
    const round = this.#send(partitions, deadlineMs).finally(() => {
      if (this.#inFlight === round) this.#inFlight = null;
    });
    this.#inFlight = round;
    await round;
  }

  async #send(partitions: readonly Committable[], deadlineMs: number): Promise<void> {
    let from = 0;
    while (from < partitions.length) {
      const sent: [Committable, PendingCommit][] = [];
      const entries: CommitEntry[] = [];
      // Read in the tick that sends: newest entry wins, and an ended lease sends nothing (R5).
      for (let bytes = 0; from < partitions.length; from++) {
        const partition = partitions[from]!;
        const pending = partition.mayCommit ? partition.pendingCommit() : null;
        if (pending === null) {
          this.#dirty.delete(partition);
          continue;
        }
        bytes += this.#bytesOf(partition.lease, pending.metadata);
        if (entries.length > 0 && bytes > MAX_REQUEST_BYTES) break;
        sent.push([partition, pending]);
        const { offset, metadata } = pending;
        entries.push({ lease: partition.lease, offset, metadata });
      }
      if (entries.length > 0) await this.#request(sent, entries, deadlineMs);
    }
  }

  async #request(
    sent: readonly (readonly [Committable, PendingCommit])[],
    entries: readonly CommitEntry[],
    deadlineMs: number,
  ): Promise<void> {
    const { clock, send } = this.#options;
    const controller = new AbortController();
    const answer = send(entries, controller.signal);
    const limitMs = Math.max(1, Math.min(REQUEST_MS, deadlineMs - clock.now()));
    // A request that does not answer in time has an unknown outcome: it is repeated.
    const inTime = await settlesWithin(clock, limitMs, answer);
    const outcomes = inTime ? await answer : null;
    if (!inTime) controller.abort();
    for (const [i, [partition, pending]] of sent.entries()) {
      const outcome = outcomes?.[i] ?? "retry";
      partition.committed(pending, outcome);
      if (!partition.mayCommit || partition.pendingCommit() === null) this.#dirty.delete(partition);
    }
  }

  #bytesOf(lease: Lease, metadata: string): number {
    const texts = metadata + lease.topic + this.#options.groupId;
    return this.#encoder.encode(texts).length + ENTRY_BYTES;
  }
}
