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
/** Buffers of keys grow in such steps, and are used again for the next key of their counter. */
const BUFFER_STEP = 32;
const EMPTY = new Uint8Array(0);
/** Places of the hash table per counter: mostly the first look finds the key. */
const PLACES_PER_COUNTER = 4;

/**
 * The most frequent keys of a stream, in memory that does not grow with the number of keys: Space-Saving (Metwally,
 * Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005).
 *
 * A key that is not watched takes the place of the rarest one, and inherits its count as an error. So with m counters
 * and n messages each key that came more than n / m times is watched, `count − error` ≤ true count ≤ `count`, and no
 * error is above n / m. Nothing is estimated before the (m + 1)th key.
 *
 * Keys are told apart by two hashes of 32 bits that the caller computes: two keys that have both in common count as
 * one. O(log m) a message, without an allocation once each counter has been used.
 */
export class SpaceSaving {
  readonly #capacity: number;
  readonly #hashes: Uint32Array;
  readonly #others: Uint32Array;
  readonly #counts: Float64Array;
  readonly #errors: Float64Array;
  readonly #lengths: Float64Array;
  readonly #buffers: Uint8Array[] = [];
  /** Slot + 1 of the keys, 0: none. Open addressing: a key is at the place of its hash or in the next ones. */
  readonly #table: Int32Array;
  readonly #mask: number;
  /** Slots as a binary heap, rarest first; where each slot lies in it. */
  readonly #heap: Int32Array;
  readonly #positions: Int32Array;
  #evicted = false;

  /** @param capacity Counters, m, at least 1. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#hashes = new Uint32Array(capacity);
    this.#others = new Uint32Array(capacity);
    this.#counts = new Float64Array(capacity);
    this.#errors = new Float64Array(capacity);
    this.#lengths = new Float64Array(capacity);
    this.#heap = new Int32Array(capacity);
    this.#positions = new Int32Array(capacity);
    const places = 2 ** Math.ceil(Math.log2(capacity * PLACES_PER_COUNTER));
    this.#table = new Int32Array(places);
    this.#mask = places - 1;
  }

  /** Keys watched. */
  get size(): number {
    return this.#buffers.length;
  }

  /** No key has lost its counter: counts, and the number of keys, are exact. */
  get exact(): boolean {
    return !this.#evicted;
  }

  /** Counts messages of a key, `bytes[start, end)`. Its beginning is copied when it is new. */
  add(
    hash: number,
    other: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    messages = 1,
  ): void {
    const table = this.#table;
    let place = hash & this.#mask;
    let slot = table[place]! - 1;
    while (slot >= 0 && (this.#hashes[slot] !== hash || this.#others[slot] !== other)) {
      place = (place + 1) & this.#mask;
      slot = table[place]! - 1;
    }
    if (slot < 0) slot = this.#watch(hash, other, bytes, start, end);
    this.#counts[slot] = this.#counts[slot]! + messages;
    this.#sink(this.#positions[slot]!);
  }

  /** The most frequent watched keys, most frequent first; ties by the order of their bytes. */
  top(most: number): WatchedKey[] {
    const counts = this.#counts;
    const all = this.#buffers.map((_, slot) => ({ slot, bytes: this.#keyOf(slot) }));
    all.sort((a, b) => counts[b.slot]! - counts[a.slot]! || compare(a.bytes, b.bytes));
    return all.slice(0, most).map(({ slot, bytes }) => ({
      count: counts[slot]!,
      error: this.#errors[slot]!,
      bytes: bytes.slice(),
      byteLength: this.#lengths[slot]!,
    }));
  }

  #keyOf(slot: number): Uint8Array {
    return this.#buffers[slot]!.subarray(0, Math.min(KEPT_BYTES, this.#lengths[slot]!));
  }

  #watch(hash: number, other: number, bytes: Uint8Array, start: number, end: number): number {
    let slot = this.size;
    if (slot < this.#capacity) {
      this.#buffers.push(EMPTY);
      this.#heap[slot] = slot;
      this.#positions[slot] = slot;
      // A count of 0 is the least there is: it belongs at the top.
      this.#rise(slot);
    } else {
      slot = this.#heap[0]!;
      this.#forget(slot);
      this.#errors[slot] = this.#counts[slot]!;
      this.#evicted = true;
    }
    this.#hashes[slot] = hash;
    this.#others[slot] = other;
    let place = hash & this.#mask;
    while (this.#table[place] !== 0) place = (place + 1) & this.#mask;
    this.#table[place] = slot + 1;
    this.#keep(slot, bytes, start, end);
    return slot;
  }

  #keep(slot: number, bytes: Uint8Array, start: number, end: number): void {
    this.#lengths[slot] = end - start;
    const kept = Math.min(KEPT_BYTES, end - start);
    let buffer = this.#buffers[slot]!;
    if (buffer.length < kept) {
      buffer = new Uint8Array(Math.ceil(kept / BUFFER_STEP) * BUFFER_STEP);
      this.#buffers[slot] = buffer;
    }
    for (let at = 0; at < kept; at++) buffer[at] = bytes[start + at]!;
  }

  /** Takes a key out of the table, and moves back those behind it that would not be found any more. */
  #forget(slot: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let hole = this.#hashes[slot]! & mask;
    while (table[hole] !== slot + 1) hole = (hole + 1) & mask;
    for (let next = (hole + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const wanted = this.#hashes[table[next]! - 1]! & mask;
      if (((next - wanted) & mask) < ((next - hole) & mask)) continue;
      table[hole] = table[next]!;
      hole = next;
    }
    table[hole] = 0;
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
