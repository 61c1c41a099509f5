import { WorkerError } from "../../errors.ts";
import type { Hook } from "../../instances.ts";
import type { WorkerThread } from "../../options.ts";
import { settlesWithin } from "../../settles-within.ts";
import { Timers } from "../../timers.ts";
import type { Clock } from "../../types.ts";
import type { ModuleForm } from "../frames.ts";
import type { HostedCall, HostedLease } from "./hosted-call.ts";
import { PoolThread, type PoolThreadHost } from "./pool-thread.ts";
import { Seats, type SeatWaiter, type SeatWish } from "./seats.ts";

/** How long the first replacement of a thread waits; each further one without a finished call twice as long. */
const FIRST_REPLACEMENT_MS = 50;
const MAX_REPLACEMENT_MS = 10_000;
/** How long `close()` waits for hooks that run. */
const HOOKS_MS = 1000;
/** How long it waits for threads to end. */
const END_MS = 1000;
/** Calls that wait for a thread: below it, it may soon have none. */
const BUSY_BACKLOG = 2;
/** Of `handlerTimeoutMs`: how finely the start of a call behind others is seen. */
const START_CHECKS = 8;

/** What a pool is made of. */
export interface WorkerPoolOptions {
  readonly size: number;
  /** URLs of the modules that each thread loads; empty where threads serve their own handler. */
  readonly modules: readonly string[];
  readonly spawn: (name: string) => WorkerThread;
  readonly clock: Clock;
  readonly maxTextLength: number;
  /** 0: nobody asks when calls were started. */
  readonly handlerTimeoutMs: number;
  /** Handler calls of the consumer that may run at once, now. */
  readonly concurrency: () => number;
  /** Starts what may start. */
  readonly turn: () => void;
  /** Something went wrong that the pool gets over. */
  readonly report: (error: unknown) => void;
  /** Something went wrong that must not. */
  readonly fatal: (error: unknown) => void;
}

/** A handler in worker threads, as a lease gets it. */
export interface WorkerHandler {
  readonly form: "worker";
  /** What the module exports. */
  readonly exported: ModuleForm["form"];
  readonly pool: WorkerPool;
  /** Index of its module. */
  readonly module: number;
}

/** Worker threads that run the calls of some modules; a thread that dies is replaced. */
export class WorkerPool implements PoolThreadHost {
  readonly clock: Clock;
  readonly modules: readonly string[];
  readonly maxTextLength: number;
  readonly #options: WorkerPoolOptions;
  readonly #seats: Seats;
  readonly #threads = new Set<PoolThread>();
  readonly #leases = new Map<number, HostedLease>();
  readonly #timers: Timers;
  readonly #hooks = new Set<Promise<unknown>>();
  #lastLease = 0;
  /** Threads that have died since one has finished a call. */
  #deaths = 0;
  #looking = false;
  #closing = false;
  #started: { resolve(forms: readonly ModuleForm[]): void; reject(error: unknown): void } | null =
    null;
  /** Settles when no thread is left. */
  #allEnded: (() => void) | null = null;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.modules = options.modules;
    this.maxTextLength = options.maxTextLength;
    this.#timers = new Timers(options.clock);
    const limit = (): number => Math.ceil(options.concurrency() / options.size);
    this.#seats = new Seats(limit, options.turn);
  }

  /**
   * Starts the threads, each with all modules.
   *
   * @returns What the modules export, in their order, once all threads are ready.
   * @throws {WorkerError} `HEADRACE_WORKER_LOAD` when a thread cannot be started or a module cannot be loaded.
   */
  async start(): Promise<readonly ModuleForm[]> {
    const ready = new Promise<readonly ModuleForm[]>((resolve, reject) => {
      this.#started = { resolve, reject };
    });
    // Awaited below, unless a thread cannot even be started.
    ready.catch(() => {});
    try {
      for (let i = 0; i < this.#options.size; i++) this.#spawn();
      return await ready;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      this.#started = null;
    }
  }

  /** Ends all threads; calls that still run are lost. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#timers.clear();
    const hooks = Promise.all(this.#hooks);
    if (this.#hooks.size > 0) await settlesWithin(this.clock, HOOKS_MS, hooks);
    const error = new WorkerError("Cannot go on as the consumer is closed", {
      code: "HEADRACE_WORKER_CLOSED",
    });
    this.#started?.reject(error);
    if (this.#threads.size === 0) return;
    const ended = new Promise<void>((resolve) => {
      this.#allEnded = resolve;
    });
    for (const thread of this.#threads) thread.terminate(error);
    await settlesWithin(this.clock, END_MS, ended);
  }

  // ---- leases ------------------------------------------------------------------------------------------------

  /** @returns The id of a lease whose calls are to run here. */
  nextLeaseId(): number {
    return ++this.#lastLease;
  }

  /** The flags of a lease have changed. */
  tell(lease: HostedLease): void {
    for (const thread of this.#threads) thread.tell(lease);
  }

  /** Runs a hook of all long-lived consumers of a lease; answers what they threw. */
  async runHook(lease: HostedLease, hook: Hook): Promise<readonly unknown[]> {
    const ran = Promise.all([...this.#threads].map((thread) => thread.runHook(lease, hook)));
    this.#hooks.add(ran);
    const errors = await ran;
    this.#hooks.delete(ran);
    return errors.flat();
  }

  /** The lease has ended, and its hooks have run. */
  forget(lease: HostedLease): void {
    this.#leases.delete(lease.id);
    for (const thread of this.#threads) thread.forget(lease);
  }

  // ---- calls -------------------------------------------------------------------------------------------------

  get hasRoom(): boolean {
    return this.#seats.hasRoom;
  }

  /** All threads have work for longer than it takes to send them more. */
  get isBusy(): boolean {
    const least = this.least(({ backlog }) => backlog);
    return least !== null && least.backlog >= BUSY_BACKLOG;
  }

  /** @returns The thread for a call that is sent at once; null: the waiter will be woken. */
  claim(wish: SeatWish, waiter: SeatWaiter): PoolThread | null {
    return this.#seats.claim(wish, waiter);
  }

  /** The thread that has the fewest of something; null while none is ready. */
  least(count: (thread: PoolThread) => number): PoolThread | null {
    return this.#seats.least(count);
  }

  /** @returns The number of the call in its thread. */
  send(thread: PoolThread, call: HostedCall): number {
    this.#leases.set(call.hosted.id, call.hosted);
    const id = thread.send(call);
    this.#lookLater();
    return id;
  }

  /** A call behind others starts when nobody looks: it is timed from when its start is seen (R12). */
  #lookLater(): void {
    const { handlerTimeoutMs } = this.#options;
    if (handlerTimeoutMs === 0 || this.#looking) return;
    this.#looking = true;
    this.#timers.set(Math.max(1, handlerTimeoutMs / START_CHECKS), () => {
      this.#looking = false;
      for (const thread of this.#threads) thread.look();
      if ([...this.#threads].some((thread) => thread.hasUnstarted)) this.#lookLater();
    });
  }

  // ---- threads -----------------------------------------------------------------------------------------------

  leaseOf(id: number): HostedLease | undefined {
    return this.#leases.get(id);
  }

  ready(thread: PoolThread, forms: readonly ModuleForm[]): void {
    if (this.#closing) return;
    this.#seats.add(thread);
    if (this.#seats.count === this.#options.size) this.#started?.resolve(forms);
  }

  applied(ended: number): void {
    if (ended > 0) this.#deaths = 0;
    this.#seats.serve();
  }

  ending(thread: PoolThread): void {
    this.#seats.remove(thread);
    if (!this.#closing) this.#seats.serve();
  }

  ended(thread: PoolThread, error: WorkerError): void {
    this.#threads.delete(thread);
    this.#seats.remove(thread);
    if (this.#threads.size === 0) this.#allEnded?.();
    if (this.#closing) {
      this.#options.turn();
      return;
    }
    if (this.#started !== null) {
      this.#started.reject(error);
      return;
    }
    this.#options.report(error);
    this.#replace();
    this.#seats.serve();
  }

  fatal(error: unknown): void {
    this.#options.fatal(error);
  }

  #replace(): void {
    const delayMs = Math.min(MAX_REPLACEMENT_MS, FIRST_REPLACEMENT_MS * 2 ** this.#deaths++);
    this.#timers.set(delayMs, () => {
      try {
        this.#spawn();
      } catch (error) {
        this.#options.report(error);
        this.#replace();
      }
    });
  }

  #spawn(): void {
    let thread: WorkerThread;
    try {
      thread = this.#options.spawn("headrace");
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const message = `Cannot start a worker thread as the runtime must allow it: received ${why}`;
      throw new WorkerError(message, { code: "HEADRACE_WORKER_LOAD", cause });
    }
    this.#threads.add(new PoolThread(this, thread));
  }
}
