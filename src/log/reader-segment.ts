import type { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { errorCode, readIfThere } from "./files.ts";
import type { BatchHeader } from "./format.ts";
import { OffsetIndex } from "./offset-index.ts";
import { corruptAt, readBatches, type StoredBatch } from "./read-batches.ts";
import { indexPath, segmentName, timeIndexPath } from "./segment-names.ts";
import { TimeIndex } from "./time-index.ts";
import { findTime, walkHeaders } from "./walk-headers.ts";

/** Where a batch begins. */
interface Border {
  readonly offset: number;
  readonly position: number;
}

/**
 * A segment in a process that only reads: writes nothing, finds batches by walking their headers,
 * and remembers what it walked over. How far it may read, the caller knows.
 */
export class ReaderSegment {
  readonly path: string;
  readonly baseOffset: number;
  readonly #fd: number;
  readonly #index: OffsetIndex;
  #lastAppendTimeUs: number | undefined;
  /** Behind what was read last: reading on needs no search. */
  #next: Border;
  /** Where the last `offsetAt()` ended. */
  #end: Border;

  constructor(path: string, baseOffset: number, fd: number) {
    this.path = path;
    this.baseOffset = baseOffset;
    this.#fd = fd;
    const stored = storedIndex(path, baseOffset, fd);
    this.#index = stored?.index ?? new OffsetIndex();
    this.#lastAppendTimeUs = stored?.summary.lastAppendTimeUs;
    this.#next = { offset: baseOffset, position: 0 };
    this.#end = this.#next;
  }

  /** @returns undefined when there is no such file. */
  static open(directory: string, baseOffset: number): ReaderSegment | undefined {
    const path = join(directory, segmentName(baseOffset));
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    return new ReaderSegment(path, baseOffset, fd);
  }

  /** Size of the file now. */
  get bytes(): number {
    return fstatSync(this.#fd).size;
  }

  /**
   * Batches from the one that holds `offset` on; none when all end before it.
   *
   * @param limit Position behind the last batch that may be read.
   * @param maxBytes Soft: one batch is always given.
   * @param into Memory that may be overwritten, and is read into where it is large enough.
   * @throws {CorruptLogError} When a batch is damaged.
   */
  read(offset: number, limit: number, maxBytes: number, into?: Buffer): StoredBatch[] {
    const position = this.#find(offset, limit);
    if (position === limit) return [];
    const { path, baseOffset } = this;
    const index = { floor: (): number => position };
    const view = { fd: this.#fd, path, baseOffset, size: limit, index, into };
    const batches = readBatches(view, offset, maxBytes);
    let at = position;
    for (const batch of batches) {
      this.#index.add(batch.baseOffset - baseOffset, at);
      at += batch.bytes.length;
      this.#next = { offset: batch.baseOffset + batch.count, position: at };
    }
    return batches;
  }

  /**
   * The next offset where a batch ends at `limit`.
   *
   * @throws {CorruptLogError} When no batch ends there.
   */
  offsetAt(limit: number): number {
    if (limit < this.#end.position) this.#end = { offset: this.baseOffset, position: 0 };
    this.#walk(this.#end.position, limit, (header, position) => {
      this.#index.add(header.baseOffset - this.baseOffset, position);
      const next = position + header.totalBytes;
      this.#end = { offset: header.baseOffset + header.count, position: next };
      return next < limit;
    });
    if (this.#end.position !== limit) throw corruptAt(this.path, limit, "no end of a batch");
    return this.#end.offset;
  }

  /** Of the newest batch, µs. For a sealed segment, which changes no more. */
  get lastAppendTimeUs(): number {
    this.#lastAppendTimeUs ??= this.#walkToLastTime();
    return this.#lastAppendTimeUs;
  }

  /**
   * Base offset of the first batch whose append time is at or after `timeUs`, or undefined when all
   * up to `limit` are from before it.
   */
  offsetForTime(timeUs: number, limit: number): number | undefined {
    const { path, baseOffset } = this;
    const bytes = readIfThere(timeIndexPath(path));
    const stored = bytes && TimeIndex.decode(bytes, baseOffset);
    const fits = stored?.summary.logBytes === this.bytes;
    const before = fits ? baseOffset + stored.index.before(timeUs) : baseOffset;
    const from = this.#index.floor(before - baseOffset);
    return findTime({ fd: this.#fd, path, size: limit }, from, timeUs);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #walkToLastTime(): number {
    let last = Number.NEGATIVE_INFINITY;
    this.#walk(0, this.bytes, ({ appendTimeUs }) => {
      last = appendTimeUs;
      return true;
    });
    return last;
  }

  /** Position of the batch that holds the offset; `limit` when there is none. */
  #find(offset: number, limit: number): number {
    const { baseOffset } = this;
    const next = this.#next;
    if (next.offset === offset) return next.position;
    const indexed = this.#index.floor(offset - baseOffset);
    const from = next.offset < offset ? Math.max(indexed, next.position) : indexed;
    let found = limit;
    this.#walk(from, limit, (header, position) => {
      if (header.baseOffset > offset) {
        throw corruptAt(this.path, position, `offset ${header.baseOffset} for ${offset}`);
      }
      this.#index.add(header.baseOffset - baseOffset, position);
      if (header.baseOffset + header.count > offset) found = position;
      return found === limit;
    });
    return found;
  }

  /** Shows the headers from a batch's position on, as long as `visit` asks for more. */
  #walk(
    from: number,
    size: number,
    visit: (header: BatchHeader, position: number) => boolean,
  ): void {
    walkHeaders({ fd: this.#fd, path: this.path, size }, from, visit);
  }
}

/** The index of a sealed segment, if it is whole and fits. */
function storedIndex(
  path: string,
  baseOffset: number,
  fd: number,
): ReturnType<typeof OffsetIndex.decode> {
  const bytes = readIfThere(indexPath(path));
  const stored = bytes && OffsetIndex.decode(bytes, baseOffset);
  return stored?.summary.logBytes === fstatSync(fd).size ? stored : undefined;
}
