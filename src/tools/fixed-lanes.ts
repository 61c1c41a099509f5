import type { FlowModel } from "./flow-model.ts";
import { LaneClock } from "./lane-clock.ts";

/** `consistent`: a message goes where its reducer says. O(1) a message. */
export class FixedLanes implements FlowModel {
  readonly #clock: LaneClock;

  constructor(lanes: number, window: number) {
    this.#clock = new LaneClock(lanes, window);
  }

  get counts(): Float64Array {
    return this.#clock.counts;
  }

  push(_keyHash: number, virtualPartition: number): void {
    this.#clock.makeRoom();
    this.#clock.append(virtualPartition);
  }

  finish(): number {
    return this.#clock.lastEnd();
  }
}
