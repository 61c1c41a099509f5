import { Redeliver } from "../errors.ts";
import type { Lane } from "../lane.ts";
import type { CallContext } from "./call-context.ts";
import type { ProcessListener } from "./processor.ts";

/** What becomes of a lane when one of its calls has ended: the same wherever the call ran. */
export class CallEnds {
  readonly #listener: ProcessListener;
  readonly #automatic: boolean;
  /** Calls that have not ended. */
  readonly pending: Set<CallContext> = new Set();

  /** @param automatic Success marks. */
  constructor(listener: ProcessListener, automatic: boolean) {
    this.#listener = listener;
    this.#automatic = automatic;
  }

  /** Messages of the calls that have not ended. */
  get pendingMessages(): number {
    let messages = 0;
    for (const call of this.pending) messages += call.length;
    return messages;
  }

  succeed(lane: Lane, length: number): void {
    for (let i = 0; i < length; i++) {
      const { batch, index } = lane;
      this.shift(lane);
      this.#listener.done(batch, index, true);
    }
  }

  fail(lane: Lane, call: CallContext, error: unknown): void {
    // A throw after the lease began to drain or ended is abandoned, not failed (E9).
    const abandoned = this.#listener.draining || this.#listener.ended;
    const counts = !abandoned && !Redeliver.isRedeliver(error);
    // Also an abandoned call is repeated when its lease goes on (R3), and not with what its handler had marked.
    this.#keepForRetry(lane, call, counts ? 1 : 0);
    if (abandoned) this.#listener.abandoned(lane, call);
    else if (counts) {
      lane.failures++;
      this.#listener.failed(lane, call, error);
    } else this.#listener.redeliver(lane, call, error as Redeliver);
    call.end();
  }

  /** The call ended with nobody to blame: no attempt, and its messages come again one per call. */
  repeat(lane: Lane, call: CallContext): void {
    this.#keepForRetry(lane, call, 0);
    this.#listener.abandoned(lane, call);
    call.end();
  }

  /** A message of a failed call that its handler had marked is not handed over again. */
  dropMarked(lane: Lane): boolean {
    const { batch, index } = lane;
    if (this.#listener.isOpen(batch, index)) return false;
    this.shift(lane, false);
    this.#listener.done(batch, index, false);
    return true;
  }

  /** @param progress A call has succeeded: the budget of the lane's retries is whole again (Q5). */
  shift(lane: Lane, progress: boolean = this.#automatic): void {
    lane.shift();
    if (progress) lane.failuresInScope = 0;
    if (lane.retryLength === 0) return;
    lane.failures = --lane.retryLength === 0 ? 0 : lane.retryFailures;
    if (lane.retryLength === 0) lane.solo = false;
  }

  #keepForRetry(lane: Lane, call: CallContext, failures: number): void {
    if (lane.retryLength > 0) return;
    lane.retryLength = call.length;
    lane.retryFailures = failures;
  }
}
