import { CallLatencies } from "./call-latencies.ts";
import { CommitMetadata } from "./commit-metadata.ts";
import type { LeaseHooks } from "./instances.ts";
import { Intake } from "./intake.ts";
import type { Lane } from "./lane.ts";
import { LeaseCalls } from "./lease-calls.ts";
import { openHandler } from "./lease-handler.ts";
import { LiveBatches } from "./live-batches.ts";
import { OffsetTexts } from "./mark/offset-texts.ts";
import { OffsetTracker } from "./mark/offset-tracker.ts";
import type { CollectedResults } from "./mark/results.ts";
import { emitResults, Marking } from "./marking.ts";
import type { EncodedMetadata } from "./metadata/encode-metadata.ts";
import type { DrainCounts, LeaseState, PipelineHost, PipelineStart } from "./pipeline-host.ts";
import { PolledBatch } from "./polled-batch.ts";
import { OneCall } from "./process/one-call.ts";
import type { CallGate, Processor } from "./process/processor.ts";
import { plentyOf } from "./read-ahead.ts";
import { Recovery, type RecoveryHost } from "./recovery.ts";
import type { ResolvedTopic } from "./resolve-topic.ts";
import { Filling } from "./schedule/filling.ts";
import { LeaseHolds } from "./schedule/held-keys.ts";
import { PartitionLanes } from "./schedule/partition-lanes.ts";
import { Pauses } from "./schedule/pauses.ts";
import { Quiet } from "./schedule/quiet.ts";
import type { Runnable } from "./schedule/scheduler.ts";
import type { Slice } from "./schedule/slice.ts";
import type { Flow } from "./segment-inlet.ts";
import { settlesWithin } from "./settles-within.ts";
import type { CreditAccount } from "./source/poll-credit.ts";
import type { Lease, SourceBatch } from "./source/source.ts";
import { Timers } from "./timers.ts";
import type { Clock } from "./types.ts";

/**
 * One lease's way through group, distribute, schedule, process and mark.
 *
 * It wires the stages of one partition and holds the lease's state; nothing of it outlives the lease but calls that
 * are still running, whose keys stay held (R6).
 */
export class Pipeline implements Runnable, RecoveryHost {
  readonly lease: Lease;
  readonly topic: ResolvedTopic;
  readonly tracker: OffsetTracker;
  readonly lanes: PartitionLanes;
  readonly intake: Intake;
  readonly offsetMetadata: string | null;
  readonly recovery: Recovery;
  readonly metadata: CommitMetadata;
  readonly pauses: Pauses;
  readonly latencies: CallLatencies = new CallLatencies();
  readonly gate: CallGate = { open: true };
  #state: LeaseState = "live";
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
  readonly untilNeeded: (readMessages: number) => Promise<void> | undefined;
  readonly #host: PipelineHost;
  readonly #clock: Clock;
  readonly processor: Processor;
  readonly instances: LeaseHooks;
  readonly holds: LeaseHolds;
  readonly marking: Marking;
  readonly #timers: Timers;
  readonly #filling: Filling;
  readonly #quiet: Quiet;
  readonly #batches: LiveBatches;
  #inRun = false;

  constructor(
    host: PipelineHost,
    lease: Lease,
    topic: ResolvedTopic,
    start: PipelineStart,
    source: Flow,
  ) {
    const { clock } = host.options;
    const { groupId } = host.member;
    this.#host = host;
    this.#clock = clock;
    this.#timers = new Timers(clock);
    this.#quiet = new Quiet(clock);
    this.lease = lease;
    this.topic = topic;
    this.gated = start.gated;
    this.highWatermark = start.highWatermark;
    this.progressMs = clock.now();
    this.tracker = new OffsetTracker(start.offset);
    this.offsetMetadata = start.offsetMetadata;
    const texts = new OffsetTexts(topic.exactText, start.offsetMetadata);
    this.metadata = new CommitMetadata(host.options, host.member, this.tracker, texts, start);
    this.holds = new LeaseHolds(groupId, lease.topic, lease.partition, () => this.#keysReleased());
    const perKey = topic.distribution === "per-key";
    const { maxPartitions, maxMessages, maxWaitMs } = topic;
    const handler = host.modules.handlerOf(topic);
    this.lanes = new PartitionLanes(
      { maxPartitions, perKey, maxMessages, maxWaitMs: handler.ofBatches ? maxWaitMs : 0 },
      this.holds.keys,
    );
    const time = { clock, timers: this.#timers };
    this.#filling = new Filling(this.lanes, time, maxWaitMs, () => this.turn());
    this.#batches = new LiveBatches(this);
    this.intake = new Intake(topic, handler.deserializer, this.lanes, host);
    this.marking = new Marking(this.tracker, this.intake, topic.manual, (results) =>
      this.#applied(results),
    );
    this.pauses = new Pauses(clock, start.paused, (paused) => this.#pauseChanged(paused));
    this.recovery = new Recovery(this, clock, host.events, this.#timers, host.letters);
    this.regate();
    const opened = openHandler(host, this, handler, new LeaseCalls(this, host, texts));
    this.processor = opened.processor;
    this.instances = opened.instances;
    this.account = host.credit.open(
      () => {
        source.pause(lease);
        this.turn();
      },
      () => source.resume(lease),
    );
    const reading = { topic, handler, processor: this.processor, slots: host.scheduler };
    this.untilNeeded = (read) => host.credit.restWith(this.account, plentyOf(reading, read));
    host.scheduler.add(this);
  }

  get mayCommit(): boolean {
    return this.state === "live" || this.state === "draining";
  }
  get committable(): number {
    return this.tracker.committable;
  }
  metadataOf(offset: number): EncodedMetadata {
    return this.metadata.encode(offset, Math.max(this.highWatermark, this.tracker.nextOffset));
  }
  get running(): number {
    return this.lanes.running;
  }
  get canRun(): boolean {
    if (!this.lanes.hasReady || !this.#mayTake || this.gated) return false;
    // A full map is emptied by the oldest open message alone: it may start, also as a retry.
    return !this.mapFull || this.lanes.readyOffset === this.tracker.committable;
  }
  get state(): LeaseState {
    return this.#state;
  }
  set state(state: LeaseState) {
    this.#state = state;
    this.regate();
    this.processor.refresh();
  }
  get mayStart(): boolean {
    return this.gate.open && (!this.topic.manual || !this.unmarkedFull);
  }
  /** Something has changed that calls wait for. */
  regate(): void {
    const { pauses, recovery } = this;
    this.gate.open = this.#state === "live" && !pauses.paused && recovery.collapse.mayStart;
  }
  get unmarkedFull(): boolean {
    return this.marking.unacknowledged >= this.#host.options.maxUnmarkedMessages;
  }
  get mapFull(): boolean {
    return this.tracker.isFull;
  }
  get unfinishedFrom(): number {
    const open = this.lanes.lowestOpen((batch, index) => this.marking.isOpen(batch, index));
    return Math.min(open, this.intake.firstWaitingOffset, this.tracker.nextOffset);
  }
  /** Polled, in a lane or behind an ordered run, running calls included. */
  get unfinished(): number {
    return this.lanes.length + this.intake.waitingMessages;
  }

  // ---- source → group → distribute → schedule ----------------------------------------------------------------

  deliver(given: SourceBatch): Promise<void> | undefined {
    if (this.state === "ended") return undefined;
    const left = this.metadata.withoutDone(given);
    const batch = new PolledBatch(this, left, this.topic.deserializer, this.#clock.now());
    this.highWatermark = batch.highWatermark;
    const { records, count } = batch;
    const before = this.tracker.nextOffset; // Foreign messages and holes are done without a mark.
    this.tracker.deliver(batch.baseOffset, count, records.offsetDeltas, batch.nextOffset);
    if (this.tracker.nextOffset - before > count) {
      this.#host.marked(this.lease, count + this.unfinished === 0);
    }
    if (count === 0) return this.#settle();
    const hold = this.#host.credit.charge(this.account, count, records.byteLength);
    this.#batches.add(batch);
    this.intake.add(batch);
    this.turn();
    return hold;
  }

  advanced(nextOffset: number): void {
    if (this.state === "ended") return;
    this.tracker.advance(nextOffset);
    this.metadata.inherited.dropBelow(nextOffset);
    this.#host.marked(this.lease, this.unfinished === 0);
    this.#settle();
    if (this.lanes.filling.size > 0) this.turn();
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
      if (this.state === "ended") this.holds.end(this.processor.pending);
    }
  }

  #runLanes(slice: Slice): boolean {
    const nowMs = this.#clock.now();
    const { mapFull } = this;
    this.sliceStartMs = nowMs;
    this.latencies.begin(nowMs, this.#clock.wallTime());
    for (let first = true; ; first = false) {
      const lane = this.#mayTake ? this.lanes.take() : undefined;
      if (lane === undefined) return false;
      const { batch, index } = lane;
      const startMs = Math.max(nowMs, slice.checkedMs);
      if (first) this.#scheduled(lane);
      const budget = this.recovery.collapse.ordered ? new OneCall(slice) : slice;
      const keepsSlot = this.processor.run(lane, budget);
      // Without a thread for it, no call has started.
      if (!lane.parked) this.latencies.sample(batch, index, startMs);
      if (keepsSlot) return true;
      this.give(lane, nowMs);
      if (slice.over || mapFull) return false;
    }
  }

  #scheduled({ slot }: Lane): void {
    if (!this.#host.events.has("scheduled")) return;
    const { topic, partition } = this.lease;
    this.#host.events.emit("scheduled", { topic, partition, virtualPartition: slot });
  }

  /** In a collapse only the lane with the lowest offset of all is taken, and only below the window's end. */
  get #mayTake(): boolean {
    const { collapse } = this.recovery;
    if (!this.processor.hasRoom) return false;
    return this.mayStart && (!collapse.ordered || this.lanes.hasOrdered(collapse.until));
  }

  /** A lane waited for a worker thread. */
  unpark(lane: Lane): void {
    if (this.state === "ended") return;
    this.lanes.unpark(lane, this.#clock.now());
    this.#watchFilling();
  }

  /** The calls of a lane are over, for now. */
  give(lane: Lane, nowMs: number): void {
    this.lanes.give(lane, nowMs);
    this.#watchFilling();
  }

  // ---- process → mark ----------------------------------------------------------------------------------------

  markAlone(batch: PolledBatch, index: number): void {
    if (this.state === "ended" || batch.owner !== this) return;
    this.marking.alone(batch, index);
    this.marked();
  }

  /** Something was marked outside of a result. */
  marked(): void {
    this.progressMs = this.#clock.now();
    this.#host.marked(this.lease, this.unfinished === 0);
    if (this.mayStart) this.#host.scheduler.turn();
  }

  #pauseChanged(paused: boolean): void {
    const { topic, partition } = this.lease;
    this.regate();
    this.#host.events.emit(paused ? "paused" : "resumed", { topic, partition });
    if (paused) this.lanes.startFilling();
    else this.turnSoon();
  }
  turn(): void {
    this.#watchFilling();
    this.#host.scheduler.turn();
  }
  /** After a turn that is running: it does not see what was changed behind it. */
  turnSoon(): void {
    this.#clock.defer(() => this.#host.scheduler.turn());
  }
  quiet(): void {
    if (this.lanes.running === 0 && this.recovery.dispatches.sending === 0) this.#quiet.reached();
  }
  report(error: unknown): void {
    this.#host.report(error);
  }

  flush(): void {
    this.marking.apply();
    const waits = this.intake.waitingMessages > 0 && this.lanes.length === 0;
    if (waits && this.state !== "ended") {
      this.intake.admit(this.#clock.now());
      this.#watchFilling();
      this.turnSoon();
    }
    this.#settle();
    this.processor.refresh();
    this.quiet();
  }

  /** A collapse goes on once no call runs. */
  #settle(): undefined {
    const idle = this.lanes.running === 0 && this.recovery.collapse.phase !== "none";
    if (idle && this.state !== "ended") this.recovery.settle();
  }

  #applied(results: CollectedResults): void {
    const { count, bytes } = results;
    if (!this.topic.manual) this.progressMs = this.#clock.now();
    this.processed += count;
    this.#host.credit.refund(this.account, count, bytes);
    this.#host.marked(this.lease, this.unfinished === 0);
    emitResults(this.#host.events, this.lease, results, this.topic.manual);
  }

  // ---- end of the lease --------------------------------------------------------------------------------------

  /** No new call starts; running calls get until the deadline, then their signals abort (R2). */
  async drain(deadlineMs: number, closing: boolean): Promise<DrainCounts> {
    this.state = "draining";
    if (closing) this.#stopPolling();
    this.#timers.clear();
    this.recovery.dispatches.drain();
    this.#filling.reset();
    this.lanes.startFilling();
    // A handler that closes is counted among the running calls once its own call has begun.
    if (this.#inRun) await Promise.resolve();
    const { processor } = this;
    const before = processor.pendingMessages;
    const busy = this.lanes.running > 0 || this.recovery.dispatches.sending > 0;
    if (busy) await this.#quiet.until(deadlineMs);
    const abandoned = processor.pendingMessages;
    for (const call of processor.pending) call.abort(new Error("The drain deadline passed"));
    const hooks = this.instances.runAll(closing ? ["flush", "shutdown"] : ["flush"]);
    await settlesWithin(this.#clock, deadlineMs - this.#clock.now(), hooks);
    this.flush();
    return { drained: before - abandoned, abandoned };
  }

  /** The join gave the partition back: everything goes on, back-offs at once (R3). */
  resume(): void {
    if (this.state !== "suspended") return;
    this.state = "live";
    this.recovery.resume();
    this.#watchFilling();
  }

  /** The lease is over: signals abort, queued work is dropped, keys of running calls stay held. */
  end(): void {
    if (this.state === "ended") return;
    this.flush();
    this.state = "ended";
    this.#timers.clear();
    this.pauses.end();
    this.recovery.dispatches.end();
    this.#host.scheduler.remove(this);
    this.#host.credit.close(this.account);
    if (!this.#inRun) this.holds.end(this.processor.pending);
    this.processor.end(new Error("The lease is over"));
    this.instances.run("revoked").catch((error) => this.#host.report(error));
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
