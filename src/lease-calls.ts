import { oneRecord } from "./copied-records.ts";
import type { Redeliver } from "./errors.ts";
import type { Lane } from "./lane.ts";
import { leaseOverError } from "./lease-over-error.ts";
import type { OffsetTexts } from "./mark/offset-texts.ts";
import type { Marking } from "./marking.ts";
import { checkUserText } from "./metadata/check-user-text.ts";
import type { Pipeline } from "./pipeline.ts";
import type { PipelineHost } from "./pipeline-host.ts";
import { PolledBatch } from "./polled-batch.ts";
import type { CallContext } from "./process/call-context.ts";
import { CallDeadlines } from "./process/call-deadlines.ts";
import type { CallGate, ProcessListener } from "./process/processor.ts";
import type { CollapseWindow } from "./schedule/collapse-window.ts";
import type { HeldKeys } from "./schedule/held-keys.ts";
import type { PartitionLanes } from "./schedule/partition-lanes.ts";
import type { SegmentInfo } from "./types.ts";
import type { MessagePlace, ReturnedRecord } from "./worker/host/hosted-call.ts";

/** What the calls of one lease ask, tell and want: the pipeline as its processor sees it. */
export class LeaseCalls implements ProcessListener {
  readonly groupId: string;
  readonly segment: SegmentInfo | undefined;
  readonly offsetMetadata: string | null;
  readonly gate: CallGate;
  readonly held: HeldKeys;
  readonly #pipeline: Pipeline;
  readonly #host: PipelineHost;
  readonly #lanes: PartitionLanes;
  readonly #marking: Marking;
  readonly #texts: OffsetTexts;
  readonly #manual: boolean;
  readonly #collapse: CollapseWindow;
  readonly #deadlines: CallDeadlines | null;

  constructor(pipeline: Pipeline, host: PipelineHost, texts: OffsetTexts) {
    const { clock, handlerTimeoutMs } = host.options;
    this.groupId = host.member.groupId;
    this.segment = host.member.segment ?? undefined;
    this.offsetMetadata = pipeline.offsetMetadata;
    this.gate = pipeline.gate;
    this.held = pipeline.holds.keys;
    this.#pipeline = pipeline;
    this.#host = host;
    this.#lanes = pipeline.lanes;
    this.#marking = pipeline.marking;
    this.#texts = texts;
    this.#manual = pipeline.topic.manual;
    this.#collapse = pipeline.recovery.collapse;
    this.#deadlines =
      handlerTimeoutMs === 0
        ? null
        : new CallDeadlines(clock, handlerTimeoutMs, (call) => this.#overdue(call));
  }

  get mayStart(): boolean {
    return this.#pipeline.mayStart;
  }
  get ended(): boolean {
    return this.#pipeline.state === "ended";
  }
  get draining(): boolean {
    return this.#pipeline.state !== "live";
  }
  get failing(): boolean {
    return this.#pipeline.recovery.failing;
  }
  get collapsed(): boolean {
    return this.#collapse.ordered;
  }
  get sliceStartMs(): number {
    return this.#pipeline.sliceStartMs;
  }

  // ---- before a call -----------------------------------------------------------------------------------------

  callLength(lane: Lane): number {
    if (!this.collapsed) return this.#lanes.callLength(lane);
    return this.#lanes.orderedLength(lane, this.#collapse.until);
  }

  isOpen(batch: PolledBatch, index: number): boolean {
    return this.#marking.isOpen(batch, index);
  }

  // ---- the end of a call -------------------------------------------------------------------------------------

  done(batch: PolledBatch, index: number, handled: boolean): void {
    this.#lanes.length--;
    if (this.ended) this.#host.dropped(1);
    else this.#marking.done(batch, index);
    if (handled && this.#collapse.ordered && !this.#manual) this.#pipeline.recovery.progressed();
  }

  callOver(lane: Lane): void {
    const pipeline = this.#pipeline;
    pipeline.give(lane, this.#host.options.clock.now());
    pipeline.holds.settled(lane);
    this.#host.scheduler.release();
  }

  settled(lane: Lane): void {
    this.callOver(lane);
    this.#pipeline.flush();
    this.#host.scheduler.turn();
  }

  failed(lane: Lane, call: CallContext, error: unknown): void {
    this.#pipeline.failures++;
    this.#marking.failed(lane);
    this.#pipeline.recovery.failed(lane, call, error);
  }

  abandoned(lane: Lane, call: CallContext): void {
    this.#marking.failed(lane);
    this.#pipeline.recovery.started(lane, call.length);
  }

  redeliver(lane: Lane, call: CallContext, error: Redeliver): void {
    this.#marking.failed(lane);
    this.#pipeline.recovery.started(lane, call.length);
    this.#pipeline.recovery.redeliver(lane, error);
  }

  pending(call: CallContext, isPending: boolean): void {
    if (isPending) this.#deadlines?.started(call);
    else this.#deadlines?.ended(call);
  }

  /** R12: the signal aborts; what else follows depends on where the call runs. */
  #overdue(call: CallContext): void {
    const { handlerTimeoutMs } = this.#host.options;
    call.abort(new DOMException(`The handler ran for ${handlerTimeoutMs} ms`, "TimeoutError"));
    this.#host.stalled(this.#pipeline.lease, "handler-timeout");
    this.#pipeline.processor.overdue(call);
  }

  // ---- what a call wants -------------------------------------------------------------------------------------

  markThrough(batch: PolledBatch, index: number, caller: CallContext, text?: string): boolean {
    if (batch.owner !== this.#pipeline) return false;
    const place = { offset: batch.offsetAt(index), laneKey: batch.laneKeyAt(index) };
    return this.markPlace(place, caller, text);
  }

  markPlace({ offset, laneKey }: MessagePlace, caller: CallContext | null, text?: string): boolean {
    const pipeline = this.#pipeline;
    if (this.ended) return false;
    if (text !== undefined) this.attachText(offset, text);
    const { pending } = pipeline.processor;
    const calls = caller === null ? pending : [caller, ...pending];
    const marked = this.#marking.through(laneKey, offset, calls);
    if (marked && caller !== null && caller.lane !== null) this.#progressed(caller.lane, laneKey);
    pipeline.marked();
    return true;
  }

  /** A running call has marked something: it started after whatever failed in its scope before (Q5). */
  #progressed(lane: Lane, laneKey: number): void {
    if (this.collapsed) this.#pipeline.recovery.progressed();
    if (lane.batch.laneKeyAt(lane.index) === laneKey) lane.failuresInScope = 0;
  }

  copy(
    { offset, laneKey }: MessagePlace,
    record: ReturnedRecord,
  ): { batch: PolledBatch; index: number } {
    const { lease, topic } = this.#pipeline;
    const records = oneRecord({ offset, ...record });
    const given = { lease, records, nextOffset: offset + 1, highWatermark: -1 };
    const nowMs = this.#host.options.clock.now();
    const batch = new PolledBatch(this.#pipeline, given, topic.deserializer, nowMs);
    batch.placeOn(laneKey);
    return { batch, index: 0 };
  }

  attachText(offset: number, text: string): void {
    checkUserText(text, this.#host.options.maxMetadataLength);
    if (this.ended) return;
    this.#texts.attach(offset, text);
    this.#host.marked(this.#pipeline.lease, this.#pipeline.unfinished === 0);
  }

  synchronize<R>(fn: () => R | Promise<R>): Promise<R> {
    return this.#host.mutexes.run(this.#pipeline.lease, fn);
  }

  collapseUntil(offset: number): void {
    if (!this.ended) this.#pipeline.recovery.collapseUntil(offset);
  }

  pauseFor(ms: number): void {
    if (!this.ended) this.#pipeline.pauses.pauseFor(ms);
  }

  async deadLetter(
    batch: PolledBatch,
    index: number,
    call: CallContext,
    reason: string,
  ): Promise<void> {
    if (batch.owner !== this.#pipeline)
      throw leaseOverError(batch.topic, batch.partition, batch.offsetAt(index));
    await this.#pipeline.recovery.dispatches.deadLetter(batch, index, call, reason);
  }
}
