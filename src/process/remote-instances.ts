import type { Hook, LeaseHooks } from "../instances.ts";
import type { PoolThread } from "../worker/host/pool-thread.ts";
import type { WorkerHandler } from "../worker/host/worker-pool.ts";
import type { RemoteLease } from "./remote-lease.ts";

/** Which thread has the long-lived consumer of which virtual partition of a lease (C1), and their hooks (C3). */
export class RemoteInstances implements LeaseHooks {
  readonly #lease: RemoteLease;
  readonly #handler: WorkerHandler;
  readonly #onError: (hook: string, error: unknown) => void;
  readonly #pins = new Map<number, PoolThread>();

  constructor(
    lease: RemoteLease,
    handler: WorkerHandler,
    onError: (hook: string, error: unknown) => void,
  ) {
    this.#lease = lease;
    this.#handler = handler;
    this.#onError = onError;
  }

  /**
   * The thread of a virtual partition: the one with the fewest of them, where there is none yet or it is gone. null:
   * any thread will do, or none is ready.
   */
  threadOf(virtualPartition: number): PoolThread | null {
    if (this.#handler.exported !== "consumer") return null;
    const pinned = this.#pins.get(virtualPartition);
    if (pinned !== undefined && !pinned.isGone) return pinned;
    return this.#handler.pool.least((thread) => thread.pins);
  }

  /** A call of the virtual partition runs there: so does every later one. */
  pin(virtualPartition: number, thread: PoolThread): void {
    if (this.#handler.exported !== "consumer") return;
    const before = this.#pins.get(virtualPartition);
    if (before === thread) return;
    this.#pins.set(virtualPartition, thread);
    thread.pins++;
  }

  async runAll(hooks: readonly Hook[]): Promise<void> {
    for (const hook of hooks) await this.run(hook);
  }

  async run(hook: Hook): Promise<void> {
    const { pool } = this.#handler;
    const errors = this.#pins.size === 0 ? [] : await pool.runHook(this.#lease, hook);
    for (const error of errors) this.#onError(hook, error);
    if (hook !== "revoked") return;
    // The last one: nothing of the lease comes to the threads any more.
    for (const thread of this.#pins.values()) thread.pins--;
    this.#pins.clear();
    pool.forget(this.#lease);
  }
}
