import { isThenable } from "../../is-thenable.ts";
import { systemClock } from "../../runtime/system-clock.ts";
import { STARTED_WORD, STOP_WORD } from "../frames.ts";
import type { ThreadBatch, ThreadCall } from "./thread-call.ts";
import type { ThreadLink } from "./thread-link.ts";

/** Longest time that calls are started without returning to the event loop of the thread. */
const MAX_BURST_MS = 10;
/** Results are kept back for so long, at most, for others to go with them. */
const MAX_KEPT_MS = 1;

/**
 * The calls of a thread: started in the order in which they came, each as soon as the thread is free.
 *
 * A result that is not a thenable ends its call in the same tick. Results go together, as waking the polling thread
 * costs more than a short handler; but none waits long behind a handler that blocks the thread, and half of the calls
 * are still there when the polling thread is woken to send others.
 */
export class CallQueue {
  readonly #link: ThreadLink;
  readonly #words: Int32Array;
  #calls: ThreadCall[] = [];
  #first = 0;
  #started = 0;
  /** The one whose handler runs right now. */
  #now: ThreadCall | null = null;
  /** Calls that returned a promise and have not ended. */
  readonly pending: Map<number, ThreadCall> = new Map();

  constructor(link: ThreadLink, words: Int32Array) {
    this.#link = link;
    this.#words = words;
  }

  add(call: ThreadCall): void {
    this.#calls.push(call);
  }

  /** A call that has not ended, started or not. */
  find(id: number): ThreadCall | undefined {
    if (this.#now?.id === id) return this.#now;
    const waiting = this.#calls.slice(this.#first);
    return this.pending.get(id) ?? waiting.find((call) => call.id === id);
  }

  /**
   * Starts what waits, for as long as the event loop may wait for its turn.
   *
   * @returns true when more is left.
   */
  run(): boolean {
    const beganMs = systemClock.now();
    let flushedMs = beganMs;
    this.#forgetStarted();
    while (this.#first < this.#calls.length) {
      // Its calls have been given to other threads.
      if (Atomics.load(this.#words, STOP_WORD) === 1) return false;
      this.#start(this.#calls[this.#first++]!);
      const nowMs = systemClock.now();
      if (nowMs - beganMs >= MAX_BURST_MS) return this.#first < this.#calls.length;
      const wakes = this.#first * 2 >= this.#calls.length || nowMs - flushedMs >= MAX_KEPT_MS;
      if (!wakes && this.#link.sleeps) continue;
      this.#link.flush();
      flushedMs = nowMs;
      if (!wakes) continue;
      this.#forgetStarted();
      this.#link.look();
    }
    return false;
  }

  #forgetStarted(): void {
    this.#calls.splice(0, this.#first);
    this.#first = 0;
  }

  #start(call: ThreadCall): void {
    // Said before the handler runs: if it ends the thread, this is how one knows whose doing it was (W3).
    Atomics.store(this.#words, STARTED_WORD, ++this.#started);
    this.#now = call;
    let result: unknown;
    try {
      result = invoke(call);
    } catch (error) {
      this.#failed(call, error);
      return;
    } finally {
      this.#now = null;
    }
    if (!isThenable(result)) {
      this.#done(call);
      return;
    }
    this.pending.set(call.id, call);
    // A foreign thenable may settle twice; a promise around it does not (E1: one result, the first).
    const promise = result instanceof Promise ? result : Promise.resolve(result);
    promise.then(
      () => {
        this.pending.delete(call.id);
        this.#done(call);
        this.#link.flushSoon();
      },
      (error: unknown) => {
        this.pending.delete(call.id);
        this.#failed(call, error);
        this.#link.flushSoon();
      },
    );
  }

  #done(call: ThreadCall): void {
    call.end();
    this.#link.done(call.id);
  }

  #failed(call: ThreadCall, error: unknown): void {
    call.end();
    this.#link.failed(call.id, error);
  }
}

function invoke(call: ThreadCall): unknown {
  const { handler } = call.lease.module;
  if (handler.form === "eachMessage") return handler.call(call.callMessages.at(0), call);
  const batch = call as ThreadBatch;
  if (handler.form === "eachBatch") return handler.call(batch);
  return call.lease.instance(call.virtualPartition).consume(batch);
}
