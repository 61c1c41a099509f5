import type { Buffer } from "node:buffer";
import { INDEX_HEADER_BYTES } from "./index-file.ts";
import { readU32 } from "./integers.ts";
import { INDEX_ENTRY_BYTES, OffsetIndex } from "./offset-index.ts";
import type { GoodBatch, SegmentCheck } from "./verify-segment.ts";

/** Holds an offset index against the batches of its segment, as they are walked. */
export class IndexCheck {
  readonly #bytes: Buffer | undefined;
  readonly #baseOffset: number;
  readonly #decoded: ReturnType<typeof OffsetIndex.decode>;
  readonly #entries: number;
  /** The next entry to be met. */
  #entry = 0;
  #problem: string | undefined;

  /** @param bytes Of the file; undefined when there is none. */
  constructor(bytes: Buffer | undefined, baseOffset: number) {
    this.#bytes = bytes;
    this.#baseOffset = baseOffset;
    this.#decoded = bytes && OffsetIndex.decode(bytes, baseOffset);
    if (bytes === undefined) this.#problem = "no file";
    else if (this.#decoded === undefined) this.#problem = "a header or footer that does not fit";
    this.#entries = this.#decoded?.index.count ?? 0;
  }

  /** Bytes that the segment had when it was sealed; undefined when the index does not say. */
  get sealedBytes(): number | undefined {
    return this.#decoded?.summary.logBytes;
  }

  /** Batches come in the order of their positions. */
  batch({ position, header }: GoodBatch): void {
    if (this.#problem !== undefined || this.#entry >= this.#entries) return;
    const at = this.#positionOf(this.#entry);
    if (at > position) return;
    const offset = this.#baseOffset + readU32(this.#bytes!, this.#at(this.#entry));
    if (at < position || offset !== header.baseOffset) {
      this.#problem = `an entry for offset ${offset} at position ${at}, where no such batch begins`;
    }
    this.#entry++;
  }

  /** @returns What is wrong with the index of a segment without flaws, or undefined. */
  problem(check: SegmentCheck, logBytes: number): string | undefined {
    if (this.#problem !== undefined || this.#decoded === undefined) return this.#problem;
    if (this.#entry < this.#entries) {
      return `an entry for position ${this.#positionOf(this.#entry)}, where no batch begins`;
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

  #at(entry: number): number {
    return INDEX_HEADER_BYTES + entry * INDEX_ENTRY_BYTES;
  }

  #positionOf(entry: number): number {
    return readU32(this.#bytes!, this.#at(entry) + 4);
  }
}
