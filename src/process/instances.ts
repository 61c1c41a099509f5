import type { VirtualPartitionConsumer } from "../types.ts";

type Hook = "flush" | "shutdown" | "revoked";

/** The long-lived consumers of one lease, one per virtual partition, made on first use (C1–C3). */
export class Instances {
  readonly #make: (virtualPartition: number) => VirtualPartitionConsumer;
  readonly #onError: (hook: string, error: unknown) => void;
  readonly #instances = new Map<number, VirtualPartitionConsumer>();
  /** Instances whose hook ran: a continued lease may gain more of them after its flush. */
  readonly #ran: Record<Hook, Set<VirtualPartitionConsumer>> = {
    flush: new Set(),
    shutdown: new Set(),
    revoked: new Set(),
  };

  constructor(
    make: (virtualPartition: number) => VirtualPartitionConsumer,
    onError: (hook: string, error: unknown) => void,
  ) {
    this.#make = make;
    this.#onError = onError;
  }

  of(virtualPartition: number): VirtualPartitionConsumer {
    let instance = this.#instances.get(virtualPartition);
    if (instance === undefined) {
      instance = this.#make(virtualPartition);
      this.#instances.set(virtualPartition, instance);
    }
    return instance;
  }

  /** Runs a hook once per lease on each instance that exists; errors are reported, not fatal. */
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
