import type { Region } from "./channel.ts";

/** Regions begin at cache lines, so that one side can write one while the other side reads its neighbour. */
const LINE_BYTES = 64;
/** As little of the arena is used as will do: what was used just now is still in the cache. */
const FIRST_REACH_BYTES: number = 256 * 1024;

/** A piece of the arena that holds the messages of a call. */
export class ArenaRegion implements Region {
  readonly #arena: Arena;
  /** Bytes from the start of the arena. */
  readonly start: number;
  readonly end: number;
  /** Neighbours by address. */
  previous: ArenaRegion = this;
  next: ArenaRegion = this;

  constructor(arena: Arena, start: number, end: number) {
    this.#arena = arena;
    this.start = start;
    this.end = end;
  }

  free(): void {
    this.#arena.free(this);
  }
}

/**
 * Gives out the memory in which the messages of calls lie, and takes it back in any order: a call may take long.
 *
 * Only the polling thread knows it; nothing of it is shared. Regions are a ring list by address. Room is looked for
 * from the last region on, so that mostly the first look finds it; O(regions) when it does not.
 */
export class Arena {
  readonly #byteLength: number;
  /** The beginning: a region of no bytes, the one that is always there. */
  readonly #edge: ArenaRegion = new ArenaRegion(this, 0, 0);
  #last: ArenaRegion = this.#edge;
  /** Nothing is given out beyond it yet. */
  #reach: number;
  #usedBytes = 0;

  constructor(byteLength: number) {
    this.#byteLength = byteLength & -LINE_BYTES;
    this.#reach = Math.min(this.#byteLength, FIRST_REACH_BYTES);
  }

  /** @returns null when there is no gap of so many bytes. */
  allocate(byteLength: number): ArenaRegion | null {
    const bytes = (byteLength + LINE_BYTES - 1) & -LINE_BYTES;
    if (bytes > this.#byteLength - this.#usedBytes) return null;
    let before = this.#findGap(bytes);
    while (before === null && this.#reach < this.#byteLength) {
      this.#reach = Math.min(this.#byteLength, this.#reach * 2);
      before = this.#findGap(bytes);
    }
    if (before === null) return null;
    const region = new ArenaRegion(this, before.end, before.end + bytes);
    region.previous = before;
    region.next = before.next;
    before.next.previous = region;
    before.next = region;
    this.#last = region;
    this.#usedBytes += bytes;
    return region;
  }

  free(region: ArenaRegion): void {
    // A second time it would take neighbours out of the list that others rely on.
    if (region.next === region) return;
    region.previous.next = region.next;
    region.next.previous = region.previous;
    if (this.#last === region) this.#last = region.previous;
    region.next = region;
    region.previous = region;
    this.#usedBytes -= region.end - region.start;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The region behind which there is room. */
  #findGap(bytes: number): ArenaRegion | null {
    let region = this.#last;
    do {
      const { next } = region;
      const end = next === this.#edge ? this.#reach : next.start;
      if (end - region.end >= bytes) return region;
      region = next;
    } while (region !== this.#last);
    return null;
  }
}
