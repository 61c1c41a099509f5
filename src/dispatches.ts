import type { DeadLetterWriter } from "./dead-letters.ts";
import { errorInfo, HeadraceError } from "./errors.ts";
import type { Events } from "./events.ts";
import type { Lane } from "./lane.ts";
import { leaseOverError } from "./lease-over-error.ts";
import { MessageView } from "./message.ts";
import type { Failure } from "./options.ts";
import type { PolledBatch } from "./polled-batch.ts";
import { backoffDelayMs } from "./process/backoff.ts";
import type { CallContext } from "./process/call-context.ts";
import type { Decision, RecoveryHost } from "./recovery.ts";
import type { Timers } from "./timers.ts";
import type { Clock } from "./types.ts";

/** A message on its way to a dead letter topic. */
export interface Dispatch {
  readonly lane: Lane;
  readonly batch: PolledBatch;
  readonly index: number;
  readonly failure: Failure;
  readonly virtualPartition: number;
  topic: string;
  attempts: number;
  /** The request has no answer yet. */
  onItsWay: boolean;
  /** Why the last request failed; null before the first answer. */
  error: string | null;
}

/** Whoever decides what becomes of failures. */
export interface DispatchOwner {
  /** A dispatch can never succeed (Q4). */
  hopeless(dispatch: Dispatch, error: unknown): Decision;
  /** The message of a lane was dispatched and marked. */
  marked(lane: Lane): void;
  skip(lane: Lane): void;
  /** The lane goes on behind the message. */
  release(lane: Lane): void;
}

/** Dead letters of one lease on their way (Q4, Q6): retried until acknowledged, then marked. */
export class Dispatches {
  readonly #host: RecoveryHost;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #timers: Timers;
  readonly #deadLetters: DeadLetterWriter | null;
  readonly #owner: DispatchOwner;
  readonly #dispatches = new Map<Lane, Dispatch>();
  /** End the back-offs of `deadLetter()` early. */
  readonly #backOffs = new Set<() => void>();
  /** Requests without an answer. */
  sending = 0;

  constructor(
    host: RecoveryHost,
    clock: Clock,
    events: Events,
    timers: Timers,
    deadLetters: DeadLetterWriter | null,
    owner: DispatchOwner,
  ) {
    this.#host = host;
    this.#clock = clock;
    this.#events = events;
    this.#timers = timers;
    this.#deadLetters = deadLetters;
    this.#owner = owner;
  }

  /** Why a message that waits could not be dispatched; null when there is none (`explain()`). */
  get error(): string | null {
    for (const { error } of this.#dispatches.values()) if (error !== null) return error;
    return null;
  }

  /** The collapsed partition waits for a dispatch, and not just a lane of it. */
  get holdsCollapse(): boolean {
    return [...this.#dispatches.keys()].some((lane) => !lane.waiting);
  }

  has(lane: Lane): boolean {
    return this.#dispatches.has(lane);
  }

  get #ended(): boolean {
    return this.#host.state === "ended";
  }

  readonly #isOver = (): boolean => this.#ended;

  /** Sends the first message of a lane to a dead letter topic. */
  start(lane: Lane, failure: Failure, virtualPartition: number, topic: string): void {
    const { batch, index } = lane;
    const place = { lane, batch, index, failure, virtualPartition };
    const dispatch: Dispatch = { ...place, topic, attempts: 0, onItsWay: false, error: null };
    this.#dispatches.set(lane, dispatch);
    this.#send(dispatch);
  }

  /** The lease drains: what is not on its way is given up; whoever goes on does it all again (Q6). */
  drain(): void {
    for (const [lane, { onItsWay }] of this.#dispatches) {
      if (!onItsWay) this.#dispatches.delete(lane);
    }
  }

  /** The lease is over: calls that wait for a back-off go on, and are told. */
  end(): void {
    for (const goOn of this.#backOffs) goOn();
  }

  /** Of a running call, so a drain does not end it; the end of the lease does. */
  #backOff(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        this.#clock.clearTimer(timer);
        this.#backOffs.delete(goOn);
        resolve();
      };
      const timer = this.#clock.setTimer(goOn, ms);
      this.#backOffs.add(goOn);
    });
  }

  #release(lane: Lane): void {
    this.#dispatches.delete(lane);
    this.#owner.release(lane);
  }

  #delayMs(attempts: number): number {
    return backoffDelayMs(this.#host.topic.retry, attempts);
  }

  #send(dispatch: Dispatch): void {
    const queue = this.#host.topic.deadLetterQueue!;
    const { failure, topic, virtualPartition } = dispatch;
    this.sending++;
    dispatch.onItsWay = true;
    dispatch.attempts++;
    this.#deadLetters!.send({ failure, queue, topic, virtualPartition, isOver: this.#isOver })
      .then(
        (target) => this.#answered(dispatch, () => this.#dispatched(dispatch, target)),
        (error: unknown) => this.#answered(dispatch, () => this.#refused(dispatch, error)),
      )
      // An error of our own: the lane stays where it is, and the message is not lost.
      .catch((error: unknown) => this.#host.report(error));
  }

  #answered(dispatch: Dispatch, act: () => void): void {
    this.sending--;
    dispatch.onItsWay = false;
    act();
    this.#host.quiet();
  }

  #dispatched(dispatch: Dispatch, target: string): void {
    const { lane, batch, index, failure } = dispatch;
    // Nothing that comes after the end of the lease counts; the headers tell the duplicate (Q4).
    if (this.#ended) return;
    this.#host.markAlone(batch, index);
    this.#owner.marked(lane);
    const { topic, partition, offset } = failure;
    this.#events.emit("deadLettered", { topic, partition, offset, target });
    this.#release(dispatch.lane);
  }

  #refused(dispatch: Dispatch, error: unknown): void {
    if (this.#ended) return;
    dispatch.error = errorInfo(error).message;
    this.#host.report(error);
    const hopeless = HeadraceError.is(error) && !error.retriable;
    const decision = hopeless ? this.#owner.hopeless(dispatch, error) : "retry";
    if (decision === "skip") {
      this.#owner.skip(dispatch.lane);
      this.#release(dispatch.lane);
      return;
    }
    if (decision !== "retry") dispatch.topic = decision.dispatch;
    // A lease that drains starts nothing; whoever owns the partition next does it all again (Q6).
    if (this.#host.state !== "live") this.#dispatches.delete(dispatch.lane);
    else this.#timers.set(this.#delayMs(dispatch.attempts), () => this.#send(dispatch));
  }

  /**
   * `context.deadLetter()`: dispatches and marks one message, whatever becomes of its call.
   *
   * @throws {FencedError} When the lease ended first.
   */
  async deadLetter(
    batch: PolledBatch,
    index: number,
    call: CallContext,
    reason: string,
  ): Promise<void> {
    const queue = this.#host.topic.deadLetterQueue;
    if (queue === null) {
      throw new TypeError(
        "Cannot dead-letter a message as its topic must have a deadLetterQueue: received none",
      );
    }
    const { topic, partition } = batch;
    const offset = batch.offsetAt(index);
    const message = new MessageView(batch, index);
    const { attempt, collapsed, virtualPartition } = call;
    const error = new Error(reason);
    const failure = { message, error, attempt, topic, partition, offset, collapsed };
    for (let attempts = 1; !this.#ended; attempts++) {
      if (queue.topic === false) {
        this.#host.markAlone(batch, index);
        this.#events.emit("skipped", { topic, partition, offset });
        return;
      }
      try {
        const place = { failure, queue, topic: queue.topic, virtualPartition };
        const letter = { ...place, isOver: this.#isOver };
        const target = await this.#deadLetters!.send(letter);
        if (this.#ended) break;
        this.#host.markAlone(batch, index);
        this.#events.emit("deadLettered", { topic, partition, offset, target });
        return;
      } catch (cause) {
        if (this.#ended) break;
        this.#host.report(cause);
      }
      await this.#backOff(this.#delayMs(attempts));
    }
    throw leaseOverError(topic, partition, offset);
  }
}
