/** Checks every batch of a segment, and goes on behind damage. */
import type { Buffer } from "node:buffer";
import { CorruptLogError } from "../errors.ts";
import { FileWindow } from "./file-window.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC_BYTES,
  type BatchHeader,
  checksumHolds,
  FRAME_HEADER_BYTES,
  readBatchHeader,
} from "./format.ts";
import { RawRecords } from "./raw-records.ts";

/** Bytes between two looks at the clock and at signals. */
const STEP_BYTES: number = 4 << 20;
/** Bytes that are searched at a time for the next good batch. */
const SEARCH_BYTES: number = 1 << 20;

/** What to check. */
export interface SegmentPlan {
  readonly fd: number;
  /** End of what may be read. */
  readonly size: number;
  readonly baseOffset: number;
  /** Epoch of the newest writer there can have been. */
  readonly maxEpoch: number;
  /** Called for each good batch, in order. */
  readonly onBatch: (batch: GoodBatch) => void;
}

/** A batch whose every part fits. */
export interface GoodBatch {
  readonly position: number;
  readonly header: BatchHeader;
}

/** A run of bytes that holds no good batch. */
export interface Flaw {
  readonly position: number;
  readonly bytes: number;
  /** Offset that the first batch of it should have had. */
  readonly firstOffset: number;
  /** Offset of the good batch behind it; null when none follows in this file. */
  readonly endOffset: number | null;
  readonly problem: string;
}

/** What is in a segment. */
export interface SegmentCheck {
  readonly batches: number;
  readonly records: number;
  /** Behind the last good batch. */
  readonly nextOffset: number;
  readonly lastAppendTimeUs: number;
  readonly maxEventTimeUs: number;
  readonly flaws: readonly Flaw[];
}

/**
 * Walks a segment: header, bounds, offset, epoch, checksum and frames of each batch.
 *
 * Gives way now and then, with the position that it has reached.
 */
export function* checkSegment(plan: SegmentPlan): Generator<number, SegmentCheck, undefined> {
  const window = new FileWindow(plan.fd, plan.size);
  const flaws: Flaw[] = [];
  let [position, nextOffset, epoch, batches, records] = [0, plan.baseOffset, 0, 0, 0];
  let lastAppendTimeUs = Number.NEGATIVE_INFINITY;
  let maxEventTimeUs = Number.NEGATIVE_INFINITY;
  let restAt = STEP_BYTES;
  while (position < plan.size) {
    const expected = { nextOffset, epoch, maxEpoch: plan.maxEpoch };
    const header = goodBatch(window, position, expected);
    if (typeof header === "string") {
      const next = yield* findGoodBatch(window, position, expected);
      const end = next?.position ?? plan.size;
      const endOffset = next?.header.baseOffset ?? null;
      const bytes = end - position;
      flaws.push({ position, bytes, firstOffset: nextOffset, endOffset, problem: header });
      if (next === undefined) break;
      // It is looked at again from its start, as what it is now: the next one.
      position = end;
      nextOffset = next.header.baseOffset;
      continue;
    }
    plan.onBatch({ position, header });
    position += header.totalBytes;
    nextOffset = header.baseOffset + header.count;
    epoch = header.writerEpoch;
    lastAppendTimeUs = header.appendTimeUs;
    maxEventTimeUs = Math.max(maxEventTimeUs, header.maxEventTimeUs);
    batches++;
    records += header.count;
    if (position < restAt) continue;
    yield position;
    restAt = position + STEP_BYTES;
  }
  return { batches, records, nextOffset, lastAppendTimeUs, maxEventTimeUs, flaws };
}

interface Expected {
  readonly nextOffset: number;
  /** Of the batch before: epochs never fall. */
  readonly epoch: number;
  readonly maxEpoch: number;
}

/** The header of the batch at `position`, or what is wrong with it. */
function goodBatch(window: FileWindow, position: number, expected: Expected): BatchHeader | string {
  const header = wholeBatch(window, position, expected);
  if (typeof header === "string" || header.baseOffset === expected.nextOffset) return header;
  return `base offset ${header.baseOffset} for ${expected.nextOffset}`;
}

/** The same, whatever its offset is. */
function wholeBatch(
  window: FileWindow,
  position: number,
  { epoch, maxEpoch }: Omit<Expected, "nextOffset">,
): BatchHeader | string {
  const head = window.at(position, BATCH_HEADER_BYTES);
  if (head === undefined) return "a header that is cut off";
  const header = readBatchHeader(head, 0);
  if (typeof header === "string") return header;
  const { writerEpoch, totalBytes } = header;
  if (position + totalBytes > window.size) return "a batch that is cut off";
  const bytes = window.at(position, totalBytes);
  if (bytes === undefined || !checksumHolds(bytes, 0, totalBytes)) return "a wrong checksum";
  if (writerEpoch < epoch) return `writer epoch ${writerEpoch} behind ${epoch}`;
  if (writerEpoch > maxEpoch) return `writer epoch ${writerEpoch} for at most ${maxEpoch}`;
  return frameProblem(bytes, header) ?? header;
}

function frameProblem(bytes: Buffer, { baseOffset, count }: BatchHeader): string | undefined {
  try {
    new RawRecords({ baseOffset, count, bytes });
    return undefined;
  } catch (error) {
    if (error instanceof CorruptLogError) return "frames that do not fill the batch";
    throw error;
  }
}

/**
 * The first good batch at `position` or behind it whose offset is possible there. An intact batch at
 * `position` itself counts when offsets are missing before it.
 */
function* findGoodBatch(
  window: FileWindow,
  position: number,
  expected: Expected,
): Generator<number, GoodBatch | undefined, undefined> {
  const here = wholeBatch(window, position, expected);
  if (typeof here !== "string" && here.baseOffset > expected.nextOffset) {
    return { position, header: here };
  }
  let from = position + 1;
  let restAt = from + STEP_BYTES;
  while (from + BATCH_HEADER_BYTES <= window.size) {
    const chunk = window.at(from, Math.min(SEARCH_BYTES, window.size - from));
    if (chunk === undefined) return undefined; // The file has become shorter.
    const found = chunk.indexOf(BATCH_MAGIC_BYTES);
    // Three bytes of a magic may lie at the end of the chunk.
    const at = found === -1 ? from + Math.max(1, chunk.length - 3) : from + found;
    if (found !== -1) {
      const header = wholeBatch(window, at, expected);
      if (typeof header !== "string" && isPossible(header, at - position, expected)) {
        return { position: at, header };
      }
    }
    from = found === -1 ? at : at + 1;
    if (from < restAt) continue;
    yield from;
    restAt = from + STEP_BYTES;
  }
  return undefined;
}

/** `between` bytes hold that many records at most, so higher offsets are not of this segment. */
function isPossible({ baseOffset }: BatchHeader, between: number, expected: Expected): boolean {
  const most = expected.nextOffset + Math.floor(between / FRAME_HEADER_BYTES);
  return baseOffset >= expected.nextOffset && baseOffset <= most;
}
