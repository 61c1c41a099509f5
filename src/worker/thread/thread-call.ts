import { contextArguments } from "../../context-arguments.ts";
import { leaseOverError } from "../../lease-over-error.ts";
import { checkUserText } from "../../metadata/check-user-text.ts";
import type { Batch, Deserializer, Message, MessageContext, SegmentInfo } from "../../types.ts";
import type { CallMessages, MessageOrigin } from "../channel.ts";
import type { ThreadLease } from "./thread-lease.ts";
import type { ThreadLink } from "./thread-link.ts";

/** What the calls of a thread share. */
export interface CallHost {
  readonly link: ThreadLink;
  /** Longest text in a commit's metadata, in UTF-16 units. */
  readonly maxTextLength: number;
  /** Which call of this thread an object is a message of; also after the call. */
  origin(message: object): { readonly call: ThreadCall; readonly index: number } | undefined;
}

/** A call as its frame describes it. */
export interface CallFacts {
  readonly id: number;
  readonly virtualPartition: number;
  readonly attempt: number;
  /** What collective marking means by "the same virtual partition" (O2). */
  readonly laneKey: number;
}

/** The context of one handler call in a worker thread: what it cannot answer itself it asks the polling thread. */
export class ThreadCall<T = unknown> implements MessageContext<T>, MessageOrigin {
  readonly id: number;
  readonly virtualPartition: number;
  readonly attempt: number;
  readonly collapsed: boolean;
  readonly lease: ThreadLease;
  readonly laneKey: number;
  readonly #host: CallHost;
  #messages: CallMessages | null = null;
  #over = false;
  #controller: AbortController | null = null;

  constructor(host: CallHost, lease: ThreadLease, facts: CallFacts) {
    this.#host = host;
    this.lease = lease;
    this.id = facts.id;
    this.virtualPartition = facts.virtualPartition;
    this.attempt = facts.attempt;
    this.laneKey = facts.laneKey;
    this.collapsed = lease.collapsed;
  }

  get callMessages(): CallMessages {
    return this.#messages!;
  }
  set callMessages(messages: CallMessages) {
    this.#messages = messages;
  }

  get topic(): string {
    return this.lease.topic;
  }
  get partition(): number {
    return this.lease.partition;
  }
  get deserializer(): Deserializer<unknown> | null {
    return this.lease.deserializer;
  }
  get groupId(): string {
    return this.lease.groupId;
  }
  get segment(): SegmentInfo | undefined {
    return this.lease.segment;
  }
  get offsetMetadata(): string | null {
    return this.lease.offsetMetadata;
  }
  get draining(): boolean {
    this.#host.link.look();
    return this.lease.draining;
  }
  get failing(): boolean {
    this.#host.link.look();
    return this.lease.failing;
  }

  /** Asking for it looks for news: `context.signal.aborted` is true in the middle of a loop that never gives way. */
  get signal(): AbortSignal {
    if (!this.#over) this.#host.link.look();
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.lease.ended) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  markAsConsumed(message?: Message<T>, metadata?: string): boolean {
    contextArguments.markText(metadata);
    if (message === undefined) return !this.#over && this.#mark(this, this.lastOffset, metadata);
    const { call, index } = contextArguments.origin("mark a message", message, this.#host);
    return this.#mark(call, call.callMessages.offsetAt(index), metadata);
  }

  #mark(call: ThreadCall, offset: number, text?: string): boolean {
    const { link, maxTextLength } = this.#host;
    link.look();
    if (this.lease.ended || call.lease !== this.lease) return false;
    if (text !== undefined) checkUserText(text, maxTextLength);
    link.mark(this.#over ? 0 : this.id, this.lease.id, offset, call.laneKey, text ?? null);
    return true;
  }

  async synchronize<R>(fn: () => R | Promise<R>): Promise<R> {
    contextArguments.alone(fn);
    return await this.#host.link.synchronize(this.lease.id, fn);
  }
  collapseUntil(offset: number): void {
    contextArguments.offset(offset);
    if (!this.#over) this.#host.link.collapseUntil(this.lease.id, offset);
  }
  pause(ms: number): void {
    contextArguments.pauseMs(ms);
    if (!this.#over) this.#host.link.pause(this.lease.id, ms);
  }
  setOffsetMetadata(text: string): void {
    contextArguments.text(text);
    if (this.#over) return;
    checkUserText(text, this.#host.maxTextLength);
    this.#host.link.text(this.lease.id, this.lastOffset, text);
  }

  async deadLetter(message: Message<T>, reason = "dead-lettered by its handler"): Promise<void> {
    const { call, index } = contextArguments.origin("dead-letter a message", message, this.#host);
    if (this.#over) return;
    const { id, lease, laneKey } = this;
    const offset = call.callMessages.offsetAt(index);
    if (call.lease !== lease) throw leaseOverError(call.lease.topic, call.lease.partition, offset);
    const own = call === (this as ThreadCall);
    const place = { offset, laneKey: own ? laneKey : call.laneKey };
    await this.#host.link.deadLetter(id, lease.id, place, String(reason), own ? null : message);
  }

  /** The last message of the call. */
  get lastOffset(): number {
    return this.callMessages.offsetAt(this.callMessages.count - 1);
  }

  /** The lease is lost or a deadline has passed. */
  abort(reason: unknown): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  /** The call has settled: its messages are gone. */
  end(): void {
    this.#over = true;
    this.callMessages.expire();
  }
}

/** One call of `eachBatch` or `consume` in a worker thread. */
export class ThreadBatch<T = unknown> extends ThreadCall<T> implements Batch<T> {
  readonly lag: number;
  #list: readonly Message<T>[] | null = null;

  constructor(host: CallHost, lease: ThreadLease, facts: CallFacts, lag: number) {
    super(host, lease, facts);
    this.lag = lag;
  }

  get messages(): readonly Message<T>[] {
    const { callMessages } = this;
    this.#list ??= Array.from(
      { length: callMessages.count },
      (_, index) => callMessages.at(index) as Message<T>,
    );
    return this.#list;
  }
  get firstOffset(): number {
    return this.callMessages.offsetAt(0);
  }
}
