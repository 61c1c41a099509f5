import type { FlowModel } from "./flow-model.ts";
import { LaneClock } from "./lane-clock.ts";
import { MinHeap } from "./min-heap.ts";

/** Heap cells are step × 2¹⁶ + lane: a lane is 16 bits, and steps below 2³⁷ stay exact. */
const LANE_FACTOR = 65_536;
/** Keys that are done are swept out of the table when it has so many more than can be in flight. */
const SWEEP_SLACK = 1024;

/** `balanced`: a key in flight stays on its lane, any other goes to the lane with the least to do. O(log lanes). */
export class PackedLanes implements FlowModel {
  readonly #clock: LaneClock;
  readonly #window: number;
  /** Lane and last step of each key, done or in flight, by hash. */
  readonly #keys = new Map<number, { lane: number; end: number }>();
  /** Lanes with nothing to do, lowest first. */
  readonly #idle = new MinHeap();
  /** Lanes by the step at which they are free. Cells whose lane was given more since are stale, and dropped when met. */
  readonly #busy = new MinHeap();

  constructor(lanes: number, window: number) {
    this.#clock = new LaneClock(lanes, window);
    this.#window = window;
    for (let lane = 0; lane < lanes; lane++) this.#idle.push(lane);
  }

  get counts(): Float64Array {
    return this.#clock.counts;
  }

  push(keyHash: number): void {
    const clock = this.#clock;
    clock.makeRoom();
    const key = this.#keys.get(keyHash);
    if (key !== undefined && key.end > clock.now) {
      key.end = this.#append(key.lane);
      return;
    }
    const lane = this.#leastBusy();
    const end = this.#append(lane);
    if (key === undefined) this.#remember(keyHash, lane, end);
    else {
      key.lane = lane;
      key.end = end;
    }
  }

  finish(): number {
    return this.#clock.lastEnd();
  }

  #append(lane: number): number {
    const end = this.#clock.append(lane);
    this.#busy.push(end * LANE_FACTOR + lane);
    return end;
  }

  /** Takes the lane out of the heap that it is in. */
  #leastBusy(): number {
    const { now, freeAt } = this.#clock;
    for (;;) {
      const cell = this.#busy.peek();
      if (cell === undefined) break;
      const end = Math.floor(cell / LANE_FACTOR);
      const lane = cell % LANE_FACTOR;
      const stale = freeAt[lane] !== end;
      if (!stale && end > now) break;
      this.#busy.pop();
      if (!stale) this.#idle.push(lane);
    }
    const idle = this.#idle.pop();
    return idle ?? this.#busy.pop()! % LANE_FACTOR;
  }

  #remember(keyHash: number, lane: number, end: number): void {
    this.#keys.set(keyHash, { lane, end });
    if (this.#keys.size <= 2 * this.#window + SWEEP_SLACK) return;
    for (const [hash, key] of this.#keys) if (key.end <= this.#clock.now) this.#keys.delete(hash);
  }
}
