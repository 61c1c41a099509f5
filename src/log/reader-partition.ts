import type { Buffer } from "node:buffer";
import { join } from "node:path";
import { LogError } from "../errors.ts";
import { type FoundHead, type HeadState, readHead } from "./head-file.ts";
import { holeEnd } from "./holes.ts";
import { isWrittenHere, onLocalWrite } from "./local-wakes.ts";
import { isOutOfRange, outOfRange, type StoredBatch } from "./read-batches.ts";
import type { ReadablePartition } from "./readable.ts";
import { ReaderSegment } from "./reader-segment.ts";
import { listSegments, segmentName } from "./segment-names.ts";
import type { FileWatch, Stop } from "./watch-file.ts";

/**
 * How far readers see: `written`, to what the operating system has; `synced`, to what the disk has,
 * so that nothing that was read is gone after a power loss.
 */
export type Visibility = "written" | "synced";

/** What a partition is told when it is opened for reading. */
export interface ReaderPlace {
  /** Directory of the log. */
  readonly root: string;
  readonly directory: string;
  readonly topic: string;
  readonly partition: number;
  readonly visibility: Visibility;
  readonly watch: FileWatch;
}

/**
 * One partition in a process that only reads, beside whoever writes it. Nothing is locked and
 * nothing is written.
 *
 * How far it may be read is in `head`, which the writer changes after the bytes are there; so what
 * lies below is whole. What is known is checked again when a read fails: retention may have removed
 * a segment, or a new writer may have cut off a torn end and gone on from there.
 */
export class ReaderPartition implements ReadablePartition {
  readonly place: ReaderPlace;
  readonly #headPath: string;
  readonly #wakes = new Set<() => void>();
  #head: FoundHead | undefined;
  #logEnd = 0;
  /** Position in the active segment behind the last batch that may be read. */
  #limit = 0;
  /** Base offsets of the segments, ascending; empty when they must be listed. */
  #bases: readonly number[] = [];
  #segment: ReaderSegment | undefined;
  #stopWatch: Stop | undefined;
  /** A watch may be tried: none was refused since the file was seen. */
  #mayWatch = true;

  constructor(place: ReaderPlace) {
    this.place = place;
    this.#headPath = join(place.directory, "head");
    this.refresh();
  }

  get logStart(): number {
    return this.#head?.state.logStart ?? 0;
  }

  get logEnd(): number {
    return this.#logEnd;
  }

  /** Looks how far the writer has come. A few microseconds. */
  refresh(): void {
    const found = this.#readHead();
    // Not made yet, or removed: whoever knows about topics will notice.
    if (found === undefined) return;
    if (this.#head === undefined) this.#mayWatch = true;
    if (!isSame(found, this.#head)) this.#take(found);
    this.#watch();
  }

  /** @param into Memory that may be overwritten, and is read into where it is large enough. */
  read(offset: number, maxBytes: number, into?: Buffer): StoredBatch[] {
    return this.#twice(() => {
      const { logStart, logEnd } = this;
      if (!(offset >= logStart && offset <= logEnd)) throw outOfRange(offset, logStart, logEnd);
      return offset === logEnd ? [] : this.#read(offset, maxBytes, into);
    });
  }

  offsetForTime(timeMs: number): number | undefined {
    return this.#twice(() => (this.logStart === this.logEnd ? undefined : this.#find(timeMs)));
  }

  onWrite(wake: () => void): () => void {
    const stop = onLocalWrite(this.place.directory, wake);
    this.#wakes.add(wake);
    this.#watch();
    return () => {
      stop();
      this.#wakes.delete(wake);
      if (this.#wakes.size === 0) this.#endWatch();
    };
  }

  close(): void {
    this.#wakes.clear();
    this.#endWatch();
    this.#forget();
  }

  /**
   * A slot is overwritten when the other one is newer, so an earlier state is seen only when two
   * writes fell into one look.
   */
  #readHead(): FoundHead | undefined {
    const found = readHead(this.#headPath);
    const older = found !== undefined && found.sequence < (this.#head?.sequence ?? 0);
    return older ? readHead(this.#headPath) : found;
  }

  #take(found: FoundHead): void {
    const before = this.#head?.state;
    const { state } = found;
    const shrunk = before !== undefined && state.writtenBytes < before.writtenBytes;
    if (shrunk || state.activeBase !== before?.activeBase) this.#bases = [];
    // What was walked over may be another batch by now.
    if (shrunk && state.activeBase === before.activeBase) this.#forget();
    // Before anything is taken over: it may fail, and then the old limit holds.
    const logEnd = this.#endOf(state);
    const isSynced = this.place.visibility === "synced";
    this.#head = found;
    this.#limit = isSynced ? state.syncedBytes : state.writtenBytes;
    this.#logEnd = logEnd;
  }

  /** What is known may have changed since it was looked at last, so a failure is not the last word. */
  #twice<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (isOutOfRange(error)) throw error;
      this.#forget();
      this.refresh();
    }
    try {
      return act();
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** Append times never decrease, so segments ascend by time as by offset. */
  #find(timeMs: number): number | undefined {
    const timeUs = timeMs * 1000;
    const { activeBase } = this.#head!.state;
    const bases = this.#listed().filter((base) => base >= this.logStart && base <= activeBase);
    let low = 0;
    let high = bases.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#open(bases[middle]!).lastAppendTimeUs >= timeUs) high = middle;
      else low = middle + 1;
    }
    const segment = this.#open(bases[low] ?? activeBase);
    const limit = segment.baseOffset === activeBase ? this.#limit : segment.bytes;
    return segment.offsetForTime(timeUs, limit);
  }

  #endOf({ activeBase, writtenBytes, syncedBytes, nextOffset }: HeadState): number {
    if (this.place.visibility === "written" || syncedBytes === writtenBytes) return nextOffset;
    // A segment is synced before the next one begins.
    return syncedBytes === 0 ? activeBase : this.#open(activeBase).offsetAt(syncedBytes);
  }

  #read(offset: number, maxBytes: number, into?: Buffer): StoredBatch[] {
    const base = this.#listed().findLast((one) => one <= offset);
    const batches = base === undefined ? [] : this.#readSegment(base, offset, maxBytes, into);
    if (batches.length > 0) return batches;
    const behind = holeEnd(this.place.directory, offset);
    if (behind === undefined) throw this.#missing(`no batch with offset ${offset}`);
    return behind >= this.#logEnd ? [] : this.#read(behind, maxBytes, into);
  }

  #readSegment(
    base: number,
    offset: number,
    maxBytes: number,
    into: Buffer | undefined,
  ): StoredBatch[] {
    const segment = this.#open(base);
    const isActive = base === this.#head!.state.activeBase;
    const { bytes } = segment;
    if (isActive && bytes < this.#limit) throw this.#missing(`${bytes} of ${this.#limit} bytes`);
    return segment.read(offset, isActive ? this.#limit : bytes, maxBytes, into);
  }

  #listed(): readonly number[] {
    if (this.#bases.length === 0) this.#bases = listSegments(this.place.directory);
    return this.#bases;
  }

  #open(base: number): ReaderSegment {
    if (this.#segment?.baseOffset === base) return this.#segment;
    this.#segment?.close();
    this.#segment = ReaderSegment.open(this.place.directory, base);
    if (this.#segment === undefined) throw this.#missing(`no ${segmentName(base)}`);
    return this.#segment;
  }

  #missing(received: string): LogError {
    const { topic, partition, directory } = this.place;
    return new LogError(
      `Cannot read ${topic}#${partition} as all that its head speaks of must be there: ` +
        `received ${received} in ${directory}`,
      { retriable: true },
    );
  }

  #forget(): void {
    this.#segment?.close();
    this.#segment = undefined;
    this.#bases = [];
  }

  #watch(): void {
    // What this process writes is told without the system, which would only cost time.
    if (isWrittenHere(this.place.root)) {
      this.#endWatch();
      return;
    }
    if (this.#stopWatch !== undefined || !this.#mayWatch || this.#wakes.size === 0) return;
    const changed = (): void => {
      for (const wake of [...this.#wakes]) wake();
    };
    this.#stopWatch = this.place.watch(this.#headPath, changed, () => {
      this.#stopWatch = undefined;
    });
    this.#mayWatch = this.#stopWatch !== undefined;
  }

  #endWatch(): void {
    this.#stopWatch?.();
    this.#stopWatch = undefined;
    this.#mayWatch = true;
  }
}

/** A file that was made anew counts from one again, so the sequence alone says nothing. */
function isSame(one: FoundHead, other: FoundHead | undefined): boolean {
  if (one.sequence !== other?.sequence) return false;
  const [a, b] = [one.state, other.state];
  const isSameEnd = a.nextOffset === b.nextOffset && a.writtenBytes === b.writtenBytes;
  return isSameEnd && a.activeBase === b.activeBase && a.syncedBytes === b.syncedBytes;
}
