import { closeSync, fstatSync, openSync, rmSync } from "node:fs";
import { readIfThere, replaceFile } from "./files.ts";
import type { SegmentSummary } from "./index-file.ts";
import type { ResolvedLogOptions } from "./log-options.ts";
import { OffsetIndex } from "./offset-index.ts";
import { badBatch } from "./partition-damage.ts";
import { readBatches, type StoredBatch } from "./read-batches.ts";
import { type Scan, scanSegment } from "./scan-segment.ts";
import { indexPath, timeIndexPath } from "./segment-names.ts";
import { TimeIndex } from "./time-index.ts";
import { findOffset, findTime } from "./walk-headers.ts";

/** What a log's options say about all of its segments. */
export interface SegmentRules extends Pick<ResolvedLogOptions, "verify" | "cacheIndexes"> {
  /** Epoch of the newest writer there can have been. */
  readonly maxEpoch: number;
}

/** Where the last read has ended: reading on needs no index. */
interface Border {
  readonly offset: number;
  readonly position: number;
}

/**
 * A segment that is written no more. Its file is open only while `read()` uses this one; how long
 * its indexes stay in memory, the option `cacheIndexes` says.
 */
export class SealedSegment {
  readonly path: string;
  readonly baseOffset: number;
  readonly summary: SegmentSummary;
  readonly #rules: SegmentRules;
  #fd: number | undefined;
  #offsets: OffsetIndex | undefined;
  #times: TimeIndex | undefined;
  #next: Border | undefined;

  constructor(path: string, baseOffset: number, summary: SegmentSummary, rules: SegmentRules) {
    this.path = path;
    this.baseOffset = baseOffset;
    this.summary = summary;
    this.#rules = rules;
  }

  /**
   * Trusts the offset index when it is whole and fits the file, and rebuilds it otherwise. Reads the
   * segment through only when it rebuilds, or when all is to be verified at open.
   *
   * @throws {CorruptLogError} When a batch is damaged.
   */
  static open(path: string, baseOffset: number, rules: SegmentRules): SealedSegment {
    const stored = rules.verify === "open" ? undefined : storedOffsets(path, baseOffset);
    const { index, summary } = stored ?? rebuild(path, baseOffset, rules);
    const segment = new SealedSegment(path, baseOffset, summary, rules);
    if (rules.cacheIndexes === "all") segment.#offsets = index;
    return segment;
  }

  /** The good part of a damaged one. Its indexes stay in memory: nothing is written. */
  static ofScan(path: string, baseOffset: number, scan: Scan, rules: SegmentRules): SealedSegment {
    const summary = summaryOf(scan);
    const segment = new SealedSegment(path, baseOffset, summary, { ...rules, cacheIndexes: "all" });
    segment.#offsets = scan.index;
    segment.#times = scan.times;
    return segment;
  }

  get nextOffset(): number {
    return this.summary.nextOffset;
  }

  /** Batches from the one that holds `offset` on. @throws {CorruptLogError} */
  read(offset: number, maxBytes: number): StoredBatch[] {
    const { baseOffset } = this;
    const file = this.#file();
    const position = this.#next?.offset === offset ? this.#next.position : this.#find(offset);
    const view = { ...file, baseOffset, index: { floor: (): number => position } };
    const batches = readBatches(view, offset, maxBytes, this.#rules.verify === "read");
    const last = batches.at(-1)!;
    const end = batches.reduce((sum, { bytes }) => sum + bytes.length, position);
    this.#next = { offset: last.baseOffset + last.count, position: end };
    return batches;
  }

  /**
   * Base offset of the first batch whose append time is at or after `timeUs`, or undefined when all
   * are from before it.
   */
  offsetForTime(timeUs: number): number | undefined {
    const from = this.#offsetIndex().floor(this.#timeIndex().before(timeUs));
    return findTime(this.#file(), from, timeUs);
  }

  /** Gives back the file, and indexes that need not stay; the next read opens them again. */
  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#next = undefined;
    if (this.#rules.cacheIndexes !== "all") this.#forgetIndexes();
  }

  /** Removes the files, the `.log` first. One that is not there is removed. */
  remove(): void {
    this.release();
    rmSync(this.path, { force: true });
    rmSync(indexPath(this.path), { force: true });
    rmSync(timeIndexPath(this.path), { force: true });
  }

  /** Position of the batch that holds the offset. */
  #find(offset: number): number {
    const from = this.#offsetIndex().floor(offset - this.baseOffset);
    return findOffset(this.#file(), from, offset);
  }

  #file(): { fd: number; path: string; size: number } {
    this.#fd ??= openSync(this.path, "r");
    return { fd: this.#fd, path: this.path, size: this.summary.logBytes };
  }

  #offsetIndex(): OffsetIndex {
    const { path, baseOffset } = this;
    const index =
      this.#offsets ??
      storedOffsets(path, baseOffset)?.index ??
      rebuild(path, baseOffset, this.#rules).index;
    if (this.#rules.cacheIndexes !== "none") this.#offsets = index;
    return index;
  }

  #timeIndex(): TimeIndex {
    const { path, baseOffset } = this;
    const index =
      this.#times ?? this.#storedTimes() ?? rebuild(path, baseOffset, this.#rules).times;
    if (this.#rules.cacheIndexes !== "none") this.#times = index;
    return index;
  }

  #storedTimes(): TimeIndex | undefined {
    const bytes = readIfThere(timeIndexPath(this.path));
    const stored = bytes && TimeIndex.decode(bytes, this.baseOffset);
    return stored?.summary.logBytes === this.summary.logBytes ? stored.index : undefined;
  }

  #forgetIndexes(): void {
    this.#offsets = undefined;
    this.#times = undefined;
  }
}

/** The offset index on disk, if it is whole and fits the file. */
function storedOffsets(
  path: string,
  baseOffset: number,
): { readonly index: OffsetIndex; readonly summary: SegmentSummary } | undefined {
  const bytes = readIfThere(indexPath(path));
  const stored = bytes && OffsetIndex.decode(bytes, baseOffset);
  return stored?.summary.logBytes === sizeOf(path) ? stored : undefined;
}

function sizeOf(path: string): number {
  const fd = openSync(path, "r");
  try {
    return fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
}

/** Reads the segment through and writes both indexes. */
function rebuild(
  path: string,
  baseOffset: number,
  { maxEpoch, verify }: SegmentRules,
): Scan & { readonly summary: SegmentSummary } {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const verifyFrom = verify === "off" ? size : 0;
    const scan = scanSegment({ fd, size, baseOffset, verifyFrom, maxEpoch });
    if (scan.problem !== undefined)
      throw badBatch(path, baseOffset, scan, { reason: scan.problem });
    const summary = summaryOf(scan);
    writeIndexes(path, baseOffset, scan, summary);
    return { ...scan, summary };
  } finally {
    closeSync(fd);
  }
}

function summaryOf(scan: Scan): SegmentSummary {
  const { nextOffset, position: logBytes, lastAppendTimeUs, maxEventTimeUs } = scan;
  return { nextOffset, logBytes, lastAppendTimeUs, maxEventTimeUs };
}

/** Writes both indexes of a sealed segment, each as a whole. */
export function writeIndexes(
  path: string,
  baseOffset: number,
  { index, times }: { readonly index: OffsetIndex; readonly times: TimeIndex },
  summary: SegmentSummary,
): void {
  replaceFile(timeIndexPath(path), times.encode(baseOffset, summary));
  replaceFile(indexPath(path), index.encode(baseOffset, summary));
}
