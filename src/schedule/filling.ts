import type { Timers } from "../timers.ts";
import type { Clock } from "../types.ts";
import type { PartitionLanes } from "./partition-lanes.ts";

const NEVER: number = Number.POSITIVE_INFINITY;

/**
 * Ends the wait of lanes that fill their next call (F3): `maxWaitMs` after their oldest message came, or as soon as
 * nothing more can come.
 */
export class Filling {
  readonly #lanes: PartitionLanes;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #maxWaitMs: number;
  readonly #turn: () => void;
  /** The timer that counts is for messages of this time; those for younger ones do nothing. */
  #sinceMs = NEVER;

  constructor(
    lanes: PartitionLanes,
    { clock, timers }: { readonly clock: Clock; readonly timers: Timers },
    maxWaitMs: number,
    turn: () => void,
  ) {
    this.#lanes = lanes;
    this.#clock = clock;
    this.#timers = timers;
    this.#maxWaitMs = maxWaitMs;
    this.#turn = turn;
  }

  /**
   * Some lanes wait.
   *
   * @param startNow Nothing more will come: the end of the log, no budget to poll more, a drain.
   */
  watch(startNow: boolean): void {
    if (startNow) this.#lanes.startFilling();
    const sinceMs = this.#lanes.fillingSinceMs;
    if (sinceMs >= this.#sinceMs) return;
    this.#sinceMs = sinceMs;
    const elapsedMs = this.#clock.now() - sinceMs;
    this.#timers.set(Math.max(0, this.#maxWaitMs - elapsedMs), () => {
      if (this.#sinceMs !== sinceMs) return;
      this.#sinceMs = NEVER;
      this.#lanes.startFilling(Math.max(sinceMs, this.#clock.now() - this.#maxWaitMs));
      this.#turn();
    });
  }

  /** The timers were cleared. */
  reset(): void {
    this.#sinceMs = NEVER;
  }
}
