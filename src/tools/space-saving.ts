/** A key that the sketch watches. */
export interface WatchedKey {
  /** At least as often as the key came; too high by `error` at most. */
  readonly count: number;
  readonly error: number;
  /** The beginning of the key's bytes. */
  readonly bytes: Uint8Array;
  /** Length of the whole key, in bytes. */
  readonly byteLength: number;
}

/** Bytes of a key that are kept, so that long keys cost no more memory. */
const KEPT_BYTES = 256;

/**
 * The most frequent keys of a stream, in memory that does not grow with the number of keys: Space-Saving (Metwally,
 * Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005).
 *
 * A key that is not watched takes the place of the rarest one, and inherits its count as an error. So with m counters
 * and n messages each key that came more than n / m times is watched, `count − error` ≤ true count ≤ `count`, and no
 * error is above n / m. Nothing is estimated before the (m + 1)th key.
 *
 * Keys are told apart by an id of 53 bits that the caller computes: two keys of equal id count as one. O(log m) each.
 */
export class SpaceSaving {
  readonly #capacity: number;
  readonly #slots = new Map<number, number>();
  readonly #ids: Float64Array;
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  readonly #lengths: Float64Array;
  readonly #bytes: Uint8Array[] = [];
  /** Slots as a binary heap, rarest first; where each slot lies in it. */
  readonly #heap: Int32Array;
  readonly #positions: Int32Array;
  #evicted = false;

  /** @param capacity Counters, m, at least 1. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#ids = new Float64Array(capacity);
    this.#counts = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
    this.#lengths = new Float64Array(capacity);
    this.#heap = new Int32Array(capacity);
    this.#positions = new Int32Array(capacity);
  }

  /** Keys watched. */
  get size(): number {
    return this.#bytes.length;
  }

  /** No key has lost its counter: counts, and the number of keys, are exact. */
  get exact(): boolean {
    return !this.#evicted;
  }

  /** Counts one message. The key is `bytes[start, end)`; its beginning is copied when it is new. */
  add(id: number, bytes: Uint8Array, start: number, end: number, messages = 1): void {
    let slot = this.#slots.get(id);
    if (slot === undefined) slot = this.#watch(id, bytes, start, end);
    this.#counts[slot] = this.#counts[slot]! + messages;
    this.#sink(this.#positions[slot]!);
  }

  /** The most frequent watched keys, most frequent first; ties by the order of their bytes. */
  top(most: number): WatchedKey[] {
    const slots = Array.from({ length: this.size }, (_, slot) => slot);
    const counts = this.#counts;
    slots.sort((a, b) => counts[b]! - counts[a]! || compare(this.#bytes[a]!, this.#bytes[b]!));
    return slots.slice(0, most).map((slot) => ({
      count: counts[slot]!,
      error: this.#errors[slot]!,
      bytes: this.#bytes[slot]!,
      byteLength: this.#lengths[slot]!,
    }));
  }

  #watch(id: number, bytes: Uint8Array, start: number, end: number): number {
    let slot = this.size;
    if (slot < this.#capacity) {
      this.#heap[slot] = slot;
      this.#positions[slot] = slot;
      // A count of 0 is the least there is: it belongs at the top.
      this.#rise(slot);
    } else {
      slot = this.#heap[0]!;
      this.#slots.delete(this.#ids[slot]!);
      this.#errors[slot] = this.#counts[slot]!;
      this.#evicted = true;
    }
    this.#slots.set(id, slot);
    this.#ids[slot] = id;
    this.#lengths[slot] = end - start;
    this.#bytes[slot] = bytes.slice(start, Math.min(end, start + KEPT_BYTES));
    return slot;
  }

  #rise(position: number): void {
    let at = position;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#counts[this.#heap[parent]!]! <= this.#counts[this.#heap[at]!]!) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #sink(position: number): void {
    const heap = this.#heap;
    const counts = this.#counts;
    const { size } = this;
    let at = position;
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      const right = child + 1;
      if (right < size && counts[heap[right]!]! < counts[heap[child]!]!) child = right;
      if (counts[heap[at]!]! <= counts[heap[child]!]!) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #swap(a: number, b: number): void {
    const [slotA, slotB] = [this.#heap[a]!, this.#heap[b]!];
    this.#heap[a] = slotB;
    this.#heap[b] = slotA;
    this.#positions[slotB] = a;
    this.#positions[slotA] = b;
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at++) {
    if (a[at] !== b[at]) return a[at]! - b[at]!;
  }
  return a.length - b.length;
}
