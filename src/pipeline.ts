import { errorInfo, ProcessError } from "./errors.ts";
import { Intake } from "./intake.ts";
import type { Lane } from "./lane.ts";
import { CallLatencies } from "./latency.ts";
import { OffsetTracker } from "./mark/offset-tracker.ts";
import type { CollectedResults } from "./mark/results.ts";
import { Marking, resultsRange } from "./marking.ts";
import type { LeaseState, PipelineHost, PipelineStart } from "./pipeline-host.ts";
import { PolledBatch } from "./polled-batch.ts";
import { backoffDelayMs } from "./process/backoff.ts";
import type { CallContext } from "./process/call-context.ts";
import { InlineProcessor, type ProcessListener } from "./process/inline-processor.ts";
import { Instances } from "./process/instances.ts";
import type { ResolvedTopic } from "./resolve-options.ts";
import { Filling } from "./schedule/filling.ts";
import { LeaseHolds } from "./schedule/held-keys.ts";
import { PartitionLanes } from "./schedule/partition-lanes.ts";
import { Quiet } from "./schedule/quiet.ts";
import type { Runnable } from "./schedule/scheduler.ts";
import type { Slice } from "./schedule/slice.ts";
import { settlesWithin } from "./settles-within.ts";
import type { CreditAccount } from "./source/poll-credit.ts";
import type { Lease, SourceBatch } from "./source/source.ts";
import { Timers } from "./timers.ts";
import type { Clock, VirtualPartitionConsumer } from "./types.ts";

/** F4: farther past its committable offset, a partition starts nothing new. */
const MAX_OPEN_RANGE = 2 ** 31;

/**
 * One lease's way through group, distribute, schedule, process and mark.
 *
 * It wires the stages of one partition and holds the lease's state; nothing of it outlives the lease but calls that
 * are still running, whose keys stay held (R6).
 */
export class Pipeline implements Runnable, ProcessListener {
  readonly lease: Lease;
  readonly topic: ResolvedTopic;
  readonly tracker: OffsetTracker;
  readonly lanes: PartitionLanes;
  readonly intake: Intake;
  readonly groupId: string;
  readonly offsetMetadata: null = null;
  readonly latencies: CallLatencies = new CallLatencies();
  state: LeaseState = "live";
  /** `consumer.pause()`. */
  paused = false;
  /** The start offset is not stored yet (O10): nothing is handed out. */
  gated: boolean;
  highWatermark: number;
  /** Messages of calls that ended well, since the lease began. */
  processed = 0;
  failures = 0;
  /** When something was last marked, or polled while nothing was open. */
  progressMs: number;
  sliceStartMs = 0;
  readonly account: CreditAccount;

  readonly #host: PipelineHost;
  readonly #clock: Clock;
  readonly #processor: InlineProcessor;
  readonly #instances: Instances;
  readonly #holds: LeaseHolds;
  readonly #marking: Marking;
  readonly #timers: Timers;
  readonly #filling: Filling;
  readonly #quiet: Quiet;
  #inRun = false;

  constructor(
    host: PipelineHost,
    lease: Lease,
    topic: ResolvedTopic,
    start: PipelineStart,
    source: { pause(lease: Lease): void; resume(lease: Lease): void },
  ) {
    const { groupId, clock } = host.options;
    this.#host = host;
    this.#clock = clock;
    this.#timers = new Timers(clock);
    this.#quiet = new Quiet(clock);
    this.lease = lease;
    this.topic = topic;
    this.groupId = groupId;
    this.gated = start.gated;
    this.highWatermark = start.highWatermark;
    this.progressMs = clock.now();
    this.tracker = new OffsetTracker(start.offset);
    this.#holds = new LeaseHolds(groupId, lease.topic, lease.partition, () => this.#keysReleased());
    const perKey = topic.distribution === "per-key";
    const { maxPartitions, maxMessages, maxWaitMs } = topic;
    const batches = topic.handler.form !== "eachMessage";
    this.lanes = new PartitionLanes(
      { maxPartitions, perKey, maxMessages, maxWaitMs: batches ? maxWaitMs : 0 },
      this.#holds.keys,
    );
    this.#filling = new Filling(this.lanes, this.#timers, maxWaitMs, () => host.scheduler.turn());
    this.intake = new Intake(topic, this.lanes, host.events);
    this.#marking = new Marking(this.tracker, this.intake, topic.manual, (results) =>
      this.#applied(results),
    );
    this.#instances = new Instances(
      topic.handler,
      { topic: lease.topic, partition: lease.partition, groupId },
      (hook, cause) => host.report(new ProcessError(`Cannot run ${hook}() as it threw`, { cause })),
    );
    this.#processor = new InlineProcessor(this, topic.handler);
    this.account = host.credit.open(
      () => {
        source.pause(lease);
        this.#watchFilling();
        host.scheduler.turn();
      },
      () => source.resume(lease),
    );
    host.scheduler.add(this);
  }

  get ended(): boolean {
    return this.state === "ended";
  }
  get mayCommit(): boolean {
    return this.state === "live" || this.state === "draining";
  }
  get committable(): number {
    return this.tracker.committable;
  }
  get draining(): boolean {
    return this.state !== "live";
  }
  get waiting(): number {
    return this.lanes.waiting;
  }
  get running(): number {
    return this.lanes.running;
  }
  get canRun(): boolean {
    if (!this.lanes.hasReady || !this.mayStart || this.gated) return false;
    // A full map is emptied by the oldest open message alone: it may start, also as a retry.
    return !this.mapFull || this.lanes.readyOffset === this.tracker.committable;
  }
  /** Asked before every call, so it is cheap; what changes slowly is in `canRun`. */
  get mayStart(): boolean {
    return this.state === "live" && !this.paused && (!this.topic.manual || !this.unmarkedFull);
  }
  get unmarkedFull(): boolean {
    return this.unacknowledged >= this.#host.options.maxUnmarkedMessages;
  }
  get mapFull(): boolean {
    return this.tracker.nextOffset - this.tracker.committable > MAX_OPEN_RANGE;
  }
  /** Messages whose call ended without a mark. */
  get unacknowledged(): number {
    return this.#marking.unacknowledged;
  }
  /** Polled, in a lane or behind an ordered run, running calls included. */
  get unfinished(): number {
    return this.lanes.length + this.intake.waitingMessages;
  }
  /** Messages handed to calls that have not ended. */
  get inFlight(): number {
    return this.#processor.pendingMessages;
  }
  get pendingCalls(): ReadonlySet<CallContext> {
    return this.#processor.pending;
  }

  // ---- source → group → distribute → schedule ----------------------------------------------------------------

  deliver(given: SourceBatch): Promise<void> | undefined {
    if (this.state === "ended") return undefined;
    const batch = new PolledBatch(this, given, this.topic.deserializer, this.#clock.now());
    this.highWatermark = batch.highWatermark;
    const { records, count } = batch;
    this.tracker.deliver(batch.baseOffset, count, records.offsetDeltas, batch.nextOffset);
    if (count === 0) {
      this.#host.marked(this.lease, this.unfinished === 0);
      return undefined;
    }
    const hold = this.#host.credit.charge(this.account, count, records.byteLength);
    this.intake.add(batch);
    this.#watchFilling();
    this.#host.scheduler.turn();
    return hold;
  }

  advanced(nextOffset: number): void {
    if (this.state === "ended") return;
    this.tracker.advance(nextOffset);
    this.#host.marked(this.lease, this.unfinished === 0);
    if (this.lanes.filling.size === 0) return;
    this.#watchFilling();
    this.#host.scheduler.turn();
  }

  /** F3: at the end of the log, or without budget to poll more, no call waits to be filled. */
  #watchFilling(): void {
    if (this.lanes.filling.size === 0) return;
    const atEnd = this.highWatermark >= 0 && this.tracker.nextOffset >= this.highWatermark;
    this.#filling.watch(atEnd || this.account.paused || this.state !== "live");
  }

  // ---- schedule → process ------------------------------------------------------------------------------------

  run(slice: Slice): boolean {
    this.#inRun = true;
    try {
      return this.#runLanes(slice);
    } finally {
      this.#inRun = false;
      // A handler may have ended its own lease, in the tick in which its call began.
      if (this.state === "ended") this.#holds.end(this.#processor.pending);
    }
  }

  #runLanes(slice: Slice): boolean {
    const nowMs = this.#clock.now();
    const { mapFull } = this;
    this.sliceStartMs = nowMs;
    let sampled = false;
    for (;;) {
      const lane = this.mayStart ? this.lanes.take() : undefined;
      if (lane === undefined) return false;
      if (!sampled) this.#sample(lane, nowMs);
      sampled = true;
      if (this.#processor.run(lane, slice)) return true;
      this.#give(lane, nowMs);
      if (slice.over || mapFull) return false;
    }
  }

  #give(lane: Lane, nowMs: number): void {
    this.lanes.give(lane, nowMs);
    this.#watchFilling();
  }

  /** Once a slice, not per message (H4). */
  #sample(lane: Lane, nowMs: number): void {
    const { batch, index } = lane;
    const { events } = this.#host;
    if (events.has("scheduled")) {
      const { topic, partition } = this.lease;
      events.emit("scheduled", { topic, partition, virtualPartition: lane.slot });
    }
    this.latencies.add(batch, index, this.#clock, nowMs);
  }

  callLength(lane: Lane): number {
    return this.lanes.callLength(lane);
  }

  isHeld(batch: PolledBatch, index: number): boolean {
    return this.#holds.keys.blocks(batch, index);
  }

  settled(lane: Lane): void {
    this.#give(lane, this.#clock.now());
    this.#holds.settled(lane);
    this.#host.scheduler.release();
    this.flush();
    this.#host.scheduler.turn();
  }

  failed(lane: Lane, call: CallContext, error: unknown): void {
    this.failures++;
    this.#marking.failed(lane);
    lane.waiting = true;
    const { topic, partition } = this.lease;
    this.#host.events.emit("failed", {
      topic,
      partition,
      offset: lane.firstOffset,
      virtualPartition: call.virtualPartition,
      attempt: lane.failures,
      collapsed: false,
      error: errorInfo(error),
    });
    this.#timers.set(backoffDelayMs(this.topic.retry, lane.failures), () => {
      this.lanes.retry(lane, this.#clock.now());
      this.#host.scheduler.turn();
    });
  }

  abandoned(lane: Lane): void {
    this.#marking.failed(lane);
  }

  consumerOf(virtualPartition: number): VirtualPartitionConsumer {
    return this.#instances.of(virtualPartition);
  }

  // ---- process → mark ----------------------------------------------------------------------------------------

  done(batch: PolledBatch, index: number): void {
    this.lanes.length--;
    if (this.state === "ended") this.#host.dropped(1);
    else this.#marking.done(batch, index);
  }

  isOpen(batch: PolledBatch, index: number): boolean {
    return this.#marking.isOpen(batch, index);
  }

  markThrough(batch: PolledBatch, index: number, caller: CallContext): boolean {
    if (this.state === "ended" || batch.owner !== this) return false;
    this.#marking.through(batch, index, [caller, ...this.#processor.pending]);
    this.progressMs = this.#clock.now();
    this.#host.marked(this.lease, this.unfinished === 0);
    if (this.mayStart) this.#host.scheduler.turn();
    return true;
  }

  flush(): void {
    this.#marking.apply();
    const waits = this.intake.waitingMessages > 0 && this.lanes.length === 0;
    if (waits && this.state !== "ended") {
      this.intake.admit();
      this.#watchFilling();
      // Only after this turn: a turn that is running does not see what was admitted behind it.
      this.#clock.defer(() => this.#host.scheduler.turn());
    }
    if (this.lanes.running === 0) this.#quiet.reached();
  }

  #applied(results: CollectedResults): void {
    const { count, bytes } = results;
    const { manual } = this.topic;
    if (!manual) this.progressMs = this.#clock.now();
    this.processed += count;
    this.#host.credit.refund(this.account, count, bytes);
    this.#host.marked(this.lease, this.unfinished === 0);
    const { events } = this.#host;
    if (!events.has("processed") && !events.has("marked")) return;
    const payload = resultsRange(this.lease, results);
    events.emit("processed", payload);
    if (!manual) events.emit("marked", payload);
  }

  // ---- end of the lease --------------------------------------------------------------------------------------

  /**
   * No new call starts; running calls get until the deadline, then their signals abort (R2).
   *
   * @returns Messages of calls that ended, and of calls that still run.
   */
  async drain(
    deadlineMs: number,
    closing: boolean,
  ): Promise<{ drained: number; abandoned: number }> {
    this.state = "draining";
    if (closing) this.#stopPolling();
    this.#timers.clear();
    this.#filling.reset();
    this.lanes.startFilling();
    // A handler that closes is counted among the running calls once its own call has begun.
    if (this.#inRun) await Promise.resolve();
    const before = this.inFlight;
    if (this.lanes.running > 0) await this.#quiet.until(deadlineMs);
    const abandoned = this.inFlight;
    for (const call of this.#processor.pending) call.abort(new Error("The drain deadline passed"));
    const hooks = this.#instances.runAll(closing ? ["flush", "shutdown"] : ["flush"]);
    await settlesWithin(this.#clock, deadlineMs - this.#clock.now(), hooks);
    this.flush();
    return { drained: before - abandoned, abandoned };
  }

  /** The join gave the partition back: everything goes on, back-offs at once (R3). */
  resume(): void {
    if (this.state !== "suspended") return;
    this.state = "live";
    const nowMs = this.#clock.now();
    for (const lane of this.lanes.busy()) if (lane.waiting) this.lanes.retry(lane, nowMs);
    this.#watchFilling();
  }

  /** The lease is over: signals abort, queued work is dropped, keys of running calls stay held. */
  end(): void {
    if (this.state === "ended") return;
    this.flush();
    this.state = "ended";
    this.#timers.clear();
    this.#host.scheduler.remove(this);
    this.#host.credit.close(this.account);
    if (!this.#inRun) this.#holds.end(this.#processor.pending);
    for (const call of this.#processor.pending) call.abort(new Error("The lease is over"));
    this.#instances.run("revoked").catch((error) => this.#host.report(error));
  }

  /** For good: nothing that is refunded later resumes it. */
  #stopPolling(): void {
    this.account.paused = false;
    this.account.pause();
  }

  #keysReleased(): void {
    this.lanes.releaseBlocked(this.#clock.now());
    this.#watchFilling();
    this.#host.scheduler.turn();
  }
}
