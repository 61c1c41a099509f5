import { copiedBytes } from "../../copied-bytes.ts";
import { FencedError, type WorkerError } from "../../errors.ts";
import type { Hook } from "../../instances.ts";
import { invariant } from "../../invariant.ts";
import type { WorkerThread } from "../../options.ts";
import type { Clock } from "../../types.ts";
import type { ChannelEnd, MessageEncoder, Region } from "../channel.ts";
import { createChannel } from "../create-channel.ts";
import { errorFromText, errorToText } from "../error-text.ts";
import type { FrameReader } from "../frame-reader.ts";
import * as frames from "../frames.ts";
import type { HostedCall, HostedLease, Loss, ReturnedRecord } from "./hosted-call.ts";
import { ThreadLife } from "./thread-life.ts";

/** What a thread works for. */
export interface PoolThreadHost {
  readonly clock: Clock;
  /** URLs of the modules that it loads; empty where it serves its own handler. */
  readonly modules: readonly string[];
  /** Longest text in a commit's metadata, in UTF-16 units. */
  readonly maxTextLength: number;
  /** Also of a lease that has just ended. */
  leaseOf(id: number): HostedLease | undefined;
  ready(thread: PoolThread, modules: readonly frames.ModuleForm[]): void;
  /** What the thread had to say has been handed over, results of `ended` calls among it. */
  applied(ended: number): void;
  /** No more calls for it: it is about to end. */
  ending(thread: PoolThread): void;
  /** It has ended, whatever for, and its calls are lost by now. */
  ended(thread: PoolThread, error: WorkerError): void;
  /** An error of our own. */
  fatal(error: unknown): void;
}

/** What an average goes over. */
const LOOKS = 8;

interface OpenCall {
  readonly call: HostedCall;
  /** Room of its messages. */
  readonly region: Region | null;
}

/** A worker thread from its start to its end, as the polling thread sees it. */
export class PoolThread {
  readonly #host: PoolThreadHost;
  readonly #life: ThreadLife;
  readonly #end: ChannelEnd;
  readonly #encoder: MessageEncoder;
  readonly #words: Int32Array;
  readonly #calls = new Map<number, OpenCall>();
  /** Numbers of the calls whose start has not been seen, in the order in which they start. */
  readonly #unstarted: number[] = [];
  #startsSeen = 0;
  /** Calls that waited for it to be free whenever it was looked at, on average over the last looks. */
  backlog = 0;
  readonly #leases = new Set<number>();
  /** Calls that run alone in their partition, by question: how to let the next one run. */
  readonly #grants = new Map<number, () => void>();
  readonly #hooks = new Map<number, (errors: readonly unknown[]) => void>();
  #lastCall = 0;
  #lastQuestion = 0;
  #flushing = false;
  /** Since they were told. */
  #results = 0;
  /** Long-lived consumers that live here. */
  pins = 0;
  /** It gets no more calls. */
  isGone = false;

  constructor(host: PoolThreadHost, thread: WorkerThread) {
    this.#host = host;
    const words = new SharedArrayBuffer(64);
    this.#words = new Int32Array(words);
    const { end, memory, encoder } = createChannel({
      maxQueuedBytes: Number.MAX_SAFE_INTEGER,
      ring: () => this.#life.post({ headrace: "bell" }),
    });
    this.#end = end;
    this.#encoder = encoder;
    const { modules, maxTextLength, clock } = host;
    const boot = { headrace: "boot", memory, words, modules, maxTextLength } as const;
    this.#life = new ThreadLife(thread, boot, clock, {
      ready: (forms) => this.#ready(forms),
      ended: (error) => this.#ended(error),
      ending: () => this.#ending(),
      bell: () => end.rung(),
    });
  }

  /** Calls that have not ended here. */
  get running(): number {
    return this.#calls.size;
  }
  /** Nothing of it can run any more. */
  get #isDead(): boolean {
    return this.#end.closed;
  }
  /** Calls were sent whose start has not been seen. */
  get hasUnstarted(): boolean {
    return this.#unstarted.length > 0;
  }

  /** Ends it, whatever runs in it: its calls are lost. */
  terminate(error: WorkerError): void {
    this.#life.end(error);
  }

  // ---- to the thread -----------------------------------------------------------------------------------------

  /** @returns The number of the call here. */
  send(call: HostedCall): number {
    this.#introduce(call.hosted);
    const id = ++this.#lastCall;
    const idle = this.#calls.size === 0;
    const encoder = this.#encoder;
    call.visitMessages((batch, index) => encoder.add(batch, index));
    const frame = this.#end.begin(frames.CALL);
    frame.u32(id);
    frame.u32(call.hosted.id);
    frame.u32(call.virtualPartition);
    frame.u32(call.attempt);
    frame.u32(call.hosted.flags);
    frame.f64(call.laneKey);
    frame.f64(call.lag);
    const region = encoder.write(frame);
    this.#commit();
    this.#calls.set(id, { call, region });
    this.#unstarted.push(id);
    // As good as seen: nothing is before it.
    if (idle) call.started();
    return id;
  }

  /** The signal of a call aborts. */
  abort(id: number, reason: unknown): void {
    if (!this.#calls.has(id) || this.#isDead) return;
    const { name, message } = reason instanceof Error ? reason : new Error(String(reason));
    const frame = this.#end.begin(frames.ABORT);
    frame.u32(id);
    frame.text(name);
    frame.text(message);
    this.#commit();
  }

  /** Something about a lease has changed. */
  tell(lease: HostedLease): void {
    if (!this.#leases.has(lease.id) || this.#isDead) return;
    const frame = this.#end.begin(frames.LEASE_STATE);
    frame.u32(lease.id);
    frame.u32(lease.flags);
    this.#commit();
  }

  /** Runs a hook of the lease's long-lived consumers here; answers what they threw, or why they did not run. */
  runHook(lease: HostedLease, hook: Hook): Promise<readonly unknown[]> {
    if (!this.#leases.has(lease.id) || this.#isDead) return Promise.resolve([]);
    const question = ++this.#lastQuestion;
    const frame = this.#end.begin(frames.HOOK);
    frame.u32(question);
    frame.u32(lease.id);
    frame.text(hook);
    this.#commit();
    return new Promise((resolve) => this.#hooks.set(question, resolve));
  }

  /** No call of the lease will come any more. */
  forget(lease: HostedLease): void {
    this.#leases.delete(lease.id);
  }

  /** Sees which handlers have been started meanwhile. */
  look(): void {
    const started = Atomics.load(this.#words, frames.STARTED_WORD) >>> 0;
    for (; this.#startsSeen !== started; this.#startsSeen = (this.#startsSeen + 1) >>> 0) {
      const id = this.#unstarted.shift();
      invariant(id !== undefined, "a thread starts calls that were sent to it");
      this.#calls.get(id)?.call.started();
    }
    this.backlog += (this.#unstarted.length - this.backlog) / LOOKS;
  }

  #introduce(lease: HostedLease): void {
    if (this.#leases.has(lease.id)) return;
    this.#leases.add(lease.id);
    const frame = this.#end.begin(frames.LEASE);
    frame.u32(lease.id);
    frame.u32(lease.module);
    frame.text(lease.topic);
    frame.u32(lease.partition);
    frame.text(lease.groupId);
    frame.optionalText(lease.offsetMetadata);
    frame.optionalText(lease.segment?.origin ?? null);
    if (lease.segment !== undefined) {
      frame.u32(lease.segment.index);
      frame.u32(lease.segment.count);
    }
    this.#commit();
  }

  #answer(question: number, error: unknown): void {
    if (this.#isDead) return;
    const frame = this.#end.begin(frames.ANSWER);
    frame.u32(question);
    frame.optionalText(error === undefined ? null : errorToText(error));
    this.#commit();
  }

  /** All that is committed in one turn goes with one wake-up. */
  #commit(): void {
    this.#end.commit();
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#end.flush();
    });
  }

  // ---- from the thread ---------------------------------------------------------------------------------------

  #ready(forms: readonly frames.ModuleForm[]): void {
    const listening = this.#end.listen({
      onFrame: (frame) => this.#read(frame),
      afterBatch: () => {
        this.look();
        const results = this.#results;
        this.#results = 0;
        this.#host.applied(results);
        return undefined;
      },
    });
    listening.catch((error) => this.#host.fatal(error));
    this.#host.ready(this, forms);
  }

  #read(frame: FrameReader): void {
    switch (frame.kind) {
      case frames.DONE:
        this.#close(frame.u32())?.done();
        return;
      case frames.FAILED:
        this.#close(frame.u32())?.failed(errorFromText(frame.text()));
        return;
      case frames.MARK:
        this.#mark(frame);
        return;
      case frames.TEXT:
        this.#leaseOf(frame)?.attachText(frame.f64(), frame.text());
        return;
      case frames.COLLAPSE:
        this.#leaseOf(frame)?.collapseUntil(frame.f64());
        return;
      case frames.PAUSE:
        this.#leaseOf(frame)?.pauseFor(frame.f64());
        return;
      case frames.DEAD_LETTER:
        this.#deadLetter(frame);
        return;
      case frames.SYNCHRONIZE:
        this.#synchronize(frame);
        return;
      case frames.RELEASE:
        this.#release(frame.u32());
        return;
      case frames.HOOK_DONE:
        this.#hookDone(frame);
        return;
      default:
        invariant(false, `the polling thread knows the kinds of its frames, ${frame.kind} too`);
    }
  }

  #leaseOf(frame: FrameReader): HostedLease | undefined {
    return this.#host.leaseOf(frame.u32());
  }

  /** The call has ended: its messages may be overwritten. */
  #close(id: number): HostedCall | undefined {
    const open = this.#calls.get(id);
    invariant(open !== undefined, "a call ends once");
    this.#calls.delete(id);
    open.region?.free();
    this.#results++;
    return open.call;
  }

  #mark(frame: FrameReader): void {
    const call = this.#calls.get(frame.u32())?.call ?? null;
    const lease = this.#leaseOf(frame);
    const place = { offset: frame.f64(), laneKey: frame.f64() };
    lease?.mark(place, call, frame.optionalText());
  }

  #deadLetter(frame: FrameReader): void {
    const question = frame.u32();
    const call = this.#calls.get(frame.u32())?.call;
    const lease = this.#leaseOf(frame);
    const place = { offset: frame.f64(), laneKey: frame.f64() };
    const reason = frame.text();
    const record = frame.u32() === 0 ? null : readRecord(frame);
    // Its thread has asked before the call ended.
    if (lease === undefined || call === undefined) {
      this.#answer(question, leaseOver("dead-letter"));
      return;
    }
    lease.deadLetter(call, place, reason, record).then(
      () => this.#answer(question, undefined),
      (error: unknown) => this.#answer(question, error),
    );
  }

  #synchronize(frame: FrameReader): void {
    const question = frame.u32();
    const lease = this.#leaseOf(frame);
    if (lease === undefined) {
      this.#answer(question, leaseOver("run alone"));
      return;
    }
    const alone = lease.synchronize(() => {
      if (this.#isDead) return Promise.resolve();
      const over = new Promise<void>((resolve) => this.#grants.set(question, resolve));
      this.#answer(question, undefined);
      return over;
    });
    alone.catch((error) => this.#host.fatal(error));
  }

  #release(question: number): void {
    this.#grants.get(question)?.();
    this.#grants.delete(question);
  }

  #hookDone(frame: FrameReader): void {
    const question = frame.u32();
    const errors = Array.from({ length: frame.u32() }, () => errorFromText(frame.text()));
    this.#hooks.get(question)?.(errors);
    this.#hooks.delete(question);
  }

  // ---- its end -----------------------------------------------------------------------------------------------

  #ending(): void {
    this.isGone = true;
    // Some runtimes say that a thread has ended while the handler in it goes on: no other one must start there.
    Atomics.store(this.#words, frames.STOP_WORD, 1);
    this.#host.ending(this);
  }

  #ended(error: WorkerError): void {
    // What is lost makes room and frees keys: nothing of that may start here.
    if (!this.isGone) this.#ending();
    try {
      // What it had finished counts, and who was running is known by what had begun.
      this.#end.read((frame) => this.#read(frame));
      this.look();
    } catch (cause) {
      this.#host.fatal(cause);
    }
    this.#end.abandon();
    const waiting = new Set(this.#unstarted);
    const lost = [...this.#calls];
    const ran = lost.filter(([id]) => !waiting.has(id)).length;
    this.#calls.clear();
    for (const [id, { call }] of lost) call.lost(error, lossOf(error, waiting.has(id), ran));
    for (const release of this.#grants.values()) release();
    this.#grants.clear();
    for (const settle of this.#hooks.values()) settle([error]);
    this.#hooks.clear();
    this.#host.ended(this, error);
  }
}

function lossOf({ code }: WorkerError, waited: boolean, ran: number): Loss {
  if (code === "HEADRACE_WORKER_CLOSED") return "closed";
  if (waited) return "not-started";
  return ran === 1 ? "alone" : "among-others";
}

function readRecord(frame: FrameReader): ReturnedRecord {
  const timestamp = frame.f64();
  const bytes = (): Uint8Array | null => (frame.u32() === 0 ? null : copiedBytes(frame.bytes()));
  const key = bytes();
  const value = bytes();
  const headers = Array.from(
    { length: frame.u32() },
    () => [frame.text(), copiedBytes(frame.bytes())] as const,
  );
  return { timestamp, key, value, headers };
}

function leaseOver(act: string): FencedError {
  return new FencedError(`Cannot ${act} as the lease must be live: received one that is over`);
}
