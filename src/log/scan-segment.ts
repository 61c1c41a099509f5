import { Buffer } from "node:buffer";
import { FileWindow } from "./file-window.ts";
import { readFully } from "./files.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC_BYTES,
  type BatchHeader,
  checksumHolds,
  FRAME_HEADER_BYTES,
  readBatchHeader,
} from "./format.ts";
import { OffsetIndex } from "./offset-index.ts";
import { TimeIndex } from "./time-index.ts";

/** What to walk, and what to hold against it. */
export interface ScanPlan {
  readonly fd: number;
  readonly size: number;
  readonly baseOffset: number;
  /**
   * Batches that end above this position have their checksum verified; the others only their
   * header.
   */
  readonly verifyFrom: number;
  /** Epoch of the newest writer there can have been. */
  readonly maxEpoch: number;
}

/** How far a segment is good. */
export interface Scan {
  readonly index: OffsetIndex;
  readonly times: TimeIndex;
  /** End of the last good batch. */
  readonly position: number;
  readonly nextOffset: number;
  readonly firstAppendTimeUs: number;
  readonly lastAppendTimeUs: number;
  readonly maxEventTimeUs: number;
  /** Why the walk ended before the end of the file. */
  readonly problem: string | undefined;
}

/**
 * Walks the batches of a segment: magic, bounds, expected offset, epoch, checksum; stops at the
 * first that fails.
 */
export function scanSegment(plan: ScanPlan): Scan {
  const window = new FileWindow(plan.fd, plan.size);
  const index = new OffsetIndex();
  const times = new TimeIndex();
  let position = 0;
  let nextOffset = plan.baseOffset;
  let firstAppendTimeUs = Number.NEGATIVE_INFINITY;
  let lastAppendTimeUs = Number.NEGATIVE_INFINITY;
  let maxEventTimeUs = Number.NEGATIVE_INFINITY;
  let epoch = 0;
  let problem: string | undefined;
  while (position < plan.size) {
    const header = goodBatch(window, position, { ...plan, nextOffset, epoch });
    if (typeof header === "string") {
      problem = header;
      break;
    }
    const relative = header.baseOffset - plan.baseOffset;
    if (index.add(relative, position)) times.add(header.appendTimeUs, relative);
    if (position === 0) firstAppendTimeUs = header.appendTimeUs;
    position += header.totalBytes;
    nextOffset = header.baseOffset + header.count;
    epoch = header.writerEpoch;
    lastAppendTimeUs = header.appendTimeUs;
    maxEventTimeUs = Math.max(maxEventTimeUs, header.maxEventTimeUs);
  }
  const ends = { firstAppendTimeUs, lastAppendTimeUs, maxEventTimeUs };
  return { index, times, position, nextOffset, ...ends, problem };
}

interface Expected extends ScanPlan {
  readonly nextOffset: number;
  readonly epoch: number;
}

/** The header of the batch at `position`, or what is wrong with it. */
function goodBatch(window: FileWindow, position: number, expected: Expected): BatchHeader | string {
  const head = window.at(position, BATCH_HEADER_BYTES);
  if (head === undefined) return "a header that is cut off";
  const header = readBatchHeader(head, 0);
  if (typeof header === "string") return header;
  if (header.baseOffset !== expected.nextOffset) {
    return `base offset ${header.baseOffset} for ${expected.nextOffset}`;
  }
  const { writerEpoch, totalBytes } = header;
  if (writerEpoch < expected.epoch || writerEpoch > expected.maxEpoch) {
    return `writer epoch ${writerEpoch}`;
  }
  if (position + totalBytes > expected.size) return "a batch that is cut off";
  if (position + totalBytes <= expected.verifyFrom) return header;
  const whole = window.at(position, totalBytes);
  return whole !== undefined && checksumHolds(whole, 0, totalBytes) ? header : "a wrong checksum";
}

/**
 * Looks for good batches behind a bad one: then it was not a torn write (rule 3 of the log).
 *
 * @param position Where the bad batch begins.
 * @param expected The offset it should have had; only batches from there on count.
 * @returns End of the offsets of all such batches, or undefined when there is none.
 */
export function endOfLaterBatches(
  plan: ScanPlan,
  position: number,
  expected: number,
): number | undefined {
  const tail = Buffer.allocUnsafe(plan.size - position);
  const end = readFully(plan.fd, tail, position);
  // What lies between has at most this many records, so higher offsets are not ours.
  const highest = expected + Math.ceil(end / FRAME_HEADER_BYTES);
  let nextOffset: number | undefined;
  let at = 0;
  while (true) {
    at = tail.indexOf(BATCH_MAGIC_BYTES, at + 1);
    if (at === -1 || at + BATCH_HEADER_BYTES > end) return nextOffset;
    const header = readBatchHeader(tail, at);
    if (typeof header === "string" || at + header.totalBytes > end) continue;
    const plausible = header.baseOffset >= expected && header.baseOffset <= highest;
    if (!plausible || header.writerEpoch > plan.maxEpoch) continue;
    if (!checksumHolds(tail, at, header.totalBytes)) continue;
    nextOffset = Math.max(nextOffset ?? 0, header.baseOffset + header.count);
  }
}
