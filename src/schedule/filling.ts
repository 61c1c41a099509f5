import type { Timers } from "../timers.ts";
import type { PartitionLanes } from "./partition-lanes.ts";

/** Ends the wait of lanes that fill their next call (F3): after `maxWaitMs`, or as soon as nothing more can come. */
export class Filling {
  readonly #lanes: PartitionLanes;
  readonly #timers: Timers;
  readonly #maxWaitMs: number;
  readonly #turn: () => void;
  #timerSet = false;

  constructor(lanes: PartitionLanes, timers: Timers, maxWaitMs: number, turn: () => void) {
    this.#lanes = lanes;
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
    if (startNow) {
      this.#lanes.startFilling();
      return;
    }
    if (this.#timerSet) return;
    this.#timerSet = true;
    this.#timers.set(this.#maxWaitMs, () => {
      this.#timerSet = false;
      this.#lanes.startFilling();
      this.#turn();
    });
  }

  /** The timers were cleared. */
  reset(): void {
    this.#timerSet = false;
  }
}
