import { contextArguments } from "../context-arguments.ts";
import type { Lane } from "../lane.ts";
import { MessageView } from "../message.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { Batch, Message, MessageContext, SegmentInfo } from "../types.ts";
import type { MessagePlace, ReturnedRecord } from "../worker/host/hosted-call.ts";

/** What calls need from the lease they run under. */
export interface LeaseView {
  readonly groupId: string;
  /** undefined outside of parallel segments. */
  readonly segment: SegmentInfo | undefined;
  /** Marks no longer count. */
  readonly ended: boolean;
  readonly draining: boolean;
  readonly offsetMetadata: string | null;
  /** A call has failed in another lane, and its retry has not begun. */
  readonly failing: boolean;
  /** Calls run one at a time, in offset order. */
  readonly collapsed: boolean;
  /** O2: marks a message and every earlier one handed to the same lane. False once the lease is over. */
  markThrough(batch: PolledBatch, index: number, call: CallContext, text?: string): boolean;
  /** The same for a message that a thread names; `call` is null when its call has ended. */
  markPlace(place: MessagePlace, call: CallContext | null, text?: string): boolean;
  /** A message that a thread has sent back, as a batch of its own. */
  copy(place: MessagePlace, record: ReturnedRecord): { batch: PolledBatch; index: number };
  synchronize<R>(fn: () => R | Promise<R>): Promise<R>;
  collapseUntil(offset: number): void;
  pauseFor(ms: number): void;
  /** O7: attaches the user's text to a message. */
  attachText(offset: number, text: string): void;
  deadLetter(batch: PolledBatch, index: number, call: CallContext, reason: string): Promise<void>;
}

/** The context of the calls of one virtual partition: reused, valid until the call settles (H3). */
export class CallContext<T = unknown> implements MessageContext<T> {
  readonly lease: LeaseView;
  readonly virtualPartition: number;
  /** The running call; null between calls. */
  lane: Lane | null = null;
  attempt = 1;
  /** The message of a call that returned a promise. */
  view: MessageView | null = null;
  startedMs = 0;
  #controller: AbortController | null = null;

  constructor(lease: LeaseView, virtualPartition: number) {
    this.lease = lease;
    this.virtualPartition = virtualPartition;
  }

  /** Messages of the running call. */
  get length(): number {
    return 1;
  }
  get groupId(): string {
    return this.lease.groupId;
  }
  get segment(): SegmentInfo | undefined {
    return this.lease.segment;
  }
  get draining(): boolean {
    return this.lease.draining;
  }
  get offsetMetadata(): string | null {
    return this.lease.offsetMetadata;
  }
  get failing(): boolean {
    return this.lease.failing;
  }
  get collapsed(): boolean {
    return this.lease.collapsed;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.lease.ended) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  markAsConsumed(message?: Message<T>, metadata?: string): boolean {
    contextArguments.markText(metadata);
    if (message === undefined) {
      return this.lane !== null && this.markLast(this.lane, metadata);
    }
    const { batch, index } = contextArguments.origin("mark a message", message, MessageView);
    return this.lease.markThrough(batch, index, this, metadata);
  }

  /** What `markAsConsumed()` means without an argument: the message is the first one of its lane until its call ends. */
  protected markLast(lane: Lane, text?: string): boolean {
    return this.lease.markThrough(lane.batch, lane.index, this, text);
  }
  /** The last message of the call. */
  protected lastOffsetOf(lane: Lane): number {
    return lane.firstOffset;
  }

  begin(lane: Lane): void {
    this.lane = lane;
    this.attempt = lane.failures + 1;
  }

  /** The call has settled. */
  end(): void {
    this.lane = null;
    this.view = null;
    this.#controller = null;
  }

  /** The batch of its messages was copied out (F2). */
  rebase(): void {
    this.view?.rebase();
  }

  /** The lease is lost or a deadline has passed. */
  abort(reason: unknown): void {
    // Made here when it is not there yet: whoever asks for the signal only now must see it aborted.
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  synchronize<R>(fn: () => R | Promise<R>): Promise<R> {
    contextArguments.alone(fn);
    return this.lease.synchronize(fn);
  }
  collapseUntil(offset: number): void {
    contextArguments.offset(offset);
    if (this.lane !== null) this.lease.collapseUntil(offset);
  }
  pause(ms: number): void {
    contextArguments.pauseMs(ms);
    if (this.lane !== null) this.lease.pauseFor(ms);
  }
  setOffsetMetadata(text: string): void {
    contextArguments.text(text);
    if (this.lane !== null) this.lease.attachText(this.lastOffsetOf(this.lane), text);
  }
  async deadLetter(message: Message<T>, reason = "dead-lettered by its handler"): Promise<void> {
    const { batch, index } = contextArguments.origin("dead-letter a message", message, MessageView);
    if (this.lane === null) return;
    await this.lease.deadLetter(batch, index, this, reason);
  }
}

/** One call of `eachBatch` or `consume`: its own object, as handlers keep batches. */
export class BatchCall<T = unknown> extends CallContext<T> implements Batch<T> {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly Message<T>[];
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lag: number;
  readonly #views: readonly MessageView<T>[];
  readonly #lastBatch: PolledBatch;
  readonly #lastIndex: number;

  constructor(lease: LeaseView, lane: Lane, length: number) {
    super(lease, lane.slot);
    const messages: MessageView<T>[] = [];
    let last = lane.batch;
    let lastIndex = 0;
    lane.peek(length, (batch, index) => {
      messages.push(new MessageView<T>(batch, index));
      last = batch;
      lastIndex = index;
    });
    this.topic = last.topic;
    this.partition = last.partition;
    this.messages = messages;
    this.#views = messages;
    this.firstOffset = lane.firstOffset;
    this.lastOffset = last.offsetAt(lastIndex);
    this.lag = last.highWatermark < 0 ? 0 : Math.max(0, last.highWatermark - this.lastOffset - 1);
    this.#lastBatch = last;
    this.#lastIndex = lastIndex;
    this.begin(lane);
  }

  override rebase(): void {
    for (const view of this.#views) view.rebase();
  }
  override get length(): number {
    return this.messages.length;
  }
  protected override markLast(_lane: Lane, text?: string): boolean {
    return this.lease.markThrough(this.#lastBatch, this.#lastIndex, this, text);
  }
  protected override lastOffsetOf(): number {
    return this.lastOffset;
  }
}
