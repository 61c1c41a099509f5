import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../errors.ts";
import type { SinkRecord } from "../source/source.ts";
import type { Clock } from "../types.ts";
import { ActiveSegment, type TornTail } from "./active-segment.ts";
import { encodeBatch } from "./encode-batch.ts";
import { HeadFile } from "./head-file.ts";
import { tellLocalWrite } from "./local-wakes.ts";
import type { LogEventHub } from "./log-events.ts";
import type { ResolvedLogOptions } from "./log-options.ts";
import { outOfRange, type StoredBatch } from "./read-batches.ts";
import type { ReadablePartition } from "./readable.ts";
import { SealedSegment } from "./sealed-segment.ts";
import { listSegments, segmentName } from "./segment-names.ts";
import { sweepDirectory } from "./sweep-directory.ts";
import type { TopicOptions } from "./topic-options.ts";

const MAX_RELATIVE_OFFSET = 0xffffffff;

/** What all partitions of a log share. */
export interface Writer {
  /** Written into batches, and above all that is found. */
  readonly writerEpoch: number;
  readonly options: ResolvedLogOptions;
  readonly clock: Clock;
  readonly events: LogEventHub;
}

/** What a topic says about itself, now; both may change while it is open. */
export interface TopicFacts {
  readonly epoch: number;
  readonly options: TopicOptions;
}

/** What a partition is told when it is opened. */
export interface PartitionPlace {
  readonly directory: string;
  readonly topic: string;
  readonly partition: number;
  readonly facts: TopicFacts;
  readonly writer: Writer;
}

/** One partition: segments, head, append and read. One writer, this process. */
export class PartitionLog implements ReadablePartition {
  readonly place: PartitionPlace;
  readonly #sealed: SealedSegment[] = [];
  readonly #head: HeadFile;
  #active: ActiveSegment | undefined;
  #lastRead: SealedSegment | undefined;
  /** Why nothing may be written: a failed write is never retried in place (rule 1). */
  #refusal: LogError | undefined;
  #closed = false;
  /** What recovery cut off when the partition was opened. */
  readonly tornTail: TornTail | undefined;

  /**
   * Opens or makes the partition, recovering its last segment.
   *
   * @throws {CorruptLogError} When damage is found that is not a torn tail.
   */
  constructor(place: PartitionPlace) {
    this.place = place;
    mkdirSync(place.directory, { recursive: true });
    this.#head = new HeadFile(join(place.directory, "head"));
    try {
      this.tornTail = this.#open();
    } catch (error) {
      this.#closeFiles();
      throw error;
    }
  }

  /** First readable offset. */
  get logStart(): number {
    return this.#sealed[0]?.baseOffset ?? this.#active?.baseOffset ?? 0;
  }

  /** Next offset to be written. */
  get logEnd(): number {
    return this.#active?.nextOffset ?? 0;
  }

  /** Sealed segments, oldest first. */
  get sealed(): readonly SealedSegment[] {
    return this.#sealed;
  }

  /** Bytes of all segments. */
  get bytes(): number {
    const sealed = this.#sealed.reduce((sum, { summary }) => sum + summary.logBytes, 0);
    return sealed + (this.#active?.size ?? 0);
  }

  /** Something is written that the disk may not have. */
  get dirty(): boolean {
    if (this.#active === undefined || this.#refusal !== undefined) return false;
    return this.#active.syncedBytes < this.#active.size;
  }

  /**
   * Writes the records as one batch.
   *
   * @returns Offset of the first.
   * @throws {LogError} For records that break a limit, or when the partition takes no more writes.
   */
  append(records: readonly SinkRecord[]): number {
    if (this.#refusal !== undefined) throw this.#refusal;
    const { facts, writer } = this.place;
    const { writerEpoch, clock } = writer;
    const appendTimeUs = Math.max(clock.wallTime() * 1000, this.#lastAppendTimeUs());
    const baseOffset = this.logEnd;
    const place = { baseOffset, writerEpoch, topicEpoch: facts.epoch, appendTimeUs };
    const { bytes, maxEventTimeUs } = encodeBatch(records, place);
    try {
      const target = this.#roomFor(bytes.length, records.length);
      target.write(bytes, records.length, appendTimeUs, maxEventTimeUs);
      this.#writeHead(target);
    } catch (cause) {
      throw this.refuse("a write failed, and it must be opened again", cause);
    }
    tellLocalWrite(this.place.directory);
    return baseOffset;
  }

  /**
   * Batches from the one that holds `offset` on; none at the log's end.
   *
   * @param maxBytes Soft: one batch is always given.
   * @throws {LogError} For an offset outside the log.
   * @throws {CorruptLogError} For a damaged batch.
   */
  read(offset: number, maxBytes: number): StoredBatch[] {
    const { logStart, logEnd } = this;
    if (!(offset >= logStart && offset <= logEnd)) throw outOfRange(offset, logStart, logEnd);
    const active = this.#active;
    if (active === undefined || offset === logEnd) return [];
    if (offset >= active.baseOffset) return active.read(offset, maxBytes);
    const segment = this.#sealedWith(offset);
    if (this.#lastRead !== segment) this.#lastRead?.release();
    this.#lastRead = segment;
    return segment.read(offset, maxBytes);
  }

  /**
   * Removes the oldest sealed segment: the persisted log start goes first, then the `.log`, then
   * its indexes. A crash in between leaves what the next open sweeps, so whoever wants a copy of
   * the segment makes it before.
   *
   * @returns The segment that was removed, or undefined when there is no sealed one.
   * @throws {LogError} When the partition takes no more writes, or the new start cannot be written.
   */
  dropOldest(): SealedSegment | undefined {
    if (this.#refusal !== undefined) throw this.#refusal;
    const [oldest] = this.#sealed;
    if (oldest === undefined) return undefined;
    this.#sealed.shift();
    if (this.#lastRead === oldest) this.#lastRead = undefined;
    oldest.release();
    try {
      this.#writeHead(this.#active!);
      this.#head.sync();
    } catch (cause) {
      throw this.refuse("a write failed, and it must be opened again", cause);
    }
    oldest.remove();
    return oldest;
  }

  /** Nobody else changes anything here. */
  refresh(): void {}

  /**
   * Makes what is written durable and says so in `head`. Never rejects: a failure refuses further
   * writes.
   */
  async sync(): Promise<void> {
    const active = this.#active;
    if (active === undefined || this.#refusal !== undefined) return;
    try {
      await active.sync();
      if (this.#active !== active || this.#refusal !== undefined) return;
      this.#writeHead(active);
      tellLocalWrite(this.place.directory);
    } catch (cause) {
      this.refuse("a sync failed, and it must be opened again", cause);
    }
  }

  /** Closes the partition for writing. */
  refuse(why: string, cause?: unknown): LogError {
    const { topic, partition } = this.place;
    this.#refusal ??= new LogError(
      `Cannot append to ${topic}#${partition} as ${why}: received ${String(cause ?? "an append")}`,
      { cause },
    );
    return this.#refusal;
  }

  /** Syncs and closes. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#active !== undefined && this.#refusal === undefined) {
        if (this.dirty) this.#active.syncNow();
        this.#writeHead(this.#active);
      }
    } finally {
      this.refuse("the log is closed");
      this.#closeFiles();
    }
  }

  #closeFiles(): void {
    this.#lastRead?.release();
    this.#active?.close();
    this.#head.close();
  }

  #open(): TornTail | undefined {
    const { directory, topic, partition } = this.place;
    const { writerEpoch } = this.place.writer;
    const head = this.#head.found;
    sweepDirectory(directory, head);
    const bases = listSegments(directory);
    const last = bases.pop();
    const expected = head?.activeBase ?? 0;
    if ((last ?? 0) < expected) {
      throw new CorruptLogError(
        `Cannot open ${topic}#${partition} as its newest segment must be there: ` +
          `received no ${segmentName(expected)} in ${directory}`,
      );
    }
    if (last === undefined) return undefined;
    for (const base of bases) {
      this.#sealed.push(SealedSegment.open(join(directory, segmentName(base)), base, writerEpoch));
    }
    this.#checkChain(head?.logStart ?? 0, last);
    // A head of an older segment was written before the roll, which synced what it speaks of.
    const synced = head !== undefined && head.activeBase === last ? head.syncedBytes : 0;
    const path = join(directory, segmentName(last));
    const { segment, cut } = ActiveSegment.recover(path, last, synced, writerEpoch);
    this.#active = segment;
    this.#writeHead(segment);
    return cut && { topic, partition, ...cut };
  }

  #checkChain(logStart: number, last: number): void {
    const { topic, partition, directory } = this.place;
    const first = this.#sealed[0]?.baseOffset ?? last;
    if (first > logStart) {
      throw new CorruptLogError(
        `Cannot open ${topic}#${partition} as its first segment must be there: ` +
          `received no ${segmentName(logStart)} in ${directory}`,
      );
    }
    this.#sealed.forEach((segment, at) => {
      const next = this.#sealed[at + 1]?.baseOffset ?? last;
      if (segment.nextOffset === next) return;
      throw new CorruptLogError(
        `Cannot open ${topic}#${partition} as segments must follow each other: received ` +
          `${segmentName(segment.baseOffset)} up to offset ${segment.nextOffset} before ` +
          `${segmentName(next)} in ${directory}`,
      );
    });
  }

  #lastAppendTimeUs(): number {
    const active = this.#active?.lastAppendTimeUs ?? Number.NEGATIVE_INFINITY;
    return Math.max(active, this.#sealed.at(-1)?.summary.lastAppendTimeUs ?? active);
  }

  #start(baseOffset: number): ActiveSegment {
    const path = join(this.place.directory, segmentName(baseOffset));
    this.#active = ActiveSegment.create(path, baseOffset);
    return this.#active;
  }

  /** The active segment, or a new one when this one is full. */
  #roomFor(bytes: number, count: number): ActiveSegment {
    const { facts, writer } = this.place;
    const { bytes: segmentBytes } = facts.options.segment;
    const active = this.#active;
    if (active === undefined) return this.#start(0);
    const relative = active.nextOffset - active.baseOffset + count;
    const full = active.size + bytes > segmentBytes || relative > MAX_RELATIVE_OFFSET;
    if (active.size === 0 || !full) return active;
    const sealed = active.seal(writer.writerEpoch);
    const fresh = this.#start(active.nextOffset);
    this.#sealed.push(sealed);
    active.close();
    return fresh;
  }

  #writeHead(active: ActiveSegment): void {
    this.#head.write({
      activeBase: active.baseOffset,
      writtenBytes: active.size,
      syncedBytes: active.syncedBytes,
      nextOffset: active.nextOffset,
      logStart: this.logStart,
    });
  }

  #sealedWith(offset: number): SealedSegment {
    let low = 0;
    let high = this.#sealed.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#sealed[middle]!.baseOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return this.#sealed[low]!;
  }
}
