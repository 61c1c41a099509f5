import { closeSync, fstatSync, openSync, rmSync } from "node:fs";
import { readIfThere, replaceFile } from "./files.ts";
import { OffsetIndex, type SegmentSummary } from "./offset-index.ts";
import { corruptAt, readBatches, type SegmentView, type StoredBatch } from "./read-batches.ts";
import { scanSegment } from "./scan-segment.ts";
import { indexPath, timeIndexPath } from "./segment-names.ts";

/**
 * A segment that is written no more. Its file and index are held open only while `read()` uses
 * this one.
 */
export class SealedSegment {
  readonly path: string;
  readonly baseOffset: number;
  readonly summary: SegmentSummary;
  readonly #maxEpoch: number;
  #view: SegmentView | undefined;

  constructor(path: string, baseOffset: number, summary: SegmentSummary, maxEpoch: number) {
    this.path = path;
    this.baseOffset = baseOffset;
    this.summary = summary;
    this.#maxEpoch = maxEpoch;
  }

  /**
   * Trusts the index when it is whole and fits the file, and rebuilds it otherwise.
   *
   * @throws {CorruptLogError} When a batch is damaged.
   */
  static open(path: string, baseOffset: number, maxEpoch: number): SealedSegment {
    const { summary } = loadIndex(path, baseOffset, maxEpoch);
    return new SealedSegment(path, baseOffset, summary, maxEpoch);
  }

  get nextOffset(): number {
    return this.summary.nextOffset;
  }

  read(offset: number, maxBytes: number): StoredBatch[] {
    this.#view ??= this.#open();
    return readBatches(this.#view, offset, maxBytes);
  }

  /** Gives file and index back; the next read opens them again. */
  release(): void {
    if (this.#view !== undefined) closeSync(this.#view.fd);
    this.#view = undefined;
  }

  /** Removes the files, the `.log` first. */
  remove(): void {
    this.release();
    rmSync(this.path, { force: true });
    rmSync(indexPath(this.path), { force: true });
    rmSync(timeIndexPath(this.path), { force: true });
  }

  #open(): SegmentView {
    const { index, summary } = loadIndex(this.path, this.baseOffset, this.#maxEpoch);
    const fd = openSync(this.path, "r");
    return { fd, path: this.path, baseOffset: this.baseOffset, size: summary.logBytes, index };
  }
}

function loadIndex(
  path: string,
  baseOffset: number,
  maxEpoch: number,
): { index: OffsetIndex; summary: SegmentSummary } {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const bytes = readIfThere(indexPath(path));
    const stored = bytes && OffsetIndex.decode(bytes, baseOffset);
    if (stored?.summary.logBytes === size) return stored;
    const scan = scanSegment({ fd, size, baseOffset, verifyFrom: 0, maxEpoch });
    if (scan.problem !== undefined) throw corruptAt(path, scan.position, scan.problem);
    const summary = { ...scan, logBytes: size };
    replaceFile(indexPath(path), scan.index.encode(baseOffset, summary));
    return { index: scan.index, summary };
  } finally {
    closeSync(fd);
  }
}
