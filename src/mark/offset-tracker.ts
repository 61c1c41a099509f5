import { invariant } from "../invariant.ts";

/** Offsets of one page; one bit each. */
const PAGE_OFFSETS = 1024;
const PAGE_SHIFT = 10;
const PAGE_MASK = PAGE_OFFSETS - 1;
/** Farthest that an open offset may lie above the first page; the pipeline stops far below it (F4). */
const MAX_DISTANCE = 0xffffffff;
/** F4: farther past its committable offset, a partition starts nothing new. */
const MAX_OPEN_RANGE = 2 ** 31;
const PAGE_WORDS = PAGE_OFFSETS / 32;
/** Pages kept for reuse. */
const SPARE_PAGES = 32;
/** Null entries at the front that are worth a copy of the page array. */
const TRIM_PAGES = 1024;

interface Page {
  /** A set bit is an open offset: delivered, not done. */
  readonly bits: Uint32Array;
  open: number;
  /** Its first offset. */
  start: number;
  /** Neighbours among the pages with open offsets. */
  below: Page | null;
  above: Page | null;
}

/**
 * Which delivered offsets of one lease are not done yet, and so what may be committed (O3).
 *
 * It keeps open offsets, not done ones: those are bounded by the in-flight and unmarked budgets, while what is done
 * above a stuck message is not. Offsets that were never delivered (compaction, markers) are never open and so hold
 * nothing back. Pages without an open offset take no memory, and those with one are linked in ascending order, so that
 * what lies between them costs nothing: one stuck message may be 2³¹ below all others (F4).
 *
 * `deliver` O(count / 32), `mark` O(1), `committable` O(1) amortised, `runs` O(pages with an open offset + runs).
 */
export class OffsetTracker {
  #pages: (Page | null)[] = [];
  /** First offset of #pages[0]. */
  #baseOffset: number;
  /** Lowest and highest page with an open offset. Pages are added at the top only, as deliveries ascend. */
  #lowest: Page | null = null;
  #highest: Page | null = null;
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

  /** F4: so far past its committable offset a partition starts nothing new. */
  get isFull(): boolean {
    return this.#nextOffset - this.committable > MAX_OPEN_RANGE;
  }

  /** Next offset that the source will deliver. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** The next offset after the longest prefix that is done. */
  get committable(): number {
    const page = this.#lowest;
    if (page === null) return this.#nextOffset;
    const below = (page.start - this.#baseOffset) / PAGE_OFFSETS;
    if (below >= TRIM_PAGES && below * 2 >= this.#pages.length) this.#trim(below);
    let word = 0;
    while (page.bits[word] === 0) word++;
    return page.start + word * 32 + lowestBit(page.bits[word]!);
  }

  /**
   * What is done above the committable offset, up to the next offset: lengths in turn, not done first.
   *
   * Offsets that were never delivered count as done.
   *
   * @returns Not done, done, not done, done …, each at least 1; their sum is `nextOffset - committable`. Empty when
   *   nothing is open.
   */
  runs(): number[] {
    const runs: number[] = [];
    // The end of the last open run, as far as it is known.
    let end = this.committable;
    let start = end;
    for (let page = this.#lowest; page !== null; page = page.above) {
      for (let word = 0; word < PAGE_WORDS; word++) {
        let bits = page.bits[word]!;
        let at = page.start + word * 32;
        while (bits !== 0) {
          const skip = lowestBit(bits);
          at += skip;
          bits >>>= skip;
          // Ones from here up: the lowest zero ends them; 32 where there is none.
          const length = bits === 0xffffffff ? 32 : lowestBit(~bits);
          if (at > end) {
            runs.push(end - start, at - end);
            start = at;
          }
          at += length;
          end = at;
          bits = length === 32 ? 0 : bits >>> length;
        }
      }
    }
    if (end > start) runs.push(end - start);
    if (this.#nextOffset > end) runs.push(this.#nextOffset - end);
    return runs;
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
      this.#unlink(page);
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
    const page = this.#pages[index];
    if (page != null) return page;
    const made = this.#spare.pop() ?? newPage();
    this.#pages[index] = made;
    made.start = pageStart(offset);
    this.#link(made);
    return made;
  }

  #link(page: Page): void {
    const highest = this.#highest;
    page.below = highest;
    if (highest === null) this.#lowest = page;
    else highest.above = page;
    this.#highest = page;
  }

  #unlink(page: Page): void {
    const { below, above } = page;
    if (below === null) this.#lowest = above;
    else below.above = above;
    if (above === null) this.#highest = below;
    else above.below = below;
    page.below = null;
    page.above = null;
    if (this.#spare.length < SPARE_PAGES) this.#spare.push(page);
  }

  /** Nothing is open: the list of pages starts anew, however far a hole has carried us. */
  #restart(offset: number): void {
    this.#pages = [];
    this.#baseOffset = pageStart(offset);
  }

  /** Forgets the entries below the lowest page. */
  #trim(pageCount: number): void {
    this.#pages = this.#pages.slice(pageCount);
    this.#baseOffset += pageCount * PAGE_OFFSETS;
  }
}

function pageStart(offset: number): number {
  return offset - (offset % PAGE_OFFSETS);
}

function newPage(): Page {
  return { bits: new Uint32Array(PAGE_WORDS), open: 0, start: 0, below: null, above: null };
}

/** Index of the lowest set bit; there is one. */
function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
