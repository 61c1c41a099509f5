import { NotSupportedError } from "../errors.ts";
import type { Lane } from "../lane.ts";
import { MessageView } from "../message.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { Batch, Message, MessageContext } from "../types.ts";

/** What calls need from the lease they run under. */
export interface LeaseView {
  readonly groupId: string;
  /** Another call may start. */
  readonly mayStart: boolean;
  /** Marks no longer count. */
  readonly ended: boolean;
  readonly draining: boolean;
  readonly offsetMetadata: string | null;
  /** Lanes that wait for a retry. */
  readonly waiting: number;
  /** O2: marks a message and every earlier one handed to the same lane. False once the lease is over. */
  markThrough(batch: PolledBatch, index: number, call: CallContext): boolean;
}

/** The context of the calls of one virtual partition: reused, valid until the call settles (H3). */
export class CallContext<T = unknown> implements MessageContext<T> {
  readonly lease: LeaseView;
  readonly virtualPartition: number;
  /** The running call; null between calls. */
  lane: Lane | null = null;
  attempt = 1;
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
  get draining(): boolean {
    return this.lease.draining;
  }
  get offsetMetadata(): string | null {
    return this.lease.offsetMetadata;
  }
  get failing(): boolean {
    return this.lease.waiting > 0;
  }
  get collapsed(): boolean {
    return false;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.lease.ended) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  markAsConsumed(message?: Message<T>, metadata?: string): boolean {
    if (metadata !== undefined) throw new NotSupportedError("markAsConsumed with metadata");
    if (message === undefined) {
      return this.lane !== null && this.markLast(this.lane);
    }
    const origin = MessageView.origin(message);
    if (origin === undefined) {
      throw new TypeError(
        "Cannot mark as markAsConsumed needs a message that headrace handed over: received another object",
      );
    }
    return this.lease.markThrough(origin.batch, origin.index, this);
  }

  /** What `markAsConsumed()` means without an argument: the message is the first one of its lane until its call ends. */
  protected markLast(lane: Lane): boolean {
    return this.lease.markThrough(lane.batch, lane.index, this);
  }

  begin(lane: Lane): void {
    this.lane = lane;
    this.attempt = lane.failures + 1;
  }

  /** The call has settled. */
  end(): void {
    this.lane = null;
    this.#controller = null;
  }

  /** The lease is lost or a deadline has passed. */
  abort(reason: unknown): void {
    // Made here when it is not there yet: whoever asks for the signal only now must see it aborted.
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  synchronize<R>(_fn: () => R | Promise<R>): Promise<R> {
    throw new NotSupportedError("context.synchronize()");
  }
  collapseUntil(_offset: number): void {
    throw new NotSupportedError("context.collapseUntil()");
  }
  pause(_ms: number): void {
    throw new NotSupportedError("context.pause()");
  }
  setOffsetMetadata(_text: string): void {
    throw new NotSupportedError("context.setOffsetMetadata()");
  }
  deadLetter(_message: Message<T>, _reason?: string): Promise<void> {
    throw new NotSupportedError("context.deadLetter()");
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
  readonly #lastBatch: PolledBatch;
  readonly #lastIndex: number;

  constructor(lease: LeaseView, lane: Lane, length: number) {
    super(lease, lane.slot);
    const messages: Message<T>[] = [];
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
    this.firstOffset = lane.firstOffset;
    this.lastOffset = last.offsetAt(lastIndex);
    this.lag = last.highWatermark < 0 ? 0 : Math.max(0, last.highWatermark - this.lastOffset - 1);
    this.#lastBatch = last;
    this.#lastIndex = lastIndex;
    this.begin(lane);
  }

  override get length(): number {
    return this.messages.length;
  }
  protected override markLast(): boolean {
    return this.lease.markThrough(this.#lastBatch, this.#lastIndex, this);
  }
}
