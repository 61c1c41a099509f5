import type { Redeliver } from "../errors.ts";
import type { Lane } from "../lane.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { CallContext, LeaseView } from "./call-context.ts";

/** What a processor tells the lease it works for. */
export interface ProcessListener extends LeaseView {
  /** When the running slice began, monotonic. */
  readonly sliceStartMs: number;
  /** Messages of the next call; 0 while its first message is held. */
  callLength(lane: Lane): number;
  /** Whether calls may start, apart from what is unmarked: a handler may have closed it. */
  readonly gate: CallGate;
  /** As the gate, and no more is unmarked than may be. */
  readonly mayStart: boolean;
  /** Keys that calls of ended leases hold (R6). */
  readonly held: { readonly empty: boolean; blocks(batch: PolledBatch, index: number): boolean };
  /**
   * The message has left the lane.
   *
   * @param handled Its call ended well; false: it was marked before, and is not handed over again.
   */
  done(batch: PolledBatch, index: number, handled: boolean): void;
  /** Not marked yet: a retry hands over only such messages (E3). */
  isOpen(batch: PolledBatch, index: number): boolean;
  /** A call failed while its lease was live; its messages are still in the lane. */
  failed(lane: Lane, call: CallContext, error: unknown): void;
  /** A call ended without a result that counts; its messages are still in the lane. */
  abandoned(lane: Lane, call: CallContext): void;
  /** The handler wants its messages again (E6); they are still in the lane. */
  redeliver(lane: Lane, call: CallContext, error: Redeliver): void;
  /** A call is pending (it returned a promise, or runs in a thread); or such a one has ended, or its lease has. */
  pending(call: CallContext, isPending: boolean): void;
  /** A call that was pending has ended; what may start now starts with the next turn. */
  callOver(lane: Lane): void;
  /** As `callOver()`, and the turn comes at once. */
  settled(lane: Lane): void;
}

/** Kept ready, as it is looked at before every call. */
export interface CallGate {
  open: boolean;
}

/** How many calls may follow one another at once. */
export interface CallBudget {
  /** One message was handed over; false: stop after it. */
  spend(): boolean;
}

/** Runs the handler calls of one lease, wherever they run. */
export interface Processor {
  /** Where calls run there is room for one more. */
  readonly hasRoom: boolean;
  /** Calls wait wherever they are to run: one more would not start sooner for being there. */
  readonly isBusy: boolean;
  /** Calls that have not ended. */
  readonly pending: ReadonlySet<CallContext>;
  /** Messages of these calls. */
  readonly pendingMessages: number;
  /**
   * Hands over messages of the lane.
   *
   * @returns true when a call is left pending; its end is told by `settled()`.
   */
  run(lane: Lane, budget: CallBudget): boolean;
  /** The state of the lease may have changed. */
  refresh(): void;
  /** A call runs for longer than it may, and its signal has aborted (R12). */
  overdue(call: CallContext): void;
  /** Batches were copied out (F2): messages of running calls read the copies. */
  rebase(): void;
  /** The lease is over: signals abort, and nobody waits for these calls any more. */
  end(reason: unknown): void;
}
