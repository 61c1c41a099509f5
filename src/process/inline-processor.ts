import type { Instances } from "../instances.ts";
import { isThenable } from "../is-thenable.ts";
import type { Lane } from "../lane.ts";
import { MessageView } from "../message.ts";
import type { FunctionHandler } from "../resolve-topic.ts";
import type { Batch } from "../types.ts";
import { BatchCall, CallContext, type LeaseView } from "./call-context.ts";
import { CallEnds } from "./call-ends.ts";
import type { CallBudget, ProcessListener, Processor } from "./processor.ts";

/**
 * Runs handler calls in this thread.
 *
 * A result that is not a thenable ends its call in the same tick (H2): no promise, no timer, no clock.
 */
export class InlineProcessor implements Processor {
  readonly hasRoom: boolean = true;
  readonly isBusy: boolean = false;
  readonly #listener: ProcessListener;
  readonly #handler: FunctionHandler;
  readonly #contexts: MessageContexts;
  readonly #automatic: boolean;
  readonly #ends: CallEnds;
  readonly #instances: Instances;

  /**
   * @param automatic Success marks.
   * @param instances Of the `consumer` form.
   */
  constructor(
    listener: ProcessListener,
    handler: FunctionHandler,
    automatic: boolean,
    instances: Instances,
  ) {
    this.#automatic = automatic;
    this.#instances = instances;
    this.#listener = listener;
    this.#handler = handler;
    this.#contexts = new MessageContexts(listener);
    this.#ends = new CallEnds(listener, automatic);
  }

  /** Calls that returned a promise and have not ended. */
  get pending(): ReadonlySet<CallContext> {
    return this.#ends.pending;
  }

  get pendingMessages(): number {
    return this.#ends.pendingMessages;
  }

  refresh(): void {
    // Contexts ask the lease itself.
  }
  overdue(): void {
    // It keeps its lane until it settles: order before liveness.
  }
  rebase(): void {
    for (const call of this.pending) call.rebase();
  }

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
    const { gate, held } = listener;
    const automatic = this.#automatic;
    const ends = this.#ends;
    do {
      if (lane.retryLength > 0 && ends.dropMarked(lane)) continue;
      if (!gate.open || !(automatic || listener.mayStart)) break;
      const { batch, index } = lane;
      if (!held.empty && held.blocks(batch, index)) break;
      context.begin(lane);
      const view = new MessageView(batch, index);
      let result: unknown;
      try {
        result = call(view, context);
      } catch (error) {
        budget.spend();
        ends.fail(lane, context, error);
        return false;
      }
      if (isThenable(result)) {
        // Calls that end in microtasks must not keep the event loop waiting either (R1).
        budget.spend();
        context.view = view;
        this.#await(result, lane, context);
        return true;
      }
      context.end();
      ends.shift(lane);
      listener.done(batch, index, true);
    } while (budget.spend() && lane.length > 0);
    return false;
  }

  #runBatches(lane: Lane, budget: CallBudget): boolean {
    const listener = this.#listener;
    const ends = this.#ends;
    do {
      if (lane.retryLength > 0 && ends.dropMarked(lane)) continue;
      const length = listener.mayStart ? listener.callLength(lane) : 0;
      if (length === 0) break;
      const batch = new BatchCall(listener, lane, length);
      let result: unknown;
      try {
        result = this.#callBatch(batch);
      } catch (error) {
        budget.spend();
        ends.fail(lane, batch, error);
        return false;
      }
      if (isThenable(result)) {
        budget.spend();
        this.#await(result, lane, batch);
        return true;
      }
      batch.end();
      ends.succeed(lane, length);
    } while (budget.spend() && lane.length > 0);
    return false;
  }

  #callBatch(batch: Batch): unknown {
    const handler = this.#handler;
    if (handler.form === "eachBatch") return handler.call(batch);
    return this.#instances.of(batch.virtualPartition).consume(batch);
  }

  #await(result: PromiseLike<unknown>, lane: Lane, call: CallContext): void {
    call.startedMs = this.#listener.sliceStartMs;
    this.#ends.pending.add(call);
    this.#listener.pending(call, true);
    // A foreign thenable may settle twice; a promise around it does not (E1: one result, the first).
    const promise = result instanceof Promise ? result : Promise.resolve(result);
    promise.then(
      () => {
        this.#settle(call);
        const { length } = call;
        call.end();
        this.#ends.succeed(lane, length);
        this.#listener.settled(lane);
      },
      (error: unknown) => {
        this.#settle(call);
        this.#ends.fail(lane, call, error);
        this.#listener.settled(lane);
      },
    );
  }

  end(reason: unknown): void {
    for (const call of this.pending) {
      this.#listener.pending(call, false);
      call.abort(reason);
    }
  }

  #settle(call: CallContext): void {
    this.#ends.pending.delete(call);
    this.#listener.pending(call, false);
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
