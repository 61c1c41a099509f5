import { invariant } from "../invariant.ts";

/** Offsets of one page; one bit each. */
const PAGE_OFFSETS = 1024;
const PAGE_SHIFT = 10;
const PAGE_MASK = PAGE_OFFSETS - 1;
/** Farthest that an open offset may lie above the first page; the pipeline stops far below it (F4). */
const MAX_DISTANCE = 0xffffffff;
const PAGE_WORDS = PAGE_OFFSETS / 32;
/** Pages kept for reuse. */
const SPARE_PAGES = 32;
/** Null entries at the front that are worth a copy of the page list. */
const TRIM_PAGES = 1024;

interface Page {
  /** A set bit is an open offset: delivered, not done. */
  readonly bits: Uint32Array;
  open: number;
}

/**
 * Which delivered offsets of one lease are not done yet, and so what may be committed (O3).
 *
 * It keeps open offsets, not done ones: those are bounded by the in-flight and unmarked budgets, while what is done
 * above a stuck message is not. Offsets that were never delivered (compaction, markers) are never open and so hold
 * nothing back. Pages without an open offset take no memory.
 *
 * `deliver` O(count / 32), `mark` O(1), `committable` O(1) amortised.
 */
export class OffsetTracker {
  #pages: (Page | null)[] = [];
  /** First offset of #pages[0]. */
  #baseOffset: number;
  /** Index into #pages below which no page has an open offset. */
  #head = 0;
  #spare: Page[] = [];
  #openCount = 0;
  #nextOffset: number;

  constructor(startOffset: number) {
    this.#nextOffset = startOffset;
    this.#baseOffset = pageStart(startOffset);
  }

  /** Delivered and not done. */
  get openCount(): number {
    return this.#openCount;
  }

  /** Next offset that the source will deliver. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** The next offset after the longest prefix that is done. */
  get committable(): number {
    if (this.#openCount === 0) return this.#nextOffset;
    const pages = this.#pages;
    while (pages[this.#head] === null || pages[this.#head] === undefined) this.#head++;
    if (this.#head >= TRIM_PAGES && this.#head * 2 >= pages.length) this.#trim();
    const { bits } = this.#pages[this.#head]!;
    let word = 0;
    while (bits[word] === 0) word++;
    const lowest = bits[word]! & -bits[word]!;
    const page = this.#baseOffset + this.#head * PAGE_OFFSETS;
    return page + word * 32 + (31 - Math.clz32(lowest));
  }

  /**
   * Opens the offsets of one delivery.
   *
   * @param deltas Distances from `baseOffset`, ascending; null when dense.
   * @param nextOffset Where the source goes on; past holes behind the last record.
   * @throws {InvariantError} When an offset lies below what was delivered before.
   */
  deliver(baseOffset: number, count: number, deltas: Uint32Array | null, nextOffset: number): void {
    if (count > 0) {
      const first = baseOffset + (deltas === null ? 0 : deltas[0]!);
      const last = baseOffset + (deltas === null ? count - 1 : deltas[count - 1]!);
      invariant(first >= this.#nextOffset, "a source delivers no offset twice under one lease");
      invariant(last < nextOffset, "the next offset lies behind the last record");
      if (this.#openCount === 0) this.#restart(first);
      invariant(
        last - this.#baseOffset <= MAX_DISTANCE,
        "open offsets lie within 2³² of each other",
      );
      if (deltas === null) this.#openRange(baseOffset, baseOffset + count);
      else for (let i = 0; i < count; i++) this.#openOne(baseOffset + deltas[i]!);
      this.#openCount += count;
    }
    this.advance(nextOffset);
  }

  /** The source moved on without records. */
  advance(nextOffset: number): void {
    if (nextOffset > this.#nextOffset) this.#nextOffset = nextOffset;
  }

  isOpen(offset: number): boolean {
    const distance = offset - this.#baseOffset;
    if (distance < 0 || distance > MAX_DISTANCE) return false;
    const page = this.#pages[distance >>> PAGE_SHIFT];
    const at = distance & PAGE_MASK;
    return page != null && (page.bits[at >>> 5]! & (1 << (at & 31))) !== 0;
  }

  /**
   * Marks one offset done.
   *
   * @returns false when it was not open: done before, or never delivered.
   */
  mark(offset: number): boolean {
    // Small integers from here on: a remainder of offsets would be a slow floating-point operation.
    const distance = offset - this.#baseOffset;
    if (distance < 0 || distance > MAX_DISTANCE) return false;
    const index = distance >>> PAGE_SHIFT;
    const at = distance & PAGE_MASK;
    const page = this.#pages[index];
    if (page == null) return false;
    const word = at >>> 5;
    const bit = 1 << (at & 31);
    if ((page.bits[word]! & bit) === 0) return false;
    page.bits[word]! &= ~bit;
    this.#openCount--;
    if (--page.open === 0) {
      this.#pages[index] = null;
      if (this.#spare.length < SPARE_PAGES) this.#spare.push(page);
    }
    return true;
  }

  #openRange(from: number, to: number): void {
    for (let offset = from; offset < to; ) {
      const at = offset % PAGE_OFFSETS;
      const page = this.#pageOf(offset);
      const end = Math.min(PAGE_OFFSETS, at + (to - offset));
      for (let i = at; i < end; ) {
        const bit = i & 31;
        const width = Math.min(32 - bit, end - i);
        page.bits[i >>> 5]! |= width === 32 ? -1 : ((1 << width) - 1) << bit;
        i += width;
      }
      page.open += end - at;
      offset += end - at;
    }
  }

  #openOne(offset: number): void {
    const page = this.#pageOf(offset);
    const at = offset % PAGE_OFFSETS;
    page.bits[at >>> 5]! |= 1 << (at & 31);
    page.open++;
  }

  #pageOf(offset: number): Page {
    const index = (offset - this.#baseOffset) >>> PAGE_SHIFT;
    while (this.#pages.length <= index) this.#pages.push(null);
    const page = this.#pages[index] ?? this.#spare.pop() ?? newPage();
    this.#pages[index] = page;
    return page;
  }

  /** Nothing is open: the list of pages starts anew, however far a hole has carried us. */
  #restart(offset: number): void {
    this.#pages = [];
    this.#head = 0;
    this.#baseOffset = pageStart(offset);
  }

  #trim(): void {
    this.#pages = this.#pages.slice(this.#head);
    this.#baseOffset += this.#head * PAGE_OFFSETS;
    this.#head = 0;
  }
}

function pageStart(offset: number): number {
  return offset - (offset % PAGE_OFFSETS);
}

function newPage(): Page {
  return { bits: new Uint32Array(PAGE_WORDS), open: 0 };
}
