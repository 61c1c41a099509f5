import type { PoolThread } from "./pool-thread.ts";

/** A lane that waits for a seat. */
export interface SeatWaiter {
  /** It may ask again. */
  wake(): void;
}

/** What a call asks for. */
export interface SeatWish {
  /** Its own thread: the one that has the instance of its virtual partition (C1); null: any. */
  readonly thread: PoolThread | null;
  /** Nothing else may run there meanwhile: a thread has died under it before (W3). */
  readonly solo: boolean;
}

/** The seats of one thread. */
class ThreadSeats {
  readonly thread: PoolThread;
  /** The call that is there runs alone. */
  solo = false;
  /** It is empty, and the next one in `solos` is asked to take it. */
  handing = false;
  readonly solos: SeatWaiter[] = [];
  readonly waiters: SeatWaiter[] = [];

  constructor(thread: PoolThread) {
    this.thread = thread;
  }

  /** Kept for a call that runs alone: no other one is let in. */
  get reserved(): boolean {
    return this.solo || this.handing || this.solos.length > 0;
  }
}

/**
 * Who may run a call where: at most so many at once per thread (W1), the emptiest thread first, and calls that have to
 * run alone one at a time (W3).
 *
 * Whoever gets no seat waits here and is woken when there is one; nobody holds a seat that he does not use.
 */
export class Seats {
  readonly #limit: () => number;
  readonly #turn: () => void;
  readonly #threads: ThreadSeats[] = [];
  /** They wait for any thread. */
  readonly #waiters: SeatWaiter[] = [];
  #serving = false;

  /**
   * @param limit Most calls of one thread.
   * @param turn Lets those ask again who were woken.
   */
  constructor(limit: () => number, turn: () => void) {
    this.#limit = limit;
    this.#turn = turn;
  }

  /** A call could start now, as far as threads are concerned. */
  get hasRoom(): boolean {
    return this.#threads.some((seats) => seats.handing || this.#room(seats) > 0);
  }

  /** Threads that are ready. */
  get count(): number {
    return this.#threads.length;
  }

  /** The thread that has the fewest of something. */
  least(count: (thread: PoolThread) => number): PoolThread | null {
    let least: PoolThread | null = null;
    for (const { thread } of this.#threads) {
      if (least === null || count(thread) < count(least)) least = thread;
    }
    return least;
  }

  /** @returns The thread for a call that is sent at once; null: the waiter will be woken. */
  claim({ thread, solo }: SeatWish, waiter: SeatWaiter): PoolThread | null {
    const seats = thread === null ? this.#choose(solo) : this.#of(thread);
    if (seats === undefined) {
      this.#waiters.push(waiter);
      return null;
    }
    if (solo) {
      if (seats.thread.running > 0 || seats.solo) {
        seats.solos.push(waiter);
        return null;
      }
      seats.solo = true;
      seats.handing = false;
      return seats.thread;
    }
    if (this.#room(seats) > 0) return seats.thread;
    seats.waiters.push(waiter);
    return null;
  }

  /** A thread is ready for calls. */
  add(thread: PoolThread): void {
    this.#threads.push(new ThreadSeats(thread));
    this.serve();
  }

  /** A thread is gone: whoever waits for it asks again. */
  remove(thread: PoolThread): void {
    const index = this.#threads.findIndex((seats) => seats.thread === thread);
    if (index < 0) return;
    const [gone] = this.#threads.splice(index, 1);
    for (const waiter of [...gone!.solos, ...gone!.waiters]) waiter.wake();
  }

  /** Calls have ended, or more may run: lets in whoever waits, as far as there is room. */
  serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      let woken: number;
      do {
        woken = 0;
        for (const seats of this.#threads) woken += this.#serveThread(seats);
        const room = this.#threads.reduce((sum, seats) => sum + Math.max(0, this.#room(seats)), 0);
        woken += wake(this.#waiters, room);
        this.#turn();
        // Whoever has not taken his seat by now waits for something else.
        for (const seats of this.#threads) seats.handing = false;
      } while (woken > 0);
    } finally {
      this.#serving = false;
    }
  }

  #serveThread(seats: ThreadSeats): number {
    if (seats.thread.running > 0) return wake(seats.waiters, this.#room(seats));
    seats.solo = false;
    if (seats.solos.length === 0) return wake(seats.waiters, this.#room(seats));
    seats.handing = true;
    return wake(seats.solos, 1);
  }

  #room(seats: ThreadSeats): number {
    return seats.reserved ? 0 : this.#limit() - seats.thread.running;
  }

  /** The emptiest thread with room; for a call that runs alone the one where others wait for that, then the emptiest. */
  #choose(solo: boolean): ThreadSeats | undefined {
    let best: ThreadSeats | undefined;
    for (const seats of this.#threads) {
      if (solo && seats.reserved) return seats;
      if (!solo && this.#room(seats) <= 0) continue;
      if (best === undefined || seats.thread.running < best.thread.running) best = seats;
    }
    return best;
  }

  #of(thread: PoolThread): ThreadSeats | undefined {
    return this.#threads.find((seats) => seats.thread === thread);
  }
}

/** Wakes the first ones; at most `count`. */
function wake(waiters: SeatWaiter[], count: number): number {
  const first = waiters.splice(0, Math.max(0, count));
  for (const waiter of first) waiter.wake();
  return first.length;
}
