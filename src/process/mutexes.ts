import type { TopicPartition } from "../types.ts";

/** Lets one run at a time, in the order of the calls (C4). */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  /** @returns What `fn` returns; rejects with what it throws. */
  run<R>(fn: () => R | Promise<R>): Promise<R> {
    const turn = this.#tail.then(fn);
    // Whoever waits behind goes on in any case; the error reaches the caller.
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

/** One mutex per topic partition, whatever its lease; as many as there are partitions that asked for one. */
export class Mutexes {
  readonly #mutexes = new Map<string, Mutex>();

  of({ topic, partition }: TopicPartition): Mutex {
    const name = `${topic}#${partition}`;
    const mutex = this.#mutexes.get(name) ?? new Mutex();
    this.#mutexes.set(name, mutex);
    return mutex;
  }
}
