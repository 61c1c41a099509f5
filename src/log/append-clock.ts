import type { PartitionPlace } from "./partition-log.ts";

/** Append times that are this far ahead of the clock raise an event: what goes by age would stall. */
const AHEAD_US = 60_000_000;

/** Gives batches their append times, which never decrease, whatever the clock does. */
export class AppendClock {
  readonly #place: PartitionPlace;
  #lastUs: number;
  /** The event was raised, and still holds. */
  #ahead = false;

  /** @param lastUs Append time of the newest batch, µs; -Infinity when there is none. */
  constructor(place: PartitionPlace, lastUs: number) {
    this.#place = place;
    this.#lastUs = lastUs;
    this.#check(this.nowUs);
  }

  /** What the clock says. */
  get nowUs(): number {
    return Math.floor(this.#place.writer.clock.wallTime()) * 1000;
  }

  /** Append time of a new batch. */
  next(): number {
    const nowUs = this.nowUs;
    this.#lastUs = Math.max(nowUs, this.#lastUs);
    this.#check(nowUs);
    return this.#lastUs;
  }

  #check(nowUs: number): void {
    const isAhead = this.#lastUs - nowUs > AHEAD_US;
    if (isAhead && !this.#ahead) {
      const { topic, partition, writer } = this.#place;
      const times = { appendTimeMs: this.#lastUs / 1000, nowMs: nowUs / 1000 };
      writer.events.emit("clockAhead", { topic, partition, ...times });
    }
    this.#ahead = isAhead;
  }
}
