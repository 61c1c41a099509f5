import type { Buffer } from "node:buffer";
import { INDEX_HEADER_BYTES, type SegmentSummary } from "./index-file.ts";
import { readI64, readU32 } from "./integers.ts";
import { INDEX_ENTRY_BYTES, OffsetIndex } from "./offset-index.ts";
import { TIME_ENTRY_BYTES, TimeIndex } from "./time-index.ts";
import type { GoodBatch, SegmentCheck } from "./verify-segment.ts";

/** What one entry says about a batch. */
interface Entry {
  /** Where the batch begins: a position or a distance from the base offset; entries ascend. */
  readonly place: number;
  /** What the batch must have besides. */
  readonly value: number;
  /** For messages. */
  readonly text: string;
}

/** What tells one kind of index from another. */
export interface CheckedKind {
  readonly entryBytes: number;
  decode(
    bytes: Buffer,
    baseOffset: number,
  ): { readonly index: { readonly count: number }; readonly summary: SegmentSummary } | undefined;
  entryAt(bytes: Buffer, at: number, baseOffset: number): Entry;
  placeOf(batch: GoodBatch, baseOffset: number): number;
  valueOf(batch: GoodBatch): number;
}

/** `.index` files. */
export const offsetIndexKind: CheckedKind = {
  entryBytes: INDEX_ENTRY_BYTES,
  decode: (bytes, baseOffset) => OffsetIndex.decode(bytes, baseOffset),
  entryAt(bytes, at, baseOffset) {
    const offset = baseOffset + readU32(bytes, at);
    const place = readU32(bytes, at + 4);
    return { place, value: offset, text: `offset ${offset} at position ${place}` };
  },
  placeOf: ({ position }) => position,
  valueOf: ({ header }) => header.baseOffset,
};

/** `.timeindex` files. */
export const timeIndexKind: CheckedKind = {
  entryBytes: TIME_ENTRY_BYTES,
  decode: (bytes, baseOffset) => TimeIndex.decode(bytes, baseOffset),
  entryAt(bytes, at, baseOffset) {
    const value = readI64(bytes, at);
    const place = readU32(bytes, at + 8);
    return { place, value, text: `offset ${baseOffset + place} at ${value} µs` };
  },
  placeOf: ({ header }, baseOffset) => header.baseOffset - baseOffset,
  valueOf: ({ header }) => header.appendTimeUs,
};

/** Holds an index against the batches of its segment, as they are walked. */
export class IndexCheck {
  readonly #kind: CheckedKind;
  readonly #bytes: Buffer | undefined;
  readonly #baseOffset: number;
  readonly #decoded: ReturnType<CheckedKind["decode"]>;
  readonly #entries: number;
  /** The next entry to be met. */
  #entry = 0;
  #problem: string | undefined;

  /** @param bytes Of the file; undefined when there is none. */
  constructor(kind: CheckedKind, bytes: Buffer | undefined, baseOffset: number) {
    this.#kind = kind;
    this.#bytes = bytes;
    this.#baseOffset = baseOffset;
    this.#decoded = bytes && kind.decode(bytes, baseOffset);
    if (bytes === undefined) this.#problem = "no file";
    else if (this.#decoded === undefined) this.#problem = "a header or footer that does not fit";
    this.#entries = this.#decoded?.index.count ?? 0;
  }

  /** Bytes that the segment had when it was sealed; undefined when the index does not say. */
  get sealedBytes(): number | undefined {
    return this.#decoded?.summary.logBytes;
  }

  /** Batches come in the order of their positions. */
  batch(batch: GoodBatch): void {
    if (this.#problem !== undefined || this.#entry >= this.#entries) return;
    const { place, value, text } = this.#next();
    const reached = this.#kind.placeOf(batch, this.#baseOffset);
    if (place > reached) return;
    if (place < reached || value !== this.#kind.valueOf(batch)) {
      this.#problem = `an entry for ${text}, where no such batch begins`;
    }
    this.#entry++;
  }

  /** @returns What is wrong with the index of a segment without flaws, or undefined. */
  problem(check: SegmentCheck, logBytes: number): string | undefined {
    if (this.#problem !== undefined || this.#decoded === undefined) return this.#problem;
    if (this.#entry < this.#entries) {
      return `an entry for ${this.#next().text}, where no such batch begins`;
    }
    const { summary } = this.#decoded;
    const wanted = { ...check, logBytes };
    for (const field of Object.keys(summary) as (keyof typeof summary)[]) {
      if (summary[field] !== wanted[field]) {
        return `a footer with ${field} ${summary[field]} for ${wanted[field]}`;
      }
    }
    return undefined;
  }

  #next(): Entry {
    const at = INDEX_HEADER_BYTES + this.#entry * this.#kind.entryBytes;
    return this.#kind.entryAt(this.#bytes!, at, this.#baseOffset);
  }
}
