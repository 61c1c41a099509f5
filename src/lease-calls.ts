import type { Redeliver } from "./errors.ts";
import type { Lane } from "./lane.ts";
import type { OffsetTexts } from "./mark/offset-texts.ts";
import type { Marking } from "./marking.ts";
import { checkUserText } from "./metadata/check-user-text.ts";
import type { Pipeline } from "./pipeline.ts";
import type { PipelineHost } from "./pipeline-host.ts";
import type { PolledBatch } from "./polled-batch.ts";
import type { CallContext } from "./process/call-context.ts";
import { CallDeadlines } from "./process/call-deadlines.ts";
import type { ProcessListener } from "./process/inline-processor.ts";
import type { PartitionLanes } from "./schedule/partition-lanes.ts";
import type { VirtualPartitionConsumer } from "./types.ts";

/** What the calls of one lease ask, tell and want: the pipeline as its processor sees it. */
export class LeaseCalls implements ProcessListener {
  readonly groupId: string;
  readonly offsetMetadata: string | null;
  readonly #pipeline: Pipeline;
  readonly #host: PipelineHost;
  readonly #lanes: PartitionLanes;
  readonly #marking: Marking;
  readonly #texts: OffsetTexts;
  readonly #manual: boolean;
  readonly #deadlines: CallDeadlines | null;

  constructor(pipeline: Pipeline, host: PipelineHost, texts: OffsetTexts) {
    const { clock, groupId, handlerTimeoutMs } = host.options;
    this.groupId = groupId;
    this.offsetMetadata = pipeline.offsetMetadata;
    this.#pipeline = pipeline;
    this.#host = host;
    this.#lanes = pipeline.lanes;
    this.#marking = pipeline.marking;
    this.#texts = texts;
    this.#manual = pipeline.topic.manual;
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
    return this.#pipeline.recovery.collapse.ordered;
  }
  get sliceStartMs(): number {
    return this.#pipeline.sliceStartMs;
  }

  // ---- before a call -----------------------------------------------------------------------------------------

  callLength(lane: Lane): number {
    if (!this.collapsed) return this.#lanes.callLength(lane);
    return this.#lanes.orderedLength(lane, this.#pipeline.recovery.collapse.until);
  }

  isHeld(batch: PolledBatch, index: number): boolean {
    return this.#pipeline.holds.keys.blocks(batch, index);
  }

  isOpen(batch: PolledBatch, index: number): boolean {
    return this.#marking.isOpen(batch, index);
  }

  consumerOf(virtualPartition: number): VirtualPartitionConsumer {
    return this.#pipeline.instances.of(virtualPartition);
  }

  // ---- the end of a call -------------------------------------------------------------------------------------

  done(batch: PolledBatch, index: number): void {
    this.dropped(batch, index);
    if (this.collapsed && !this.#manual) this.#pipeline.recovery.progressed();
  }

  /** Its mark was made by a call that failed, or by one that ended long ago: no progress (Q5). */
  dropped(batch: PolledBatch, index: number): void {
    this.#lanes.length--;
    if (this.ended) this.#host.dropped(1);
    else this.#marking.done(batch, index);
  }

  settled(lane: Lane): void {
    const pipeline = this.#pipeline;
    pipeline.give(lane, this.#host.options.clock.now());
    pipeline.holds.settled(lane);
    this.#host.scheduler.release();
    pipeline.flush();
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
    this.#pipeline.recovery.redeliver(error);
  }

  pending(call: CallContext, isPending: boolean): void {
    if (isPending) this.#deadlines?.started(call);
    else this.#deadlines?.ended(call);
  }

  /** R12: an inline call keeps its lane until it settles. */
  #overdue(call: CallContext): void {
    const { handlerTimeoutMs } = this.#host.options;
    call.abort(new DOMException(`The handler ran for ${handlerTimeoutMs} ms`, "TimeoutError"));
    this.#host.stalled(this.#pipeline.lease, "handler-timeout");
  }

  // ---- what a call wants -------------------------------------------------------------------------------------

  markThrough(batch: PolledBatch, index: number, caller: CallContext, text?: string): boolean {
    const pipeline = this.#pipeline;
    if (this.ended || batch.owner !== pipeline) return false;
    if (text !== undefined) this.attachText(batch.offsetAt(index), text);
    this.#marking.through(batch, index, [caller, ...pipeline.pendingCalls]);
    // A call that runs now started after whatever failed here before (Q5).
    if (caller.lane !== null) {
      caller.lane.failuresInScope = 0;
      if (this.collapsed) pipeline.recovery.progressed();
    }
    pipeline.marked();
    return true;
  }

  attachText(offset: number, text: string): void {
    checkUserText(text, this.#host.options.maxMetadataLength);
    if (this.ended) return;
    this.#texts.attach(offset, text);
    this.#host.marked(this.#pipeline.lease, this.#pipeline.unfinished === 0);
  }

  synchronize<R>(fn: () => R | Promise<R>): Promise<R> {
    return this.#host.mutexes.of(this.#pipeline.lease).run(fn);
  }

  collapseUntil(offset: number): void {
    if (!this.ended) this.#pipeline.recovery.collapseUntil(offset);
  }

  pauseFor(ms: number): void {
    if (!this.ended) this.#pipeline.pauses.pauseFor(ms);
  }

  deadLetter(batch: PolledBatch, index: number, call: CallContext, reason: string): Promise<void> {
    return this.#pipeline.recovery.dispatches.deadLetter(batch, index, call, reason);
  }
}
