import type { Clock } from "../types.ts";
import { Slice } from "./slice.ts";

/** A partition as the scheduler sees it. */
export interface Runnable {
  /** A call could start now. */
  readonly canRun: boolean;
  /** Calls that have not ended. */
  readonly running: number;
  /** Starts calls while they end at once; true when one is left running: it keeps the slot. */
  run(slice: Slice): boolean;
  /** The turn is over: apply what was collected. */
  flush(): void;
}

/**
 * Gives the consumer's slots to partitions, in rotation, those with nothing running first (D7).
 *
 * Every turn is triggered by an event (a delivery, the end of a call, a timer); nothing polls.
 */
export class Scheduler {
  readonly #clock: Clock;
  readonly #slice: Slice;
  readonly #partitions: Runnable[] = [];
  readonly #onError: (error: unknown) => void;
  #rotation = 0;
  #running = 0;
  #inTurn = false;
  #burst = false;
  /** Handler calls that may run at once. */
  concurrency: number;

  constructor(clock: Clock, concurrency: number, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#slice = new Slice(clock);
    this.concurrency = concurrency;
    this.#onError = onError;
  }

  /** Calls that have not ended, of all leases, ended ones included. */
  get running(): number {
    return this.#running;
  }

  add(partition: Runnable): void {
    this.#partitions.push(partition);
  }

  remove(partition: Runnable): void {
    const index = this.#partitions.indexOf(partition);
    if (index >= 0) this.#partitions.splice(index, 1);
  }

  /** A call that kept a slot has ended. */
  release(): void {
    this.#running--;
  }

  /** Starts whatever can start. Never throws: an error of our own reaches `onError`. */
  turn(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    try {
      this.#startBurst();
      while (this.#running < this.concurrency && !this.#slice.expired) {
        const partition = this.#next();
        if (partition === undefined) break;
        this.#slice.start();
        if (partition.run(this.#slice)) this.#running++;
      }
      for (const partition of [...this.#partitions]) partition.flush();
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#inTurn = false;
    }
  }

  /** All turns of one turn of the event loop share one burst; what is left goes on in the next. */
  #startBurst(): void {
    if (this.#burst) return;
    this.#burst = true;
    this.#slice.startBurst(this.#clock.now());
    this.#clock.defer(() => {
      const { expired } = this.#slice;
      this.#burst = false;
      if (expired) this.turn();
    });
  }

  #next(): Runnable | undefined {
    const all = this.#partitions;
    let second = -1;
    for (let i = 0; i < all.length; i++) {
      const at = (this.#rotation + i) % all.length;
      const partition = all[at]!;
      if (!partition.canRun) continue;
      if (partition.running === 0) return this.#take(at);
      if (second < 0) second = at;
    }
    return second < 0 ? undefined : this.#take(second);
  }

  #take(index: number): Runnable {
    this.#rotation = (index + 1) % this.#partitions.length;
    return this.#partitions[index]!;
  }
}
