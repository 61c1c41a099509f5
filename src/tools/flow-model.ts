import { MinHeap } from "./min-heap.ts";

/**
 * A partition that is read with virtual partitions, in steps of one handler call each: every call takes the same time,
 * messages are polled as room is made, and `window` of them at most are polled and not done. No barrier between polls.
 */
export interface FlowModel {
  /** The next message of the partition, by the hash of its key and the virtual partition that a reducer gives it. */
  push(keyHash: number, virtualPartition: number): void;
  /** Steps from the first call to the last one's end. Nothing may be pushed afterwards. */
  finish(): number;
  /** Messages handled so far by each virtual partition. */
  readonly counts: Float64Array;
}

/** How messages come to virtual partitions. */
export type Distribution = "consistent" | "balanced" | "per-key";

/** All of them, in the order in which they are compared. */
export const DISTRIBUTIONS: readonly Distribution[] = ["consistent", "balanced", "per-key"];

/**
 * @param lanes Virtual partitions, each running one call at a time.
 * @param window Messages polled and not done, at most.
 */
export function flowModel(distribution: Distribution, lanes: number, window: number): FlowModel {
  switch (distribution) {
    case "consistent":
      return new FixedLanes(lanes, window);
    case "balanced":
      return new PackedLanes(lanes, window);
    case "per-key":
      return new KeyLanes(lanes, window);
  }
}

/**
 * Lanes that work through their messages one step each, and what is in flight in them.
 *
 * Calls take whole steps, so what ends when is a ring of counts: no message is kept.
 */
class LaneClock {
  readonly counts: Float64Array;
  /** Step at which each lane has nothing left to do. */
  readonly freeAt: Float64Array;
  /** Messages that end at a step, by step modulo its length: none ends later than `window` steps from now. */
  readonly #ends: Uint32Array;
  readonly #window: number;
  #inFlight = 0;
  now = 0;

  constructor(lanes: number, window: number) {
    this.counts = new Float64Array(lanes);
    this.freeAt = new Float64Array(lanes);
    this.#ends = new Uint32Array(window + 1);
    this.#window = window;
  }

  /** Lets time pass until there is room for one more message. */
  makeRoom(): void {
    const ends = this.#ends;
    while (this.#inFlight === this.#window) {
      this.now++;
      const at = this.now % ends.length;
      this.#inFlight -= ends[at]!;
      ends[at] = 0;
    }
  }

  /** Puts a message behind the others of a lane. @returns The step at which it is done. */
  append(lane: number): number {
    const end = Math.max(this.now, this.freeAt[lane]!) + 1;
    this.freeAt[lane] = end;
    const at = end % this.#ends.length;
    this.#ends[at] = this.#ends[at]! + 1;
    this.#inFlight++;
    this.counts[lane] = this.counts[lane]! + 1;
    return end;
  }

  /** The step at which everything is done. */
  lastEnd(): number {
    return this.freeAt.reduce((latest, end) => Math.max(latest, end), this.now);
  }
}

/** `consistent`: a message goes where its reducer says. O(1) a message. */
class FixedLanes implements FlowModel {
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

/** Heap cells are step × 2¹⁶ + lane: a lane is 16 bits, and steps below 2³⁷ stay exact. */
const LANE_FACTOR = 65_536;
/** Keys that are done are swept out of the table when it has so many more than can be in flight. */
const SWEEP_SLACK = 1024;

/** `balanced`: a key in flight stays on its lane, any other goes to the lane with the least to do. O(log lanes). */
class PackedLanes implements FlowModel {
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

/** No message follows. */
const NONE = -1;
/** Heap cells are message number × 2²⁰ + place: windows stay below 2²⁰, and numbers below 2³³ exact. */
const PLACE_FACTOR: number = 2 ** 20;

/**
 * `per-key`: every key is a lane of its own, and as many of them run at once as there are virtual partitions, the one
 * with the oldest message first. O(log window) a message.
 */
class KeyLanes implements FlowModel {
  readonly counts: Float64Array;
  /** Newest message in flight of each key: its place, by hash. */
  readonly #tails = new Map<number, number>();
  // Of each message in flight, by its place: its number, its key, and the place of the next of that key.
  readonly #numbers: Float64Array;
  readonly #hashes: Float64Array;
  readonly #next: Int32Array;
  readonly #free: number[];
  /** Messages that may run: the oldest in flight of each key. */
  readonly #ready = new MinHeap();
  #arrived = 0;
  #now = 0;

  constructor(lanes: number, window: number) {
    this.counts = new Float64Array(lanes);
    this.#numbers = new Float64Array(window);
    this.#hashes = new Float64Array(window);
    this.#next = new Int32Array(window).fill(NONE);
    this.#free = Array.from({ length: window }, (_, place) => place);
  }

  push(keyHash: number): void {
    while (this.#free.length === 0) this.#step();
    const place = this.#free.pop()!;
    this.#numbers[place] = this.#arrived++;
    this.#hashes[place] = keyHash;
    this.#next[place] = NONE;
    const tail = this.#tails.get(keyHash);
    this.#tails.set(keyHash, place);
    if (tail === undefined) this.#makeReady(place);
    else this.#next[tail] = place;
  }

  finish(): number {
    while (this.#ready.size > 0) this.#step();
    return this.#now;
  }

  /** One call in each virtual partition, as far as there are keys. */
  #step(): void {
    this.#now++;
    const followers: number[] = [];
    for (let lane = 0; lane < this.counts.length; lane++) {
      const cell = this.#ready.pop();
      if (cell === undefined) break;
      const place = cell % PLACE_FACTOR;
      const hash = this.#hashes[place]!;
      const next = this.#next[place]!;
      this.counts[lane] = this.counts[lane]! + 1;
      this.#free.push(place);
      if (next === NONE) this.#tails.delete(hash);
      else followers.push(next);
    }
    for (const place of followers) this.#makeReady(place);
  }

  #makeReady(place: number): void {
    this.#ready.push(this.#numbers[place]! * PLACE_FACTOR + place);
  }
}
