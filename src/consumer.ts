import { closeOnSignal } from "./close-on-signal.ts";
import { Committer } from "./commit/committer.ts";
import type { Consumer, ConsumerState } from "./consumer-interface.ts";
import { DeadLetters } from "./dead-letters.ts";
import { ClosedError, errorInfo, HeadraceError, SourceError } from "./errors.ts";
import { type ConsumerEvents, Events } from "./events.ts";
import { GroupLeases } from "./group-leases.ts";
import { ModuleHandlers } from "./module-handlers.ts";
import type { ConsumerOptions } from "./options.ts";
import { Mutexes } from "./process/mutexes.ts";
import { explain, partitionStats, type ConsumerState as ReportState } from "./report.ts";
import { checkConcurrency, type ResolvedOptions, resolveOptions } from "./resolve-options.ts";
import { systemClock } from "./runtime/system-clock.ts";
import { Scheduler } from "./schedule/scheduler.ts";
import { settlesWithin } from "./settles-within.ts";
import { PollCredit } from "./source/poll-credit.ts";
import type { AssignedLease, Lease, Source, SourceBatch, SourceListener } from "./source/source.ts";
import { StallWatch } from "./stall-watch.ts";
import type { CloseReport, CommitReport, ConsumerStats, Explanation } from "./stats.ts";
import type { TopicPartition } from "./types.ts";
import { Validator } from "./validate.ts";

/**
 * Makes a consumer; nothing is connected before `run()` or `start()`.
 *
 * @throws {TypeError|RangeError} For options that cannot work, naming option, rule and value.
 *
 * @example
 * ```ts
 * const consumer = createConsumer({
 *   source: kafkajs({ brokers: ["127.0.0.1:9092"] }),
 *   groupId: "orders",
 *   topics: { orders: { eachMessage: async (message) => apply(message.json()), virtualPartitions: true } },
 * });
 * await consumer.run();
 * ```
 */
export function createConsumer<P extends Record<string, unknown>>(
  options: ConsumerOptions<P>,
): Consumer {
  return new GroupConsumer(resolveOptions(options, systemClock));
}

/** What leaving the group may take beyond the drain and the last commit (R4). */
const LEAVE_MS = 1000;

const check: Validator = new Validator("change a consumer");

/** Owns the lifecycle and wires source, leases and commits; the work itself is in the stages. */
class GroupConsumer implements Consumer {
  readonly #options: ResolvedOptions;
  readonly #events: Events;
  readonly #scheduler: Scheduler;
  readonly #committer: Committer;
  readonly #leases: GroupLeases;
  readonly #deadLetters: DeadLetters | null;
  readonly #modules: ModuleHandlers;
  readonly #paused = new Set<string>();
  #pausedAll = false;
  #state: ConsumerState = "idle";
  #source: Source | null = null;
  #rebalancing = false;
  #sourceError: string | null = null;
  #fatal: unknown = null;
  #dropped = 0;
  #started: Promise<void> | null = null;
  #ran: Promise<CloseReport> | null = null;
  #closing: Promise<CloseReport> | null = null;
  #closeDrain: Promise<unknown> | null = null;
  readonly #stalls: StallWatch;
  #settleClosed!: { resolve: (report: CloseReport) => void; reject: (error: unknown) => void };
  readonly closed: Promise<CloseReport>;

  constructor(options: ResolvedOptions) {
    const { clock, logger } = options;
    this.#options = options;
    this.#events = new Events(logger);
    this.#scheduler = new Scheduler(clock, options.concurrency, (error) => this.#fail(error));
    this.#committer = new Committer({
      clock,
      intervalMs: options.commitIntervalMs,
      groupId: options.groupId,
      send: (entries, signal) => this.#source!.commit(entries, signal),
      onError: (error) => this.#fail(error),
    });
    this.#deadLetters = DeadLetters.of(options);
    this.#modules = new ModuleHandlers({
      options,
      concurrency: () => this.concurrency,
      turn: () => this.#scheduler.turn(),
      report: (error) => this.#report(error, false),
      fatal: (error) => this.#fail(error),
    });
    const host = {
      options,
      scheduler: this.#scheduler,
      credit: new PollCredit(clock, options.maxInFlightMessages, options.maxInFlightBytes),
      events: this.#events,
      marked: (lease: Lease, idle: boolean): void => {
        const record = this.#leases.of(lease);
        if (record === undefined) return;
        record.position.changed();
        this.#committer.changed(record.position, idle);
      },
      deadLetters: this.#deadLetters,
      mutexes: new Mutexes(),
      modules: this.#modules,
      stalled: (lease: Lease, kind: string): void => this.#stalls.report(lease, kind),
      report: (error: unknown): void => this.#report(error, false),
      dropped: (messages: number): void => {
        this.#dropped += messages;
      },
    };
    this.#leases = new GroupLeases(host, this.#committer);
    this.#stalls = new StallWatch({
      clock,
      events: this.#events,
      leases: this.#leases,
      stallMs: options.stallMs,
      state: () => this.#reportState(),
    });
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = { resolve, reject };
    });
    // Whoever cares about a fatal error awaits run() or closed, or listens to "error".
    this.closed.catch(() => {});
  }

  get state(): ConsumerState {
    return this.#state === "running" && this.#pausedAll ? "paused" : this.#state;
  }

  get concurrency(): number {
    return this.#scheduler.concurrency;
  }
  set concurrency(value: number) {
    this.#scheduler.concurrency = checkConcurrency(value, check);
    this.#scheduler.turn();
  }

  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  run(): Promise<CloseReport> {
    this.#ran ??= this.start().then(() => this.closed);
    return this.#ran;
  }

  on<E extends keyof ConsumerEvents>(
    event: E,
    listener: (payload: ConsumerEvents[E]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  pause(topicPartitions?: TopicPartition[]): void {
    if (topicPartitions === undefined) this.#pausedAll = true;
    for (const one of topicPartitions ?? []) this.#paused.add(nameOf(one));
    this.#applyPauses();
  }

  resume(topicPartitions?: TopicPartition[]): void {
    if (topicPartitions === undefined) {
      this.#pausedAll = false;
      this.#paused.clear();
    }
    for (const one of topicPartitions ?? []) this.#paused.delete(nameOf(one));
    this.#applyPauses();
    this.#scheduler.turn();
  }

  async seek({ topic, partition }: TopicPartition, offset: number): Promise<void> {
    const to = check.integer("offset", offset, 0, 0, Number.MAX_SAFE_INTEGER);
    this.#leases.seek(topic, partition, to, this.#source!);
  }

  async commit(): Promise<CommitReport> {
    const positions = this.#leases.all().map((record) => record.position);
    await this.#committer.commitOnce(positions);
    return positions.map((position) => {
      const { topic, partition } = position.lease;
      // More may have been marked meanwhile: the answer counts, not what is pending now.
      const answer = position.refusal === null ? "stored" : "failed";
      const outcome = position.mayCommit ? answer : "fenced";
      return { topic, partition, offset: position.stored ?? -1, outcome };
    });
  }

  close(options: { drainTimeoutMs?: number } = {}): Promise<CloseReport> {
    if (this.#closing === null) {
      const { drainTimeoutMs } = this.#options;
      const limit = options.drainTimeoutMs;
      const drainMs = check.integer("drainTimeoutMs", limit, drainTimeoutMs, 0, 3_600_000);
      this.#closing = this.#close(drainMs);
      this.#closing.catch(() => {});
    }
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  stats(): ConsumerStats {
    const records = this.#leases.all();
    const count = (of: "processed" | "failures"): number =>
      records.reduce((total, { pipeline }) => total + pipeline[of], 0);
    return {
      concurrency: this.concurrency,
      running: this.#scheduler.running,
      processed: this.#leases.processed + count("processed"),
      failed: this.#leases.failed + count("failures"),
      droppedResults: this.#dropped,
      partitions: records.map(partitionStats),
    };
  }

  explain(): Explanation[] {
    const state = this.#reportState();
    const known = this.#leases.all().map((record) => explain(record, state));
    const assigned = new Set(known.map((one) => one.topic));
    const missing = [...this.#options.topics.keys()].filter((topic) => !assigned.has(topic));
    const reason = this.#rebalancing ? "rebalancing" : "not-assigned";
    return [...known, ...missing.map((topic) => ({ topic, partition: -1, reason }) as const)];
  }

  async #start(): Promise<void> {
    if (this.#closing !== null) throw new ClosedError("Cannot run as the consumer is closed");
    const { source, groupId, topics, drainTimeoutMs, maxInFlightBytes } = this.#options;
    const { clock, logger, signal } = this.#options;
    this.#state = "starting";
    this.#rebalancing = true;
    closeOnSignal(signal, this);
    const times = { member: 0, drainTimeoutMs, maxInFlightBytes };
    const group = { groupId, topics: [...topics.keys()], ...times, clock, logger };
    try {
      await this.#modules.start();
      await this.#deadLetters?.check();
      if (this.#closing !== null) return;
      this.#source = source.open(group);
      await this.#source.start(this.#listener());
    } catch (cause) {
      const error = HeadraceError.is(cause) ? cause : startError(cause);
      // Stopped while it started: that is no failure.
      if (this.#closing !== null) return;
      this.#fail(error);
      throw error;
    }
    this.#rebalancing = false;
    if (this.#closing !== null) return;
    this.#state = "running";
    this.#stalls.start(this.#source.sessionTimeoutMs);
  }

  async #close(drainMs: number): Promise<CloseReport> {
    const { clock } = this.#options;
    this.#state = "draining";
    const deadlineMs = clock.now() + drainMs;
    const leases = this.#leases.all().map(({ pipeline }) => pipeline.lease);
    const commit = !isOutOfRange(this.#fatal);
    const draining = this.#leases.drain(leases, deadlineMs, true, commit);
    this.#closeDrain = draining;
    const drain = await draining;
    this.#committer.close();
    this.#leases.end(leases, null);
    this.#stalls.stop();
    await Promise.all([this.#leave(), this.#closeDeadLetters(), this.#modules.close()]);
    this.#state = "closed";
    const { drained, abandoned } = drain;
    const uncommitted = drain.uncommitted.map(({ topic, partition }) => ({ topic, partition }));
    const report = { drained, abandoned, uncommitted };
    this.#events.emit("closed", {});
    if (this.#fatal === null) this.#settleClosed.resolve(report);
    else this.#settleClosed.reject(this.#fatal);
    return report;
  }

  /** Leaves the group; whatever the broker does, not for longer than its time. */
  async #leave(): Promise<void> {
    if (this.#source === null) return;
    const controller = new AbortController();
    const stopped = this.#source
      .stop({ leave: true, signal: controller.signal })
      .catch((error) => this.#report(error, false));
    if (!(await settlesWithin(this.#options.clock, LEAVE_MS, stopped))) controller.abort();
  }

  async #closeDeadLetters(): Promise<void> {
    const closed = this.#deadLetters?.close().catch((error) => this.#report(error, false));
    if (closed !== undefined) await settlesWithin(this.#options.clock, LEAVE_MS, closed);
  }

  /** R8: reported, then closed as ever, then `closed` rejects. */
  #fail(error: unknown): void {
    if (this.#fatal !== null || this.#state === "closed") return;
    this.#fatal = error;
    this.#report(error, true);
    this.close().catch(() => {});
  }

  #report(error: unknown, fatal: boolean): void {
    const info = errorInfo(error);
    // "closed" is the last event.
    if (this.#state === "closed") this.#options.logger.error(info.message, info);
    else this.#events.emit("error", { error: info, fatal });
  }

  /** What the source tells; an error of ours must not reach the client: it is fatal here. */
  #listener(): SourceListener {
    const guard =
      <A extends unknown[], R>(otherwise: R, act: (...args: A) => R) =>
      (...args: A): R => {
        try {
          return act(...args);
        } catch (error) {
          this.#fail(error);
          return otherwise;
        }
      };
    return {
      assigned: (leases) => leases.map((assigned) => this.#assign(assigned)),
      revoking: (leases, deadlineMs) =>
        this.#revoke(leases, deadlineMs).catch((error) => this.#fail(error)),
      joined: guard(undefined, (kept: readonly Lease[], ended: readonly Lease[]) => {
        this.#rebalancing = false;
        this.#leases.end(ended, "revoked");
        this.#leases.resume(kept);
        this.#scheduler.turn();
      }),
      lost: guard(undefined, (leases: readonly Lease[]) => this.#leases.end(leases, "lost")),
      deliver: guard(undefined, (batch: SourceBatch): void | Promise<void> => {
        this.#sourceError = null;
        return this.#leases.of(batch.lease)?.pipeline.deliver(batch);
      }),
      advanced: guard(undefined, (lease: Lease, nextOffset: number) =>
        this.#leases.of(lease)?.pipeline.advanced(nextOffset),
      ),
      failed: (error, fatal) => {
        this.#sourceError = error.message;
        if (fatal) this.#fail(error);
        else this.#report(error, false);
      },
    };
  }

  #assign(assigned: AssignedLease): number {
    this.#rebalancing = false;
    this.#sourceError = null;
    const nowhere = assigned.committed?.offset ?? assigned.logEnd;
    if (this.#closing !== null) return nowhere;
    try {
      const offset = this.#leases.assign(assigned, this.#source!);
      this.#applyPauses();
      return offset;
    } catch (error) {
      this.#fail(error);
      return nowhere;
    }
  }

  async #revoke(leases: readonly Lease[], deadlineMs: number): Promise<void> {
    // A close that runs drains and commits them itself: they are ours until it has.
    if (this.#closeDrain !== null) {
      await this.#closeDrain;
      return;
    }
    this.#rebalancing = true;
    const { clock, drainTimeoutMs } = this.#options;
    const untilMs = clock.now() + Math.min(deadlineMs, drainTimeoutMs);
    await this.#leases.drain(leases, untilMs, false, true);
    if (this.#closing === null) this.#leases.suspend(leases);
  }

  #applyPauses(): void {
    for (const { pipeline } of this.#leases.all()) {
      pipeline.pauses.user = this.#pausedAll || this.#paused.has(nameOf(pipeline.lease));
    }
  }

  #reportState(): ReportState {
    const slotsTaken = this.#scheduler.running >= this.concurrency;
    return { slotsTaken, sourceError: this.#sourceError, nowMs: this.#options.clock.now() };
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}#${partition}`;
}

/** After `onOutOfRange: "error"` nothing is committed (R8). */
function isOutOfRange(error: unknown): boolean {
  return HeadraceError.is(error) && error.code === "HEADRACE_OUT_OF_RANGE";
}

function startError(cause: unknown): SourceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SourceError(`Cannot start as the source failed: received ${why}`, { cause });
}
