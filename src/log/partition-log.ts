import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { LogError } from "../errors.ts";
import type { SinkRecord } from "../source/source.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import type { TornTail } from "./active-segment.ts";
import { AppendClock } from "./append-clock.ts";
import type { BatchBuffer } from "./batch-buffer.ts";
import { Deduplication } from "./deduplication.ts";
import type { Flushable } from "./flush-queue.ts";
import { HeadFile } from "./head-file.ts";
import { onLocalWrite, tellLocalWrite } from "./local-wakes.ts";
import type { Appended, PartitionPlace } from "./partition-place.ts";
import { outOfRange, type StoredBatch } from "./read-batches.ts";
import type { ReadablePartition } from "./readable.ts";
import { recoverPartition } from "./recover-partition.ts";
import { RollTimer } from "./roll-timer.ts";
import type { SealedSegment } from "./sealed-segment.ts";
import { Segments, type SegmentsPlace } from "./segments.ts";

export type { PartitionPlace, TopicFacts } from "./partition-place.ts";

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
  readonly #segments: Segments;
  readonly #head: HeadFile;
  readonly #acknowledgements: Acknowledgements;
  readonly #deduplication: Deduplication;
  readonly #appendClock: AppendClock;
  readonly #rollTimer: RollTimer;
  /** Encoded and not written. */
  #buffer: BatchBuffer | undefined;
  #nextOffset: number;
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
      const { tornTail, damage, ...found } = recoverPartition(place, this.#head.found);
      this.tornTail = tornTail;
      this.#segments = new Segments(segmentsPlace(place), found);
      if (damage !== undefined) {
        this.#refusal = new LogError(
          `Cannot write to ${place.topic}#${place.partition} as it is damaged and open for ` +
            `reading only: received ${damage.message}`,
          { cause: damage },
        );
      }
    } catch (error) {
      this.#head.close();
      throw error;
    }
    const { clock } = place.writer;
    const due = (): number | undefined => this.#segments.oldFromMs;
    this.#nextOffset = this.logEnd;
    this.#appendClock = new AppendClock(place, this.#segments.lastAppendTimeUs);
    this.#rollTimer = new RollTimer(clock, due, () => this.#rollWhenOld());
    try {
      this.#writeHead();
      this.#deduplication.use(place.facts.options.deduplication, this.#appendClock.next());
    } catch (error) {
      this.#closeFiles();
      throw error;
    }
    this.#rollTimer.arm();
  }

  /** First readable offset. */
  get logStart(): number {
    return this.#segments.logStart;
  }

  /** End of what is written and can be read: the next offset. */
  get logEnd(): number {
    return this.#segments.logEnd;
  }

  /** Sealed segments, oldest first. */
  get sealed(): readonly SealedSegment[] {
    // Of a damaged partition nothing may be removed.
    return this.#segments.active === undefined ? [] : this.#segments.sealed;
  }

  /** Bytes of all segments, and of what is about to be written. */
  get bytes(): number {
    return this.#segments.bytes + (this.#buffer?.used ?? 0);
  }

  /** Something is written that the disk may not have. */
  get dirty(): boolean {
    const { active } = this.#segments;
    if (active === undefined || this.#refusal !== undefined) return false;
    return active.syncedBytes < active.size;
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
    const appendTimeUs = this.#appendClock.next();
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
      this.#segments.write(buffer);
      this.#writeHead();
    } catch (cause) {
      this.refuse("a write failed, and it must be opened again", cause);
      return;
    } finally {
      writer.giveBuffer(buffer);
    }
    this.#acknowledgements.wrote();
    tellLocalWrite(this.place.directory);
    writer.wrote();
    this.#rollTimer.arm();
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
    return offset === logEnd ? [] : this.#segments.read(offset, maxBytes);
  }

  offsetForTime(timeMs: number): number | undefined {
    return this.#segments.offsetForTime(timeMs * 1000);
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
    const oldest = this.#segments.shift();
    if (oldest === undefined) return undefined;
    try {
      this.#writeHead();
      this.#head.sync();
      tellLocalWrite(this.place.directory);
    } catch (cause) {
      throw this.refuse("a write failed, and it must be opened again", cause);
    }
    oldest.remove();
    return oldest;
  }

  /** To be called when the topic's options have changed. */
  optionsChanged(): void {
    this.#rollTimer.clear();
    this.#rollTimer.arm();
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
    const { active } = this.#segments;
    if (active === undefined || this.#refusal !== undefined) return;
    // What a roll has left behind was synced then.
    const synced = this.#acknowledgements.syncing();
    try {
      await active.sync();
      synced();
      if (this.#segments.active !== active || this.#refusal !== undefined) return;
      this.#writeHead();
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
    this.#rollTimer.clear();
    try {
      const before = this.#refusal;
      this.flush();
      if (this.#refusal !== undefined && before === undefined) throw this.#refusal;
      if (this.#refusal === undefined) {
        const synced = this.#acknowledgements.syncing();
        if (this.dirty && syncsAtAll(this.place)) this.#segments.active?.syncNow();
        this.#writeHead();
        synced();
      }
    } finally {
      this.refuse("the log is closed");
      this.#closeFiles();
    }
  }

  #closeFiles(): void {
    this.#segments.close();
    this.#head.close();
  }

  #rollWhenOld(): void {
    this.flush();
    if (this.#refusal !== undefined || !this.#segments.isOld(this.#appendClock.nowUs)) return;
    try {
      this.#segments.roll();
      this.#writeHead();
      tellLocalWrite(this.place.directory);
    } catch (cause) {
      this.refuse("a write failed, and it must be opened again", cause);
    }
  }

  #wantsSync(): boolean {
    const { active } = this.#segments;
    if (this.#refusal !== undefined || active === undefined) return false;
    if (this.#acknowledgements.wantSync) return true;
    const { sync } = this.place.writer.options;
    const unsynced = active.size - active.syncedBytes;
    return unsynced > 0 && (sync === "flush" || (sync !== "never" && unsynced >= SYNC_AHEAD_BYTES));
  }

  /** Appends that come while a sync runs share the next one. */
  async #syncWhileWanted(): Promise<void> {
    this.#syncing = true;
    while (this.#wantsSync()) await this.sync();
    this.#syncing = false;
  }

  #writeHead(): void {
    const { active, logStart } = this.#segments;
    if (active === undefined) return;
    this.#head.write({
      activeBase: active.baseOffset,
      writtenBytes: active.size,
      syncedBytes: active.syncedBytes,
      nextOffset: active.nextOffset,
      logStart,
    });
  }
}

function syncsAtAll({ writer }: PartitionPlace): boolean {
  return writer.options.sync !== "never";
}

function segmentsPlace(place: PartitionPlace): SegmentsPlace {
  const { directory, facts, writer } = place;
  return {
    directory,
    rules: writer.segmentRules,
    limits: () => facts.options.segment,
    sync: syncsAtAll(place),
    rolled: () => writer.sealed(),
  };
}
