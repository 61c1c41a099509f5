import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { LogError } from "../errors.ts";
import type { SinkRecord } from "../source/source.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { ActiveSegment, type TornTail } from "./active-segment.ts";
import type { BatchBuffer, EncodedBatch } from "./batch-buffer.ts";
import { Deduplication } from "./deduplication.ts";
import type { Flushable } from "./flush-queue.ts";
import { HeadFile } from "./head-file.ts";
import { onLocalWrite, tellLocalWrite } from "./local-wakes.ts";
import type { Appended, PartitionPlace } from "./partition-place.ts";
import { outOfRange, type StoredBatch } from "./read-batches.ts";
import type { ReadablePartition } from "./readable.ts";
import { recoverPartition } from "./recover-partition.ts";
import type { SealedSegment } from "./sealed-segment.ts";
import { segmentName } from "./segment-names.ts";

export type { PartitionPlace, TopicFacts } from "./partition-place.ts";

const MAX_RELATIVE_OFFSET = 0xffffffff;
/**
 * Written bytes that a background sync is started for, so that little is left to do when a segment
 * is sealed, which waits.
 */
const SYNC_AHEAD_BYTES: number = 8 * 1024 * 1024;

/**
 * One partition: segments, head, append and read. One writer, this process.
 *
 * ```
 * enqueue() -> buffer -> flush() -> .log, head -> sync() -> disk, head
 *              nextOffset           logEnd                  syncedBytes
 * ```
 */
export class PartitionLog implements Flushable, ReadablePartition {
  readonly place: PartitionPlace;
  readonly #sealed: SealedSegment[];
  #sealedBytes = 0;
  readonly #head: HeadFile;
  readonly #acknowledgements: Acknowledgements;
  readonly #deduplication: Deduplication;
  #active: ActiveSegment | undefined;
  #lastRead: SealedSegment | undefined;
  /** Encoded and not written. */
  #buffer: BatchBuffer | undefined;
  #nextOffset = 0;
  #lastAppendTimeUs: number = Number.NEGATIVE_INFINITY;
  /** Why nothing may be written: a failed write is never retried in place (rule 1). */
  #refusal: LogError | undefined;
  #syncing = false;
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
    const { acknowledge, onCorruption } = place.writer.options;
    this.#acknowledgements = new Acknowledgements(acknowledge);
    this.#deduplication = new Deduplication(this, onCorruption !== "fail");
    mkdirSync(place.directory, { recursive: true });
    this.#head = new HeadFile(join(place.directory, "head"));
    try {
      const { sealed, active, tornTail } = recoverPartition(place, this.#head.found);
      this.#sealed = sealed;
      for (const { summary } of sealed) this.#sealedBytes += summary.logBytes;
      this.#active = active;
      this.tornTail = tornTail;
      const newest = active?.lastAppendTimeUs ?? Number.NEGATIVE_INFINITY;
      this.#lastAppendTimeUs = Math.max(newest, sealed.at(-1)?.summary.lastAppendTimeUs ?? newest);
      this.#nextOffset = this.logEnd;
      if (active !== undefined) this.#writeHead(active);
      this.#deduplication.use(place.facts.options.deduplication, this.#appendTimeUs());
    } catch (error) {
      this.#closeFiles();
      throw error;
    }
  }

  /** First readable offset. */
  get logStart(): number {
    return this.#sealed[0]?.baseOffset ?? this.#active?.baseOffset ?? 0;
  }

  /** End of what is written and can be read: the next offset. */
  get logEnd(): number {
    return this.#active?.nextOffset ?? 0;
  }

  /** Sealed segments, oldest first. */
  get sealed(): readonly SealedSegment[] {
    return this.#sealed;
  }

  /** Bytes of all segments, and of what is about to be written. */
  get bytes(): number {
    return this.#sealedBytes + (this.#active?.size ?? 0) + (this.#buffer?.used ?? 0);
  }

  /** Something is written that the disk may not have. */
  get dirty(): boolean {
    if (this.#active === undefined || this.#refusal !== undefined) return false;
    return this.#active.syncedBytes < this.#active.size;
  }

  /**
   * Gives the records their offsets, as one batch, and has them written soon (FlushQueue). Records
   * that were stored before by their id are left out; when all were, nothing is written.
   *
   * @throws {LogError} For records that break a limit, a full topic, or when the partition takes no
   * more writes; no offset was given then.
   */
  enqueue(records: readonly SinkRecord[]): Appended {
    const { facts, writer } = this.place;
    const appendTimeUs = this.#appendTimeUs();
    this.#deduplication.use(facts.options.deduplication, appendTimeUs);
    if (this.#refusal !== undefined) throw this.#refusal;
    const selection = this.#deduplication.select(records, this.#nextOffset, appendTimeUs);
    const { fresh = records, outcomes } = selection ?? {};
    const baseOffset = outcomes?.[0]?.offset ?? this.#nextOffset;
    if (outcomes !== undefined && fresh.length === 0) {
      return { baseOffset, outcomes, acknowledged: this.#acknowledgements.last() };
    }
    facts.checkRoom?.(fresh);
    this.#buffer ??= writer.takeBuffer();
    const buffer = this.#buffer;
    const place = { baseOffset: this.#nextOffset, appendTimeUs };
    buffer.add(fresh, { ...place, writerEpoch: writer.writerEpoch, topicEpoch: facts.epoch });
    if (selection !== undefined) this.#deduplication.remember(selection, appendTimeUs);
    this.#nextOffset += fresh.length;
    this.#lastAppendTimeUs = appendTimeUs;
    const acknowledged = this.#acknowledgements.next();
    const { messages, bytes } = writer.options.flush;
    if (buffer.messages >= messages || buffer.used >= bytes) this.flush();
    else writer.flushes.add(this);
    return { baseOffset, outcomes, acknowledged };
  }

  /**
   * The same, written when it returns, whatever `acknowledge` says.
   *
   * @returns Offset of the first.
   * @throws {LogError} As `enqueue()`, and when the write fails.
   */
  append(records: readonly SinkRecord[]): number {
    const { baseOffset } = this.enqueue(records);
    this.flush();
    if (this.#refusal !== undefined) throw this.#refusal;
    return baseOffset;
  }

  /** Writes all that is buffered. Never throws: a failure refuses further writes. */
  flush(): void {
    const buffer = this.#buffer;
    if (buffer === undefined || this.#refusal !== undefined) return;
    const { writer } = this.place;
    this.#buffer = undefined;
    try {
      this.#write(buffer);
    } catch (cause) {
      this.refuse("a write failed, and it must be opened again", cause);
      return;
    } finally {
      writer.giveBuffer(buffer);
    }
    this.#acknowledgements.wrote();
    tellLocalWrite(this.place.directory);
    writer.wrote();
    if (this.#wantsSync() && !this.#syncing) void this.#syncWhileWanted();
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
    this.#sealedBytes -= oldest.summary.logBytes;
    if (this.#lastRead === oldest) this.#lastRead = undefined;
    oldest.release();
    try {
      this.#writeHead(this.#active!);
      this.#head.sync();
      tellLocalWrite(this.place.directory);
    } catch (cause) {
      throw this.refuse("a write failed, and it must be opened again", cause);
    }
    oldest.remove();
    return oldest;
  }

  /** Nobody else changes anything here. */
  refresh(): void {}

  onWrite(wake: () => void): () => void {
    return onLocalWrite(this.place.directory, wake);
  }

  /**
   * Makes what is written durable and says so in `head`. Never rejects: a failure refuses further
   * writes.
   */
  async sync(): Promise<void> {
    const active = this.#active;
    if (active === undefined || this.#refusal !== undefined) return;
    // What a roll has left behind was synced then.
    const synced = this.#acknowledgements.syncing();
    try {
      await active.sync();
      synced();
      if (this.#active !== active || this.#refusal !== undefined) return;
      this.#writeHead(active);
      tellLocalWrite(this.place.directory);
    } catch (cause) {
      this.refuse("a sync failed, and it must be opened again", cause);
    }
  }

  /** Closes the partition for writing: rejects all appends that are not acknowledged. */
  refuse(why: string, cause?: unknown): LogError {
    const { topic, partition, writer } = this.place;
    if (this.#refusal !== undefined) return this.#refusal;
    const error = new LogError(
      `Cannot append to ${topic}#${partition} as ${why}: received ${String(cause ?? "an append")}`,
      { cause },
    );
    this.#refusal = error;
    this.#acknowledgements.fail(error);
    if (this.#buffer !== undefined) writer.giveBuffer(this.#buffer);
    this.#buffer = undefined;
    if (cause !== undefined) writer.events.emit("writeFailed", { topic, partition, error });
    return error;
  }

  /**
   * Writes what is buffered, syncs and closes. Idempotent.
   *
   * @throws {LogError} When what was buffered cannot be written.
   * @throws {Error} When the sync fails.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      const before = this.#refusal;
      this.flush();
      if (this.#refusal !== undefined && before === undefined) throw this.#refusal;
      if (this.#active !== undefined && this.#refusal === undefined) {
        const synced = this.#acknowledgements.syncing();
        if (this.dirty && this.#syncsAtAll) this.#active.syncNow();
        this.#writeHead(this.#active);
        synced();
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

  /** Time of an append now: it never decreases. */
  #appendTimeUs(): number {
    return Math.max(this.place.writer.clock.wallTime() * 1000, this.#lastAppendTimeUs);
  }

  get #syncsAtAll(): boolean {
    return this.place.writer.options.sync !== "never";
  }

  #wantsSync(): boolean {
    if (this.#refusal !== undefined || this.#active === undefined) return false;
    if (this.#acknowledgements.wantSync) return true;
    const { sync } = this.place.writer.options;
    const unsynced = this.#active.size - this.#active.syncedBytes;
    return unsynced > 0 && (sync === "flush" || (sync !== "never" && unsynced >= SYNC_AHEAD_BYTES));
  }

  /** Appends that come while a sync runs share the next one. */
  async #syncWhileWanted(): Promise<void> {
    this.#syncing = true;
    while (this.#wantsSync()) await this.sync();
    this.#syncing = false;
  }

  #start(baseOffset: number): ActiveSegment {
    const path = join(this.place.directory, segmentName(baseOffset));
    this.#active = ActiveSegment.create(path, baseOffset);
    return this.#active;
  }

  #write(buffer: BatchBuffer): void {
    const { batches, bytes } = buffer;
    let target = this.#active;
    for (let first = 0; first < batches.length; ) {
      target = this.#roomFor(batches[first]!);
      let end = first + 1;
      while (end < batches.length && this.#fits(target, batches[end]!, batches[first]!)) end++;
      target.write(bytes, batches.slice(first, end));
      first = end;
    }
    if (target !== undefined) this.#writeHead(target);
  }

  /** The active segment, or a new one when the batch does not fit. */
  #roomFor(batch: EncodedBatch): ActiveSegment {
    const active = this.#active;
    if (active === undefined) return this.#start(batch.baseOffset);
    if (active.size === 0 || this.#fits(active, batch, batch)) return active;
    const sealed = active.seal(this.place.writer.writerEpoch, this.#syncsAtAll);
    const fresh = this.#start(active.nextOffset);
    this.#sealed.push(sealed);
    this.#sealedBytes += sealed.summary.logBytes;
    active.close();
    this.place.writer.sealed();
    return fresh;
  }

  /** @param first Batch of the same buffer that will lie where the segment ends now. */
  #fits(active: ActiveSegment, batch: EncodedBatch, first: EncodedBatch): boolean {
    const { bytes } = this.place.facts.options.segment;
    const relative = batch.baseOffset + batch.count - active.baseOffset;
    return active.size + batch.end - first.start <= bytes && relative <= MAX_RELATIVE_OFFSET;
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
