import type { TopicPartition } from "../types.ts";

/** Lets one run at a time, in the order of the calls (C4). */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();
  #users = 0;

  /**
   * @param free Called when nobody is inside or waits.
   * @returns What `fn` returns; rejects with what it throws.
   */
  run<R>(fn: () => R | Promise<R>, free: () => void = () => {}): Promise<R> {
    this.#users++;
    const turn = this.#tail.then(fn);
    const over = (): void => {
      if (--this.#users === 0) free();
    };
    // Whoever waits behind goes on in any case; the error reaches the caller.
    this.#tail = turn.then(over, over);
    return turn;
  }
}

/** The mutexes of this process that somebody is in. */
const registry = new Map<string, Mutex>();

/**
 * One mutex per topic partition of a group, whatever its lease and its consumer: a call of an ended lease may still be
 * inside when another consumer of this process has the partition. Segments share that of their origin.
 */
export class Mutexes {
  readonly #groupId: string;

  /** @param groupId That of the consumer's options. */
  constructor(groupId: string) {
    this.#groupId = groupId;
  }

  run<R>({ topic, partition }: TopicPartition, fn: () => R | Promise<R>): Promise<R> {
    const name = `${this.#groupId}\n${topic}\n${partition}`;
    const mutex = registry.get(name) ?? new Mutex();
    registry.set(name, mutex);
    return mutex.run(fn, () => registry.delete(name));
  }
}
