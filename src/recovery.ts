import type { DeadLetterWriter } from "./dead-letters.ts";
import { type Dispatch, Dispatches } from "./dispatches.ts";
import { errorInfo, type Redeliver } from "./errors.ts";
import type { Events } from "./events.ts";
import type { Lane } from "./lane.ts";
import type { Marking } from "./marking.ts";
import { MessageView } from "./message.ts";
import type { Failure } from "./options.ts";
import type { LeaseState } from "./pipeline-host.ts";
import type { PolledBatch } from "./polled-batch.ts";
import { backoffDelayMs } from "./process/backoff.ts";
import type { CallContext } from "./process/call-context.ts";
import type { ResolvedDeadLetterQueue, ResolvedTopic } from "./resolve-topic.ts";
import { CollapseWindow } from "./schedule/collapse-window.ts";
import type { PartitionLanes } from "./schedule/partition-lanes.ts";
import type { Pauses } from "./schedule/pauses.ts";
import type { Lease } from "./source/source.ts";
import type { Timers } from "./timers.ts";
import type { Clock } from "./types.ts";

/** What recovery needs of the lease it works for. */
export interface RecoveryHost {
  readonly lease: Lease;
  readonly topic: ResolvedTopic;
  readonly lanes: PartitionLanes;
  readonly state: LeaseState;
  readonly marking: Marking;
  /** Lowest offset that must still be handled: polled and neither marked nor in a call that has ended, or to be polled. */
  readonly unfinishedFrom: number;
  /** Marks one message alone. */
  markAlone(batch: PolledBatch, index: number): void;
  readonly pauses: Pauses;
  /** The collapse holds calls back, or does not any more. */
  regate(): void;
  /** Something may start now. */
  turn(): void;
  /** Something may start after this turn. */
  turnSoon(): void;
  /** A dead letter is not on its way any more: whoever drains looks again. */
  quiet(): void;
  report(error: unknown): void;
}

/** What becomes of a message whose call failed. */
export type Decision = "retry" | "skip" | { readonly dispatch: string };

/**
 * What follows a failed call (E, Q): back-off, collapse, dead letters. One per lease.
 *
 * It decides when lanes go on; it starts no call itself.
 */
export class Recovery {
  readonly collapse: CollapseWindow;
  readonly #host: RecoveryHost;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #timers: Timers;
  readonly dispatches: Dispatches;
  /** Failures since the partition last made progress, where it is the scope of the budget (Q5). */
  #failures = 0;
  /** Highest attempt among the failures that are being gathered. */
  #attempt = 1;

  constructor(
    host: RecoveryHost,
    clock: Clock,
    events: Events,
    timers: Timers,
    deadLetters: DeadLetterWriter | null,
  ) {
    this.#host = host;
    this.#clock = clock;
    this.#events = events;
    this.#timers = timers;
    this.collapse = new CollapseWindow(() => host.regate());
    this.dispatches = new Dispatches(host, clock, events, timers, deadLetters, {
      hopeless: (dispatch, error) => this.#onDispatchError(dispatch, error),
      marked: (lane) => this.#resetBudget(lane),
      skip: (lane) => this.#skip(lane),
      release: (lane) => this.#release(lane),
    });
  }

  /** A call has failed elsewhere in the partition, and its retry has not begun. */
  get failing(): boolean {
    return this.collapse.failing || this.#host.lanes.waiting > 0;
  }

  /** A call failed while its lease was live; its messages are still in its lane. */
  failed(lane: Lane, call: CallContext, error: unknown): void {
    const { lease, topic } = this.#host;
    const { ordered } = this.collapse;
    this.started(lane, call.length);
    this.#events.emit("failed", {
      topic: lease.topic,
      partition: lease.partition,
      offset: lane.firstOffset,
      virtualPartition: call.virtualPartition,
      attempt: lane.failures,
      collapsed: ordered,
      error: errorInfo(error),
    });
    if (ordered) {
      this.#failures++;
      this.#decided(lane, call, this.#decide(lane, call, error, this.#failures), error);
    } else if (topic.onError === "isolate" && this.collapse.phase === "none") {
      lane.failuresInScope++;
      this.#decided(lane, call, this.#decide(lane, call, error, lane.failuresInScope), error);
    } else {
      // All that fail before the window is set are one attempt.
      if (this.collapse.phase !== "gathering" || this.#failures === 0) this.#failures++;
      this.#attempt = Math.max(this.#attempt, lane.failures);
      this.collapse.failed();
    }
  }

  /** Messages were handed over, and are still in their lane: a collapse that is set holds them too. */
  started(lane: Lane, length: number): void {
    this.collapse.started(lastOffset(lane, length));
  }

  /** A handler wants its messages again: at once, after a pause, or collapsed (E6). */
  redeliver(lane: Lane, error: Redeliver): void {
    const { pauseMs, collapseUntil } = error;
    if (pauseMs > 0) this.#host.pauses.pauseFor(pauseMs);
    if (collapseUntil !== null) this.collapseUntil(collapseUntil);
    // A handler that always asks must not keep the event loop to itself (R1).
    const { phase } = this.collapse;
    if (phase === "none") lane.waiting = true;
    else if (phase === "ordered") this.collapse.phase = "waiting";
    this.#clock.defer(() => {
      if (this.#host.state !== "live") return;
      if (phase === "ordered") this.#goOn();
      if (phase !== "none" || !lane.waiting) return;
      this.#host.lanes.retry(lane, this.#clock.now());
      this.#host.turn();
    });
  }

  /** A call that started after the last failure has marked something (Q5). */
  progressed(): void {
    this.#failures = 0;
  }

  /** E6: from the next call on, up to and including an offset. */
  collapseUntil(offset: number): void {
    if (offset < this.#host.unfinishedFrom) return;
    const { until, phase } = this.collapse;
    this.collapse.request(offset);
    if (phase !== "none" && phase !== "gathering" && this.collapse.until > until) this.#tell();
  }

  /** No call runs: sets the window, or ends the collapse. */
  settle(): void {
    const { collapse } = this;
    if (collapse.phase === "gathering") {
      const backOff = collapse.set(this.#host.marking.highestDone);
      this.#host.lanes.startFilling();
      this.#host.lanes.collapsed = true;
      this.#tell();
      if (backOff) this.#waitThenGoOn(this.#delayMs(this.#attempt));
      this.#attempt = 1;
      if (!backOff) this.#host.turnSoon();
    }
    if (collapse.phase === "ordered" && this.#isThrough(collapse.until)) this.#expand();
  }

  /** Whether everything below an offset has been polled and has ended. */
  #isThrough(until: number): boolean {
    const { lanes, marking } = this.#host;
    const { next } = lanes;
    // Mostly so: no look at all lanes.
    const more = next !== undefined && next.headOffset < until;
    if (more && marking.isOpen(next.batch, next.index)) return false;
    return this.#host.unfinishedFrom >= until;
  }

  #expand(): void {
    const { topic, partition } = this.#host.lease;
    this.collapse.end();
    this.#host.lanes.collapsed = false;
    this.#failures = 0;
    this.#events.emit("expanded", { topic, partition });
    this.#host.turnSoon();
  }

  #tell(): void {
    const { topic, partition } = this.#host.lease;
    this.#events.emit("collapsed", { topic, partition, until: this.collapse.until });
  }

  /** The collapsed partition goes on after a back-off; in a drain it waits for its lease to be continued. */
  #waitThenGoOn(delayMs: number): void {
    this.collapse.phase = "waiting";
    if (this.#host.state === "live") this.#timers.set(delayMs, () => this.#goOn());
  }

  #goOn(): void {
    if (this.collapse.phase === "waiting") this.collapse.phase = "ordered";
    this.#host.turn();
  }

  #delayMs(attempt: number): number {
    return backoffDelayMs(this.#host.topic.retry, attempt);
  }

  // ---- what becomes of a message that failed ------------------------------------------------------------------

  /** Q1, Q2, Q7: only where one message is known to be the culprit. */
  #decide(lane: Lane, call: CallContext, error: unknown, failures: number): Decision {
    const queue = this.#host.topic.deadLetterQueue;
    if (queue === null || call.length > 1) return "retry";
    // Its handler has marked it before it threw: it is done.
    if (!this.#host.marking.isOpen(lane.batch, lane.index)) return "retry";
    const exhausted = (queue.independent ? lane.failures : failures) > queue.maxRetries;
    if (queue.strategy === null) return exhausted ? give(queue) : "retry";
    return this.#ask(queue, this.#failureOf(lane, error));
  }

  /** The strategy's answer; a throw is "retry" and is reported. */
  #ask(queue: ResolvedDeadLetterQueue, failure: Failure): Decision {
    let answer: unknown;
    try {
      answer = queue.strategy!(failure);
    } catch (error) {
      this.#host.report(error);
      return "retry";
    }
    if (answer === "retry" || answer === "skip") return answer;
    if (answer === "dispatch") return give(queue);
    const topic = (answer as { dispatch?: unknown } | null)?.dispatch;
    if (typeof topic === "string" && topic !== "") return { dispatch: topic };
    const rule = 'strategy must return "retry", "skip", "dispatch" or { dispatch: topic }';
    this.#host.report(
      new TypeError(`Cannot decide on a failure as ${rule}: received ${String(answer)}`),
    );
    return "retry";
  }

  #failureOf(lane: Lane, error: unknown, dispatchError?: unknown): Failure {
    const { batch, index } = lane;
    const { topic, partition } = batch;
    return {
      message: new MessageView(batch, index),
      error,
      attempt: lane.failures,
      topic,
      partition,
      offset: lane.firstOffset,
      collapsed: this.collapse.phase !== "none",
      ...(dispatchError === undefined ? {} : { dispatchError }),
    };
  }

  #decided(lane: Lane, call: CallContext, decision: Decision, error: unknown): void {
    if (decision === "retry") {
      if (this.collapse.phase === "none") this.#retryLane(lane, this.#delayMs(lane.failures));
      else this.#waitThenGoOn(this.#delayMs(lane.failures));
      return;
    }
    if (decision === "skip") {
      this.#skip(lane);
      return;
    }
    if (this.collapse.phase === "none") lane.waiting = true;
    else this.collapse.phase = "waiting";
    const failure = this.#failureOf(lane, error);
    this.dispatches.start(lane, failure, call.virtualPartition, decision.dispatch);
  }

  #retryLane(lane: Lane, delayMs: number): void {
    lane.waiting = true;
    this.#timers.set(delayMs, () => {
      this.#host.lanes.retry(lane, this.#clock.now());
      this.#host.turn();
    });
  }

  /** The message of a lane counts as done without having been handled. */
  #skip(lane: Lane): void {
    const { topic, partition } = this.#host.lease;
    const offset = lane.firstOffset;
    this.#host.markAlone(lane.batch, lane.index);
    this.#resetBudget(lane);
    this.#events.emit("skipped", { topic, partition, offset });
  }

  #resetBudget(lane: Lane): void {
    lane.failuresInScope = 0;
    this.#failures = 0;
  }

  /** Q4: what can never succeed is offered to the strategy. */
  #onDispatchError({ lane, failure }: Dispatch, error: unknown): Decision {
    const queue = this.#host.topic.deadLetterQueue!;
    if (queue.strategy === null) return "retry";
    return this.#ask(queue, this.#failureOf(lane, failure.error, error));
  }

  /** The lane, or the collapsed partition, goes on behind the message. */
  #release(lane: Lane): void {
    if (this.#host.state !== "live") return;
    if (!lane.waiting) {
      this.#goOn();
      return;
    }
    // The collapse that may hold the others has a back-off of its own.
    this.#host.lanes.retry(lane, this.#clock.now());
    this.#host.turn();
  }

  // ---- the lease -----------------------------------------------------------------------------------------------

  /** The lease is continued: waits are over, dead letters that are not on their way are tried again by their calls. */
  resume(): void {
    const nowMs = this.#clock.now();
    for (const lane of this.#host.lanes.busy()) {
      if (lane.waiting && !this.dispatches.has(lane)) this.#host.lanes.retry(lane, nowMs);
    }
    if (this.collapse.phase === "waiting" && !this.dispatches.holdsCollapse) this.#goOn();
  }
}

function give(queue: ResolvedDeadLetterQueue): Decision {
  return queue.topic === false ? "skip" : { dispatch: queue.topic };
}

function lastOffset(lane: Lane, length: number): number {
  let offset = -1;
  lane.peek(length, (batch, index) => {
    offset = batch.offsetAt(index);
  });
  return offset;
}
