import type { Lane } from "../lane.ts";

/**
 * Lanes with work and no call running, the one whose first message has the lowest offset first (D7).
 *
 * New lanes come in ascending order and wait in a queue, O(1); lanes that come back after a call go through a binary
 * heap. The next lane is the lower of the two fronts.
 */
export class ReadyLanes {
  #queue: Lane[] = [];
  #front = 0;
  #heap: Lane[] = [];

  get size(): number {
    return this.#queue.length - this.#front + this.#heap.length;
  }

  push(lane: Lane): void {
    lane.ready = true;
    lane.headOffset = lane.firstOffset;
    const queue = this.#queue;
    if (queue.length === this.#front) {
      queue.length = 0;
      this.#front = 0;
      queue.push(lane);
    } else if (queue[queue.length - 1]!.headOffset < lane.headOffset) {
      queue.push(lane);
    } else {
      this.#heap.push(lane);
      this.#up(this.#heap.length - 1);
    }
  }

  /** The next lane, left where it is. */
  peek(): Lane | undefined {
    const first = this.#front < this.#queue.length ? this.#queue[this.#front] : undefined;
    if (this.#heap.length === 0) return first;
    const top = this.#heap[0]!;
    return first !== undefined && first.headOffset < top.headOffset ? first : top;
  }

  pop(): Lane | undefined {
    const lane = this.peek();
    if (lane === undefined) return undefined;
    lane.ready = false;
    if (this.#heap.length > 0 && lane === this.#heap[0]) {
      this.#popHeap();
      return lane;
    }
    this.#front++;
    if (this.#front >= 4096 && this.#front * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#front);
      this.#front = 0;
    }
    return lane;
  }

  #popHeap(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(from: number): void {
    const heap = this.#heap;
    const lane = heap[from]!;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (heap[parent]!.headOffset <= lane.headOffset) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = lane;
  }

  #down(from: number): void {
    const heap = this.#heap;
    const lane = heap[from]!;
    let at = from;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.headOffset < heap[child]!.headOffset) child++;
      if (heap[child]!.headOffset >= lane.headOffset) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = lane;
  }
}
