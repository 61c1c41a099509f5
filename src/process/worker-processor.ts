import type { WorkerError } from "../errors.ts";
import type { Lane } from "../lane.ts";
import type { Clock, TimerHandle } from "../types.ts";
import type { HostedLease, Loss } from "../worker/host/hosted-call.ts";
import type { WorkerHandler } from "../worker/host/worker-pool.ts";
import type { CallContext } from "./call-context.ts";
import { CallEnds } from "./call-ends.ts";
import type { CallBudget, ProcessListener, Processor } from "./processor.ts";
import { RemoteCall, type RemoteCallOwner } from "./remote-call.ts";
import { RemoteInstances } from "./remote-instances.ts";
import { RemoteLease } from "./remote-lease.ts";

/** What a lease says of the calls that it has in threads. */
export interface WorkerProcessorOptions {
  readonly topic: string;
  readonly partition: number;
  readonly clock: Clock;
  /** Success marks. */
  readonly automatic: boolean;
  /** How long an overdue call may ignore its signal (R12). */
  readonly drainTimeoutMs: number;
  /** A lane that waited for a thread may run. */
  readonly unpark: (lane: Lane) => void;
  /** A hook of a long-lived consumer threw. */
  readonly onHookError: (hook: string, error: unknown) => void;
}

/**
 * Runs the handler calls of one lease in worker threads.
 *
 * A call is sent, and its end comes later, as with a promise. A lane that gets no thread is parked: it is neither ready
 * nor running until there is room.
 */
export class WorkerProcessor implements Processor, RemoteCallOwner {
  readonly instances: RemoteInstances;
  readonly #listener: ProcessListener;
  readonly #handler: WorkerHandler;
  readonly #options: WorkerProcessorOptions;
  readonly #lease: RemoteLease;
  readonly #ends: CallEnds;
  readonly #ofBatches: boolean;
  /** Calls whose signal has aborted as they are overdue: when they are given up. */
  readonly #overdue = new Map<CallContext, TimerHandle>();
  /** Flags of the lease as the threads know them. */
  #told = 0;

  constructor(listener: ProcessListener, handler: WorkerHandler, options: WorkerProcessorOptions) {
    this.#listener = listener;
    this.#handler = handler;
    this.#options = options;
    this.#lease = new RemoteLease(listener, handler, options);
    this.instances = new RemoteInstances(this.#lease, handler, options.onHookError);
    this.#ends = new CallEnds(listener, options.automatic);
    this.#ofBatches = handler.exported !== "eachMessage";
  }

  get pending(): ReadonlySet<CallContext> {
    return this.#ends.pending;
  }
  get pendingMessages(): number {
    return this.#ends.pendingMessages;
  }
  get hasRoom(): boolean {
    return this.#handler.pool.hasRoom;
  }
  get isBusy(): boolean {
    return this.#handler.pool.isBusy;
  }
  get hosted(): HostedLease {
    return this.#lease;
  }

  run(lane: Lane, budget: CallBudget): boolean {
    do {
      if (lane.retryLength > 0 && this.#ends.dropMarked(lane)) continue;
      const length = this.#lengthOf(lane);
      return length > 0 && this.#start(lane, length, budget);
    } while (budget.spend() && lane.length > 0);
    return false;
  }

  #lengthOf(lane: Lane): number {
    const { mayStart, held } = this.#listener;
    if (!mayStart) return 0;
    if (this.#ofBatches) return this.#listener.callLength(lane);
    return !held.empty && held.blocks(lane.batch, lane.index) ? 0 : 1;
  }

  #start(lane: Lane, length: number, budget: CallBudget): boolean {
    const { pool } = this.#handler;
    const wish = { thread: this.instances.threadOf(lane.slot), solo: lane.solo };
    const thread = pool.claim(wish, { wake: () => this.#options.unpark(lane) });
    lane.parked = thread === null;
    if (thread === null) return false;
    budget.spend();
    const call = new RemoteCall(this, this.#listener, lane, length, thread, this.#ofBatches);
    this.#ends.pending.add(call);
    this.instances.pin(lane.slot, thread);
    call.id = pool.send(thread, call);
    return true;
  }

  /** Something about the lease has changed that running calls may ask for. */
  refresh(): void {
    const { flags } = this.#lease;
    if (flags === this.#told) return;
    this.#told = flags;
    this.#handler.pool.tell(this.#lease);
  }

  rebase(): void {
    // Its messages were copied when the call was sent.
  }

  /** Deadlines go on: a call that never ends would keep its thread, and its keys, for ever. */
  end(reason: unknown): void {
    this.refresh();
    for (const call of this.pending) call.abort(reason);
  }

  /** R12: a call that ignores its signal for too long is given up, and its thread with it. */
  overdue(call: CallContext): void {
    const { clock, drainTimeoutMs } = this.#options;
    const giveUp = (): void => (call as RemoteCall).giveUp(drainTimeoutMs);
    this.#overdue.set(call, clock.setTimer(giveUp, drainTimeoutMs));
  }

  // ---- how calls end -----------------------------------------------------------------------------------------

  started(call: RemoteCall): void {
    if (call.hasStarted) return;
    call.hasStarted = true;
    call.startedMs = this.#options.clock.now();
    this.#listener.pending(call, true);
  }

  done(call: RemoteCall): void {
    const lane = this.#close(call);
    const { length } = call;
    call.end();
    this.#ends.succeed(lane, length);
    this.#listener.callOver(lane);
  }

  failed(call: RemoteCall, error: unknown): void {
    const lane = this.#close(call);
    this.#ends.fail(lane, call, error);
    this.#listener.callOver(lane);
  }

  /** W3: the thread has died under it. */
  lost(call: RemoteCall, error: WorkerError, how: Loss): void {
    const lane = this.#close(call);
    if (how === "not-started") {
      call.end();
    } else {
      // Whoever ends the thread again must be seen to be the one.
      lane.solo = true;
      if (how === "alone") this.#ends.fail(lane, call, error);
      else this.#ends.repeat(lane, call);
    }
    this.#listener.callOver(lane);
  }

  #close(call: RemoteCall): Lane {
    this.#ends.pending.delete(call);
    this.#listener.pending(call, false);
    const timer = this.#overdue.get(call);
    this.#overdue.delete(call);
    if (timer !== undefined) this.#options.clock.clearTimer(timer);
    return call.lane!;
  }
}
