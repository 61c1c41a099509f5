import { Redeliver } from "../errors.ts";
import type { Lane } from "../lane.ts";
import { MessageView } from "../message.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { ResolvedHandler } from "../resolve-topic.ts";
import type { Batch, VirtualPartitionConsumer } from "../types.ts";
import { BatchCall, CallContext, type LeaseView } from "./call-context.ts";

/** What a processor tells the lease it works for. */
export interface ProcessListener extends LeaseView {
  /** When the running slice began, monotonic. */
  readonly sliceStartMs: number;
  /** Messages of the next call; 0 while its first message is held. */
  callLength(lane: Lane): number;
  /** A call of an ended lease holds its key (R6). */
  isHeld(batch: PolledBatch, index: number): boolean;
  /** Its call ended well; the message has left the lane. */
  done(batch: PolledBatch, index: number): void;
  /** It was marked while its call failed, and has left the lane without another call. */
  dropped(batch: PolledBatch, index: number): void;
  /** Not marked yet: a retry hands over only such messages (E3). */
  isOpen(batch: PolledBatch, index: number): boolean;
  /** A call failed while its lease was live; its messages are still in the lane. */
  failed(lane: Lane, call: CallContext, error: unknown): void;
  /** A call failed when its lease was not live; its messages are still in the lane. */
  abandoned(lane: Lane, call: CallContext): void;
  /** The handler wants its messages again (E6); they are still in the lane. */
  redeliver(lane: Lane, call: CallContext, error: Redeliver): void;
  /** A call returned a promise, or a call that did has ended. */
  pending(call: CallContext, isPending: boolean): void;
  /** A call that returned a promise has ended. */
  settled(lane: Lane): void;
  /** A consumer for a virtual partition, made on first use (C1). */
  consumerOf(virtualPartition: number): VirtualPartitionConsumer;
}

/** How many calls may follow one another at once. */
export interface CallBudget {
  /** One message was handed over; false: stop after it. */
  spend(): boolean;
}

/**
 * Runs handler calls in this thread.
 *
 * A result that is not a thenable ends its call in the same tick (H2): no promise, no timer, no clock.
 */
export class InlineProcessor {
  readonly #listener: ProcessListener;
  readonly #handler: ResolvedHandler;
  readonly #contexts: MessageContexts;
  readonly #automatic: boolean;
  /** Calls that returned a promise and have not ended. */
  readonly pending: Set<CallContext> = new Set();

  /** @param automatic Success marks. */
  constructor(listener: ProcessListener, handler: ResolvedHandler, automatic: boolean) {
    this.#automatic = automatic;
    this.#listener = listener;
    this.#handler = handler;
    this.#contexts = new MessageContexts(listener);
  }

  /** Messages of these calls. */
  get pendingMessages(): number {
    let messages = 0;
    for (const call of this.pending) messages += call.length;
    return messages;
  }

  /**
   * Hands over messages of the lane while calls end at once.
   *
   * @returns true when a call is left pending; its end is told by `settled()`.
   */
  run(lane: Lane, budget: CallBudget): boolean {
    return this.#handler.form === "eachMessage"
      ? this.#runMessages(lane, this.#handler.call, budget)
      : this.#runBatches(lane, budget);
  }

  #runMessages(
    lane: Lane,
    call: (message: MessageView, context: CallContext) => unknown,
    budget: CallBudget,
  ): boolean {
    const context = this.#contexts.of(lane.slot);
    const listener = this.#listener;
    do {
      if (lane.retryLength > 0 && this.#dropMarked(lane)) continue;
      if (!listener.mayStart) break;
      const { batch, index } = lane;
      if (listener.isHeld(batch, index)) break;
      context.begin(lane);
      let result: unknown;
      try {
        result = call(new MessageView(batch, index), context);
      } catch (error) {
        budget.spend();
        this.#fail(lane, context, error);
        return false;
      }
      if (isThenable(result)) {
        // Calls that end in microtasks must not keep the event loop waiting either (R1).
        budget.spend();
        this.#await(result, lane, context);
        return true;
      }
      context.end();
      this.#shift(lane);
      listener.done(batch, index);
    } while (budget.spend() && lane.length > 0);
    return false;
  }

  #runBatches(lane: Lane, budget: CallBudget): boolean {
    const listener = this.#listener;
    do {
      if (lane.retryLength > 0 && this.#dropMarked(lane)) continue;
      const length = listener.mayStart ? listener.callLength(lane) : 0;
      if (length === 0) break;
      const batch = new BatchCall(listener, lane, length);
      let result: unknown;
      try {
        result = this.#callBatch(batch);
      } catch (error) {
        budget.spend();
        this.#fail(lane, batch, error);
        return false;
      }
      if (isThenable(result)) {
        budget.spend();
        this.#await(result, lane, batch);
        return true;
      }
      batch.end();
      this.#succeed(lane, length);
    } while (budget.spend() && lane.length > 0);
    return false;
  }

  #callBatch(batch: Batch): unknown {
    const handler = this.#handler;
    if (handler.form === "eachBatch") return handler.call(batch);
    return this.#listener.consumerOf(batch.virtualPartition).consume(batch);
  }

  #await(result: PromiseLike<unknown>, lane: Lane, call: CallContext): void {
    call.startedMs = this.#listener.sliceStartMs;
    this.pending.add(call);
    this.#listener.pending(call, true);
    // A foreign thenable may settle twice; a promise around it does not (E1: one result, the first).
    const promise = result instanceof Promise ? result : Promise.resolve(result);
    promise.then(
      () => {
        this.#settle(call);
        const { length } = call;
        call.end();
        this.#succeed(lane, length);
        this.#listener.settled(lane);
      },
      (error: unknown) => {
        this.#settle(call);
        this.#fail(lane, call, error);
        this.#listener.settled(lane);
      },
    );
  }

  #settle(call: CallContext): void {
    this.pending.delete(call);
    this.#listener.pending(call, false);
  }

  #succeed(lane: Lane, length: number): void {
    for (let i = 0; i < length; i++) {
      const { batch, index } = lane;
      this.#shift(lane);
      this.#listener.done(batch, index);
    }
  }

  #fail(lane: Lane, call: CallContext, error: unknown): void {
    // A throw after the lease began to drain or ended is abandoned, not failed (E9).
    const abandoned = this.#listener.draining || this.#listener.ended;
    const counts = !abandoned && !Redeliver.isRedeliver(error);
    // Also an abandoned call is repeated when its lease goes on (R3), and not with what its handler had marked.
    if (lane.retryLength === 0) {
      lane.retryLength = call.length;
      lane.retryFailures = counts ? 1 : 0;
    }
    if (abandoned) this.#listener.abandoned(lane, call);
    else if (counts) {
      lane.failures++;
      this.#listener.failed(lane, call, error);
    } else this.#listener.redeliver(lane, call, error as Redeliver);
    call.end();
  }

  /** A message of a failed call that its handler had marked is not handed over again. */
  #dropMarked(lane: Lane): boolean {
    const { batch, index } = lane;
    if (this.#listener.isOpen(batch, index)) return false;
    this.#shift(lane, false);
    this.#listener.dropped(batch, index);
    return true;
  }

  /** @param progress A call has succeeded: the budget of the lane's retries is whole again (Q5). */
  #shift(lane: Lane, progress = this.#automatic): void {
    lane.shift();
    if (progress) lane.failuresInScope = 0;
    if (lane.retryLength === 0) return;
    if (lane.length === 0) lane.failuresInScope = 0;
    lane.failures = --lane.retryLength === 0 ? 0 : lane.retryFailures;
  }
}

/** One context per virtual partition, made on first use. */
class MessageContexts {
  readonly #lease: LeaseView;
  readonly #contexts: (CallContext | undefined)[] = [];

  constructor(lease: LeaseView) {
    this.#lease = lease;
  }

  of(virtualPartition: number): CallContext {
    let context = this.#contexts[virtualPartition];
    if (context === undefined) {
      context = new CallContext(this.#lease, virtualPartition);
      this.#contexts[virtualPartition] = context;
    }
    return context;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}
