import type { FlowModel } from "./flow-model.ts";
import { MinHeap } from "./min-heap.ts";

/** No message follows. */
const NONE = -1;
/** Heap cells are message number × 2²⁰ + place: windows stay below 2²⁰, and numbers below 2³³ exact. */
const PLACE_FACTOR: number = 2 ** 20;

/**
 * `per-key`: every key is a lane of its own, and as many of them run at once as there are virtual partitions, the one
 * with the oldest message first. O(log window) a message.
 */
export class KeyLanes implements FlowModel {
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
