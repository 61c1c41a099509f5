import { invariant } from "./invariant.ts";
import type { ResolvedHandler } from "./resolve-topic.ts";
import type { VirtualPartitionConsumer, VirtualPartitionInfo } from "./types.ts";

/** The optional methods of a long-lived consumer. */
export type Hook = "flush" | "shutdown" | "revoked";

/** Runs the hooks of the long-lived consumers of one lease, wherever they are. */
export interface LeaseHooks {
  /** Runs hooks one after the other. */
  runAll(hooks: readonly Hook[]): Promise<void>;
  /** Runs a hook once per lease on each instance that exists; errors are reported, not fatal. */
  run(hook: Hook): Promise<void>;
}

/** The long-lived consumers of one lease, one per virtual partition, made on first use (C1–C3). */
export class Instances implements LeaseHooks {
  readonly #handler: ResolvedHandler;
  readonly #info: Omit<VirtualPartitionInfo, "virtualPartition">;
  readonly #onError: (hook: string, error: unknown) => void;
  readonly #instances = new Map<number, VirtualPartitionConsumer>();
  /** Instances whose hook ran: a continued lease may gain more of them after its flush. */
  readonly #ran: Record<Hook, Set<VirtualPartitionConsumer>> = {
    flush: new Set(),
    shutdown: new Set(),
    revoked: new Set(),
  };

  constructor(
    handler: ResolvedHandler,
    info: Omit<VirtualPartitionInfo, "virtualPartition">,
    onError: (hook: string, error: unknown) => void,
  ) {
    this.#handler = handler;
    this.#info = info;
    this.#onError = onError;
  }

  get size(): number {
    return this.#instances.size;
  }

  of(virtualPartition: number): VirtualPartitionConsumer {
    let instance = this.#instances.get(virtualPartition);
    if (instance === undefined) {
      invariant(this.#handler.form === "consumer", "only the consumer form has instances");
      instance = this.#handler.make({ ...this.#info, virtualPartition });
      this.#instances.set(virtualPartition, instance);
    }
    return instance;
  }

  async runAll(hooks: readonly Hook[]): Promise<void> {
    for (const hook of hooks) await this.run(hook);
  }

  async run(hook: Hook): Promise<void> {
    const ran = this.#ran[hook];
    await Promise.all(
      [...this.#instances.values()].map(async (instance) => {
        if (ran.has(instance)) return;
        ran.add(instance);
        try {
          await instance[hook]?.();
        } catch (error) {
          this.#onError(hook, error);
        }
      }),
    );
  }
}
