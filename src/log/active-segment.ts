import type { Buffer } from "node:buffer";
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
} from "node:fs";
import { dirname } from "node:path";
import type { EncodedBatch } from "./batch-buffer.ts";
import { syncDirectory, writeFully } from "./files.ts";
import { OffsetIndex } from "./offset-index.ts";
import { badBatch } from "./partition-damage.ts";
import { readBatches, type SegmentView, type StoredBatch } from "./read-batches.ts";
import { endOfLaterBatches, type ScanPlan, scanSegment } from "./scan-segment.ts";
import { SealedSegment, type SegmentRules, writeIndexes } from "./sealed-segment.ts";
import { TimeIndex } from "./time-index.ts";
import { findTime } from "./walk-headers.ts";

/** What a crash left behind the last good batch, and was cut off. */
export interface TornTail {
  readonly topic: string;
  readonly partition: number;
  readonly file: string;
  /** Where the file ends now. */
  readonly position: number;
  /** How much was cut. */
  readonly bytes: number;
  /** Last offset that is still there, -1 for none. */
  readonly lastOffset: number;
  /** What was wrong with the first batch that was cut. */
  readonly reason: string;
}

/** The cut, without whose it was. */
export type Cut = Omit<TornTail, "topic" | "partition">;

/** The segment that is appended to. Its index lives in memory until it is sealed. */
export class ActiveSegment implements SegmentView {
  readonly path: string;
  readonly baseOffset: number;
  readonly fd: number;
  index: OffsetIndex = new OffsetIndex();
  #times: TimeIndex = new TimeIndex();
  readonly #rules: SegmentRules;
  size = 0;
  nextOffset: number;
  syncedBytes = 0;
  /** Of the oldest batch; -Infinity when there is none. */
  firstAppendTimeUs: number = Number.NEGATIVE_INFINITY;
  lastAppendTimeUs: number = Number.NEGATIVE_INFINITY;
  maxEventTimeUs: number = Number.NEGATIVE_INFINITY;
  #syncing = 0;
  #closed = false;

  constructor(path: string, baseOffset: number, fd: number, rules: SegmentRules) {
    this.path = path;
    this.#rules = rules;
    this.baseOffset = baseOffset;
    this.nextOffset = baseOffset;
    this.fd = fd;
  }

  /** Makes an empty segment. Fails when the file is there. */
  static create(path: string, baseOffset: number, rules: SegmentRules): ActiveSegment {
    const segment = new ActiveSegment(path, baseOffset, openSync(path, "wx+"), rules);
    syncDirectory(dirname(path));
    return segment;
  }

  /**
   * Opens the last segment: walks it and cuts a torn tail off.
   *
   * @param syncedBytes Where `head` says the disk had everything.
   * @throws {CorruptLogError} When the first bad batch lies below that, or before a good one.
   */
  static recover(
    path: string,
    baseOffset: number,
    syncedBytes: number,
    rules: SegmentRules,
  ): { segment: ActiveSegment; cut: Cut | undefined } {
    const segment = new ActiveSegment(path, baseOffset, openSync(path, "r+"), rules);
    try {
      return { segment, cut: segment.#recover(syncedBytes) };
    } catch (error) {
      segment.close();
      throw error;
    }
  }

  read(offset: number, maxBytes: number): StoredBatch[] {
    return readBatches(this, offset, maxBytes, this.#rules.verify === "read");
  }

  /**
   * Base offset of the first batch whose append time is at or after `timeUs`, or undefined when all
   * are from before it.
   */
  offsetForTime(timeUs: number): number | undefined {
    if (timeUs > this.lastAppendTimeUs) return undefined;
    return findTime(this, this.index.floor(this.#times.before(timeUs)), timeUs);
  }

  /**
   * Appends batches that lie one behind the other in `bytes`, by one write. Nothing but the file has
   * changed when it throws.
   */
  write(bytes: Buffer, batches: readonly EncodedBatch[]): void {
    const { start } = batches[0]!;
    writeFully(this.fd, bytes.subarray(start, batches.at(-1)!.end), this.size);
    for (const batch of batches) {
      const relative = batch.baseOffset - this.baseOffset;
      if (this.index.add(relative, this.size)) this.#times.add(batch.appendTimeUs, relative);
      if (this.size === 0) this.firstAppendTimeUs = batch.appendTimeUs;
      this.size += batch.end - batch.start;
      this.nextOffset = batch.baseOffset + batch.count;
      this.lastAppendTimeUs = batch.appendTimeUs;
      this.maxEventTimeUs = Math.max(this.maxEventTimeUs, batch.maxEventTimeUs);
    }
  }

  /** Makes what is written now durable, off the event loop. */
  async sync(): Promise<void> {
    const size = this.size;
    this.#syncing++;
    try {
      await new Promise<void>((resolve, reject) => {
        fdatasync(this.fd, (error) => (error ? reject(error) : resolve()));
      });
      this.syncedBytes = Math.max(this.syncedBytes, size);
    } finally {
      this.#syncing--;
      if (this.#closed && this.#syncing === 0) closeSync(this.fd);
    }
  }

  syncNow(): void {
    fdatasyncSync(this.fd);
    this.syncedBytes = this.size;
  }

  /**
   * Syncs when asked to, and writes the indexes with their footers; the caller closes this one once
   * it has a new one.
   */
  seal(sync: boolean): SealedSegment {
    if (sync && this.syncedBytes < this.size) this.syncNow();
    const { nextOffset, size, lastAppendTimeUs, maxEventTimeUs } = this;
    const summary = { nextOffset, logBytes: size, lastAppendTimeUs, maxEventTimeUs };
    writeIndexes(this.path, this.baseOffset, { index: this.index, times: this.#times }, summary);
    return new SealedSegment(this.path, this.baseOffset, summary, this.#rules);
  }

  /** A number of a closed file may be given to another one, so a sync on its way is waited for. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#syncing === 0) closeSync(this.fd);
  }

  #recover(syncedBytes: number): Cut | undefined {
    const { fd, baseOffset } = this;
    const { maxEpoch, verify } = this.#rules;
    const { size } = fstatSync(fd);
    const verifyFrom = verify === "open" ? 0 : syncedBytes;
    const plan: ScanPlan = { fd, size, baseOffset, verifyFrom, maxEpoch };
    const scan = scanSegment(plan);
    const reason = scan.problem ?? (size < syncedBytes ? "the end of the file" : undefined);
    if (reason !== undefined) {
      const lost = scan.position < syncedBytes;
      const to = endOfLaterBatches(plan, scan.position, scan.nextOffset);
      if (lost || to !== undefined) throw badBatch(this.path, baseOffset, scan, { reason, to });
      ftruncateSync(fd, scan.position);
      fsyncSync(fd);
      syncDirectory(dirname(this.path));
    }
    this.index = scan.index;
    this.#times = scan.times;
    this.size = scan.position;
    this.nextOffset = scan.nextOffset;
    this.firstAppendTimeUs = scan.firstAppendTimeUs;
    this.lastAppendTimeUs = scan.lastAppendTimeUs;
    this.maxEventTimeUs = scan.maxEventTimeUs;
    if (syncedBytes === this.size) this.syncedBytes = syncedBytes;
    else this.syncNow();
    if (reason === undefined) return undefined;
    const { position } = scan;
    const lastOffset = scan.nextOffset - 1;
    return { file: this.path, position, bytes: size - position, lastOffset, reason };
  }
}
