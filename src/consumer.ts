import { closeOnSignal } from "./close-on-signal.ts";
import type { Consumer, ConsumerState } from "./consumer-interface.ts";
import { DeadLetters } from "./dead-letters.ts";
import { ClosedError, errorInfo, FencedError, HeadraceError } from "./errors.ts";
import { type ConsumerEvents, Events } from "./events.ts";
import {
  GroupMember,
  type MemberConsumer,
  membersOf,
  prepareSegments,
  startError,
} from "./group-member.ts";
import { ModuleHandlers } from "./module-handlers.ts";
import type { ConsumerOptions } from "./options.ts";
import { Mutexes } from "./process/mutexes.ts";
import { consumerState, type LeaseRecord } from "./report.ts";
import { checkConcurrency, type ResolvedOptions, resolveOptions } from "./resolve-options.ts";
import { environmentVariable } from "./runtime/environment.ts";
import { systemClock } from "./runtime/system-clock.ts";
import { Scheduler } from "./schedule/scheduler.ts";
import { settlesWithin } from "./settles-within.ts";
import { PollCredit } from "./source/poll-credit.ts";
import type { Lease } from "./source/source.ts";
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
  return new GroupConsumer(resolveOptions(options, systemClock, environmentVariable));
}

/** What leaving the group may take beyond the drain and the last commit (R4). */
const LEAVE_MS = 1000;

const check: Validator = new Validator("change a consumer");

/** Owns the lifecycle and wires the members of its groups; the work itself is in the stages. */
class GroupConsumer implements Consumer {
  readonly #options: ResolvedOptions;
  readonly #events: Events;
  readonly #scheduler: Scheduler;
  /** One; with parallel segments, one for each that this process runs. */
  readonly #members: readonly GroupMember[];
  readonly #deadLetters: DeadLetters | null;
  readonly #modules: ModuleHandlers;
  readonly #paused = new Set<string>();
  #pausedAll = false;
  #state: ConsumerState = "idle";
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
    this.#deadLetters = DeadLetters.of(options);
    this.#modules = new ModuleHandlers({
      options,
      concurrency: () => this.concurrency,
      turn: () => this.#scheduler.turn(),
      report: (error) => this.#report(error, false),
      fatal: (error) => this.#fail(error),
    });
    const facts = membersOf(options);
    const consumer: MemberConsumer = {
      options,
      scheduler: this.#scheduler,
      credit: new PollCredit(clock, options.maxInFlightMessages, options.maxInFlightBytes),
      events: this.#events,
      deadLetters: this.#deadLetters,
      mutexes: new Mutexes(options.groupId),
      modules: this.#modules,
      memberCount: facts.length,
      closeDrain: () => this.#closeDrain,
      isClosing: () => this.#closing !== null,
      isPaused: (where) => this.#pausedAll || this.#paused.has(nameOf(where)),
      stalled: (lease, kind) => this.#stalls.report(lease, kind),
      report: (error) => this.#report(error, false),
      fail: (error) => this.#fail(error),
      dropped: (messages) => {
        this.#dropped += messages;
      },
    };
    this.#members = facts.map((one) => new GroupMember(consumer, one));
    this.#stalls = new StallWatch({
      clock,
      leases: {
        all: () => this.#members.flatMap(({ leases }) => leases.all()),
        of: (lease) => this.#recordOf(lease),
      },
      stallMs: options.stallMs,
      state: () => consumerState(this.#scheduler, clock),
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

  async seek(where: TopicPartition, offset: number): Promise<void> {
    const to = check.integer("offset", offset, 0, 0, Number.MAX_SAFE_INTEGER);
    const taken = this.#members.map((member) => member.seek(where, to));
    if (taken.includes(true)) return;
    const rule = "the partition must be assigned";
    throw new FencedError(`Cannot seek as ${rule}: received ${nameOf(where)}`);
  }

  async commit(): Promise<CommitReport> {
    const reports = await Promise.all(this.#members.map((member) => member.commit()));
    return reports.flat();
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
    const sum = (of: "processed" | "failed"): number =>
      this.#members.reduce((total, member) => total + member.counts()[of], 0);
    return {
      concurrency: this.concurrency,
      running: this.#scheduler.running,
      processed: sum("processed"),
      failed: sum("failed"),
      droppedResults: this.#dropped,
      partitions: this.#members.flatMap((member) => member.stats()),
    };
  }

  explain(): Explanation[] {
    return this.#members.flatMap((member) => member.explain());
  }

  async #start(): Promise<void> {
    if (this.#closing !== null) throw new ClosedError("Cannot run as the consumer is closed");
    this.#state = "starting";
    closeOnSignal(this.#options.signal, this);
    for (const member of this.#members) member.rebalancing = true;
    try {
      await this.#modules.start();
      await this.#deadLetters?.check();
      await prepareSegments(this.#options);
      if (this.#closing !== null) return;
      await Promise.all(this.#members.map((member) => member.start()));
    } catch (cause) {
      const error = HeadraceError.is(cause) ? cause : startError(cause);
      // Stopped while it started: that is no failure.
      if (this.#closing !== null) return;
      this.#fail(error);
      throw error;
    }
    if (this.#closing !== null) return;
    this.#state = "running";
    this.#stalls.start(this.#members[0]!.sessionTimeoutMs);
  }

  async #close(drainMs: number): Promise<CloseReport> {
    const { clock } = this.#options;
    this.#state = "draining";
    const deadlineMs = clock.now() + drainMs;
    const commit = !isOutOfRange(this.#fatal);
    const draining = Promise.all(this.#members.map((member) => member.drain(deadlineMs, commit)));
    this.#closeDrain = draining;
    const drains = await draining;
    for (const member of this.#members) member.end();
    this.#stalls.stop();
    const left = this.#members.map((member) => member.leave());
    await Promise.all([...left, this.#closeDeadLetters(), this.#modules.close()]);
    this.#state = "closed";
    const report = {
      drained: drains.reduce((sum, one) => sum + one.drained, 0),
      abandoned: drains.reduce((sum, one) => sum + one.abandoned, 0),
      uncommitted: drains.flatMap((one) => one.uncommitted),
    };
    this.#events.emit("closed", {});
    if (this.#fatal === null) this.#settleClosed.resolve(report);
    else this.#settleClosed.reject(this.#fatal);
    return report;
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

  #recordOf(lease: Lease): LeaseRecord | undefined {
    for (const { leases } of this.#members) {
      const record = leases.of(lease);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  #applyPauses(): void {
    for (const member of this.#members) member.applyPauses();
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}#${partition}`;
}

/** After `onOutOfRange: "error"` nothing is committed (R8). */
function isOutOfRange(error: unknown): boolean {
  return HeadraceError.is(error) && error.code === "HEADRACE_OUT_OF_RANGE";
}
