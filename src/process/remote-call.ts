import { WorkerError } from "../errors.ts";
import type { Lane } from "../lane.ts";
import type { PolledBatch } from "../polled-batch.ts";
import type { HostedCall, HostedLease, Loss } from "../worker/host/hosted-call.ts";
import type { PoolThread } from "../worker/host/pool-thread.ts";
import { CallContext, type LeaseView } from "./call-context.ts";

/** Who starts the calls of a lease in threads. */
export interface RemoteCallOwner {
  readonly hosted: HostedLease;
  started(call: RemoteCall): void;
  done(call: RemoteCall): void;
  failed(call: RemoteCall, error: unknown): void;
  lost(call: RemoteCall, error: WorkerError, how: Loss): void;
}

/** A handler call that runs in a worker thread; its handler has a context of its own there. */
export class RemoteCall extends CallContext implements HostedCall {
  readonly laneKey: number;
  readonly lag: number;
  readonly thread: PoolThread;
  /** Its number in the thread. */
  id = 0;
  /** Its handler was seen started. */
  hasStarted = false;
  readonly #owner: RemoteCallOwner;
  readonly #length: number;

  /** @param ofBatch Its handler asks for the lag. */
  constructor(
    owner: RemoteCallOwner,
    view: LeaseView,
    lane: Lane,
    length: number,
    thread: PoolThread,
    ofBatch: boolean,
  ) {
    super(view, lane.slot);
    this.#owner = owner;
    this.#length = length;
    this.thread = thread;
    this.laneKey = laneKeyOf(lane);
    this.lag = ofBatch ? lagBehind(lane, length) : 0;
    this.begin(lane);
  }

  override get length(): number {
    return this.#length;
  }
  get hosted(): HostedLease {
    return this.#owner.hosted;
  }

  visitMessages(visit: (batch: PolledBatch, index: number) => void): void {
    this.lane?.peek(this.#length, visit);
  }

  /** The signal of the handler aborts. */
  override abort(reason: unknown): void {
    this.thread.abort(this.id, reason);
  }

  /** Ends the thread that it does not give back. */
  giveUp(afterMs: number): void {
    const rule = `a call must end within ${afterMs} ms once its signal has aborted`;
    const { topic, partition } = this.hosted;
    const where = `${topic}#${partition}@${this.lane?.firstOffset}`;
    this.thread.terminate(
      new WorkerError(`Cannot go on as ${rule}: received ${where}, which still runs`, {
        code: "HEADRACE_WORKER_TIMEOUT",
      }),
    );
  }

  /** A message of the call. */
  find(offset: number): { batch: PolledBatch; index: number } | null {
    let found: { batch: PolledBatch; index: number } | null = null;
    this.visitMessages((batch, index) => {
      if (batch.offsetAt(index) === offset) found = { batch, index };
    });
    return found;
  }

  started(): void {
    this.#owner.started(this);
  }
  done(): void {
    this.#owner.done(this);
  }
  failed(error: unknown): void {
    this.#owner.failed(this, error);
  }
  lost(error: WorkerError, how: Loss): void {
    this.#owner.lost(this, error, how);
  }
}

/** As `laneKeyAt()` says, without its table: the lane of the call is known. */
function laneKeyOf(lane: Lane): number {
  const { batch, index } = lane;
  if (batch.ordered) return -1;
  return batch.lanes.length === 0 ? batch.hashes[index]! : lane.id;
}

function lagBehind(lane: Lane, length: number): number {
  let lag = 0;
  lane.peek(length, (batch, index) => {
    const end = batch.highWatermark;
    lag = end < 0 ? 0 : Math.max(0, end - batch.offsetAt(index) - 1);
  });
  return lag;
}
