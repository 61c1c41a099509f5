import { join } from "node:path";
import { CorruptLogError } from "../errors.ts";
import { ActiveSegment } from "./active-segment.ts";
import type { BatchBuffer, EncodedBatch } from "./batch-buffer.ts";
import type { Hole } from "./holes.ts";
import type { PartitionDamage } from "./partition-damage.ts";
import type { StoredBatch } from "./read-batches.ts";
import type { SealedSegment, SegmentRules } from "./sealed-segment.ts";
import { segmentName } from "./segment-names.ts";
import type { SegmentOptions } from "./topic-options.ts";

const MAX_RELATIVE_OFFSET = 0xffffffff;

/** What the segments of one partition are told. */
export interface SegmentsPlace {
  readonly directory: string;
  readonly rules: SegmentRules;
  /** When to roll, now: it may change. */
  readonly limits: () => Readonly<Required<SegmentOptions>>;
  /** Sealed segments are synced. */
  readonly sync: boolean;
  /** Called after a segment was sealed. */
  readonly rolled: () => void;
}

/** What recovery has found. */
export interface FoundSegments {
  /** Oldest first. */
  readonly sealed: SealedSegment[];
  /** undefined for a partition that was never written to. */
  readonly active: ActiveSegment | undefined;
  /** Offsets that are declared as gone. */
  readonly holes: readonly Hole[];
  /** Of a damaged partition that is open for reading only: what cannot be read, and why. */
  readonly damages?: readonly PartitionDamage[];
  /** Of such a one, what it has held. */
  readonly bounds?: { readonly logStart: number; readonly logEnd: number };
}

/** The segments of one partition: writes into the last one, rolls, reads from all. */
export class Segments {
  readonly #place: SegmentsPlace;
  readonly #sealed: SealedSegment[];
  readonly #found: FoundSegments;
  #active: ActiveSegment | undefined;
  #lastRead: SealedSegment | undefined;
  #sealedBytes: number;

  constructor(place: SegmentsPlace, found: FoundSegments) {
    const { sealed, active } = found;
    this.#place = place;
    this.#found = found;
    this.#sealed = sealed;
    this.#active = active;
    this.#sealedBytes = sealed.reduce((sum, { summary }) => sum + summary.logBytes, 0);
  }

  get sealed(): readonly SealedSegment[] {
    return this.#sealed;
  }

  get active(): ActiveSegment | undefined {
    return this.#active;
  }

  get logStart(): number {
    const { bounds } = this.#found;
    return bounds?.logStart ?? this.#sealed[0]?.baseOffset ?? this.#active?.baseOffset ?? 0;
  }

  get logEnd(): number {
    return this.#found.bounds?.logEnd ?? this.#active?.nextOffset ?? 0;
  }

  get bytes(): number {
    return this.#sealedBytes + (this.#active?.size ?? 0);
  }

  /** Of the newest batch, -Infinity when there is none. */
  get lastAppendTimeUs(): number {
    const last = this.#active?.lastAppendTimeUs ?? Number.NEGATIVE_INFINITY;
    return Math.max(last, this.#sealed.at(-1)?.summary.lastAppendTimeUs ?? last);
  }

  /** Writes all batches of the buffer, each run that fits into a segment at once. */
  write({ batches, bytes }: BatchBuffer): void {
    for (let first = 0; first < batches.length; ) {
      const target = this.#roomFor(batches[first]!);
      let end = first + 1;
      while (end < batches.length && this.#fits(target, batches[end]!, batches[first]!)) end++;
      target.write(bytes, batches.slice(first, end));
      first = end;
    }
  }

  /** Seals the active segment, unless it is empty, and starts the next one. */
  roll(): void {
    const active = this.#active;
    if (active === undefined || active.size === 0) return;
    const sealed = active.seal(this.#place.sync);
    this.#start(active.nextOffset);
    this.#sealed.push(sealed);
    this.#sealedBytes += sealed.summary.logBytes;
    active.close();
    this.#place.rolled();
  }

  /** When the active segment is old, in ms since the epoch; undefined when it never is. */
  get oldFromMs(): number | undefined {
    const { maxAgeMs } = this.#place.limits();
    if (maxAgeMs === null || this.#active === undefined || this.#active.size === 0)
      return undefined;
    return this.#active.firstAppendTimeUs / 1000 + maxAgeMs;
  }

  /** The age of the active segment has come to its limit. */
  isOld(nowUs: number): boolean {
    const { oldFromMs } = this;
    return oldFromMs !== undefined && nowUs >= oldFromMs * 1000;
  }

  /**
   * @param offset From log start to below log end. In a hole: the batches behind it are given, none
   * when nothing is behind.
   * @throws {CorruptLogError} For offsets that cannot be read, and are not declared as gone.
   */
  read(offset: number, maxBytes: number): StoredBatch[] {
    const active = this.#active;
    if (active !== undefined && offset >= active.baseOffset) return active.read(offset, maxBytes);
    const segment = this.#sealedWith(offset);
    if (segment !== undefined && offset >= segment.baseOffset) {
      return this.#readable(segment).read(offset, maxBytes);
    }
    const hole = this.#found.holes.find(({ from, to }) => from <= offset && offset < to);
    if (hole === undefined) throw this.#damageAt(offset);
    return hole.to >= this.logEnd ? [] : this.read(hole.to, maxBytes);
  }

  /** Base offset of the first batch whose append time is at or after `timeUs`. O(log segments). */
  offsetForTime(timeUs: number): number | undefined {
    const at = firstIndex(this.#sealed, ({ summary }) => summary.lastAppendTimeUs >= timeUs);
    const segment = this.#sealed[at];
    if (segment === undefined) return this.#active?.offsetForTime(timeUs);
    return this.#readable(segment).offsetForTime(timeUs);
  }

  /** Takes the oldest sealed segment out; its files are still there. */
  shift(): SealedSegment | undefined {
    const oldest = this.#sealed.shift();
    if (oldest === undefined) return undefined;
    if (this.#lastRead === oldest) this.#lastRead = undefined;
    this.#sealedBytes -= oldest.summary.logBytes;
    oldest.release();
    return oldest;
  }

  close(): void {
    for (const segment of this.#sealed) segment.release();
    this.#active?.close();
  }

  #start(baseOffset: number): ActiveSegment {
    const { directory, rules } = this.#place;
    this.#active = ActiveSegment.create(
      join(directory, segmentName(baseOffset)),
      baseOffset,
      rules,
    );
    return this.#active;
  }

  #roomFor(batch: EncodedBatch): ActiveSegment {
    if (this.#active === undefined) return this.#start(batch.baseOffset);
    if (!this.#fits(this.#active, batch, batch)) this.roll();
    return this.#active;
  }

  /** @param first Batch of the same buffer that will lie where the segment ends now. */
  #fits(active: ActiveSegment, batch: EncodedBatch, first: EncodedBatch): boolean {
    const { bytes } = this.#place.limits();
    const relative = batch.baseOffset + batch.count - active.baseOffset;
    if (active.size + batch.end - first.start > bytes || relative > MAX_RELATIVE_OFFSET) {
      // A batch that is larger than a segment gets one for itself.
      return active.size === 0 && batch === first;
    }
    return !this.isOld(batch.appendTimeUs);
  }

  /** One sealed segment is open at a time. */
  #readable(segment: SealedSegment): SealedSegment {
    if (this.#lastRead !== segment) this.#lastRead?.release();
    this.#lastRead = segment;
    return segment;
  }

  /** The first that ends behind the offset. */
  #sealedWith(offset: number): SealedSegment | undefined {
    return this.#sealed[firstIndex(this.#sealed, ({ nextOffset }) => nextOffset > offset)];
  }

  #damageAt(offset: number): CorruptLogError {
    const found = this.#found.damages?.find(({ facts: { from, to } }) => {
      return from <= offset && offset < to;
    });
    const rule = `Cannot read as a segment must hold offset ${offset}`;
    return found ?? new CorruptLogError(`${rule}: received none in ${this.#place.directory}`);
  }
}

/** Index of the first element for which `holds`, which holds for all behind it too. */
function firstIndex<T>(all: readonly T[], holds: (one: T) => boolean): number {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(all[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
