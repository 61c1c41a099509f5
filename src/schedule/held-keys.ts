import type { Lane } from "../lane.ts";
import type { PolledBatch } from "../polled-batch.ts";

/**
 * Keys of calls that outlive their lease (R6): whoever owns the partition next in this process starts none of their
 * messages before they settle. One object per group, topic and partition, for as long as something is held.
 */
export class HeldKeys {
  readonly #counts = new Map<number, number>();
  readonly #waiters = new Set<() => void>();
  /** Calls whose keys are not known (P2): they hold every key. */
  #everything = 0;
  /** Asked for before each call, so kept ready. */
  empty = true;

  blocks(batch: PolledBatch, index: number): boolean {
    if (this.empty) return false;
    return this.#everything > 0 || batch.ordered || this.#counts.has(batch.hashes[index]!);
  }

  /** @returns Releases what was held; to be called once. */
  hold(messages: readonly (readonly [batch: PolledBatch, index: number])[]): () => void {
    const hashes: number[] = [];
    let everything = false;
    for (const [batch, index] of messages) {
      if (batch.ordered) everything = true;
      else hashes.push(batch.hashes[index]!);
    }
    if (everything) this.#everything++;
    for (const hash of hashes) this.#counts.set(hash, (this.#counts.get(hash) ?? 0) + 1);
    this.#watch();
    return () => {
      if (everything) this.#everything--;
      for (const hash of hashes) {
        const left = this.#counts.get(hash)! - 1;
        if (left === 0) this.#counts.delete(hash);
        else this.#counts.set(hash, left);
      }
      this.#watch();
      for (const waiter of [...this.#waiters]) waiter();
    };
  }

  #watch(): void {
    this.empty = this.#everything === 0 && this.#counts.size === 0;
  }

  /** Calls back after each release; the owner removes it. */
  onRelease(waiter: () => void): () => void {
    this.#waiters.add(waiter);
    return () => this.#waiters.delete(waiter);
  }
}

/** All held keys of this process. Entries live while they hold something or somebody listens. */
const registry = new Map<string, { keys: HeldKeys; users: number }>();

/** One lease's part in the held keys of its partition: it obeys them, and leaves some when it ends. */
export class LeaseHolds {
  readonly keys: HeldKeys;
  readonly #name: string;
  readonly #stopListening: () => void;
  /** Calls that outlive the lease, and how to let go of their keys. */
  readonly #calls = new Map<Lane, () => void>();
  #ended = false;

  constructor(groupId: string, topic: string, partition: number, onRelease: () => void) {
    this.#name = `${groupId}\n${topic}\n${partition}`;
    const entry = registry.get(this.#name) ?? { keys: new HeldKeys(), users: 0 };
    registry.set(this.#name, entry);
    entry.users++;
    this.keys = entry.keys;
    this.#stopListening = this.keys.onRelease(onRelease);
  }

  /** The lease is over; these calls still run. */
  end(calls: Iterable<{ readonly lane: Lane | null; readonly length: number }>): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopListening();
    for (const { lane, length } of calls) {
      if (lane === null) continue;
      const messages: [PolledBatch, number][] = [];
      lane.peek(length, (batch, index) => messages.push([batch, index]));
      this.#calls.set(lane, this.keys.hold(messages));
    }
    this.#leaveWhenDone();
  }

  /** A call has ended. */
  settled(lane: Lane): void {
    const release = this.#calls.get(lane);
    if (release === undefined) return;
    this.#calls.delete(lane);
    release();
    this.#leaveWhenDone();
  }

  #leaveWhenDone(): void {
    if (this.#calls.size > 0) return;
    const entry = registry.get(this.#name);
    if (entry?.keys === this.keys && --entry.users === 0) registry.delete(this.#name);
  }
}
