import { CorruptLogError } from "../errors.ts";
import {
  type DeduplicationLimits,
  type DeduplicationWindow,
  idText,
} from "./deduplication-window.ts";
import { BATCH_HEADER_BYTES, FRAME_HEADER_BYTES, readBatchHeader } from "./format.ts";
import { readU32 } from "./integers.ts";
import type { StoredBatch } from "./read-batches.ts";

/** Records that one step back takes at least. */
const STEP_RECORDS = 4096;
const READ_BYTES: number = 1 << 20;
const ID_AT = 16;
const ID_BYTES = 16;

/** The part of a partition that is read. */
export interface ReadableLog {
  readonly logStart: number;
  readonly logEnd: number;
  read(offset: number, maxBytes: number): readonly StoredBatch[];
}

interface FoundId {
  readonly id: string;
  readonly offset: number;
  readonly timeUs: number;
}

interface Step {
  /** Where the step begins, and when that was appended; there may be holes in the log. */
  readonly baseOffset: number;
  readonly timeUs: number;
  readonly ids: readonly FoundId[];
}

/**
 * Fills a new window with the ids of the log, so that it outlives the process. Reads backwards from
 * the log's end until the window is full or what is read is too old.
 *
 * @param nowUs No append will have an earlier time.
 * @param tolerant true: ids at and before a damaged batch are given up.
 * @throws {CorruptLogError} When a batch is damaged, unless `tolerant`.
 */
export function restoreWindow(
  window: DeduplicationWindow,
  { maxEntries, ttlMs }: DeduplicationLimits,
  log: ReadableLog,
  nowUs: number,
  tolerant: boolean,
): void {
  const oldestUs = nowUs - ttlMs * 1000;
  const steps: Step[] = [];
  let known = 0;
  let stepRecords = STEP_RECORDS;
  for (let end = log.logEnd; end > log.logStart && known < maxEntries; ) {
    const from = Math.max(log.logStart, end - stepRecords);
    let step: Step;
    try {
      step = readStep(log, from, end, oldestUs);
    } catch (error) {
      if (!tolerant || !(error instanceof CorruptLogError)) throw error;
      // Shorter steps, until only what is damaged is before them.
      if (end - from === 1) break;
      stepRecords = Math.ceil((end - from) / 2);
      continue;
    }
    steps.push(step);
    known += step.ids.length;
    if (step.timeUs <= oldestUs) break;
    end = step.baseOffset;
  }
  for (const { ids } of steps.reverse()) {
    for (const { id, offset, timeUs } of ids) window.restore(id, offset, timeUs);
  }
}

/** Whole batches, from the one that holds `from` up to `end`. */
function readStep(log: ReadableLog, from: number, end: number, oldestUs: number): Step {
  const ids: FoundId[] = [];
  let first = { baseOffset: from, timeUs: Number.POSITIVE_INFINITY };
  for (let at = from; at < end; ) {
    for (const batch of log.read(at, READ_BYTES)) {
      at = batch.baseOffset + batch.count;
      if (batch.baseOffset >= end) break;
      const timeUs = appendTimeUs(batch);
      if (timeUs < first.timeUs) first = { baseOffset: batch.baseOffset, timeUs };
      if (timeUs > oldestUs) collectIds(batch, timeUs, ids);
    }
  }
  return { ...first, ids };
}

function appendTimeUs({ bytes, baseOffset }: StoredBatch): number {
  const header = readBatchHeader(bytes, 0);
  if (typeof header !== "string") return header.appendTimeUs;
  throw unreadable(baseOffset, header);
}

function collectIds(
  { bytes, baseOffset, count }: StoredBatch,
  timeUs: number,
  ids: FoundId[],
): void {
  let at = BATCH_HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    const length = at + FRAME_HEADER_BYTES <= bytes.length ? readU32(bytes, at) : 0;
    if (length < FRAME_HEADER_BYTES) throw unreadable(baseOffset, `frame ${index}`);
    const id = idText(bytes.subarray(at + ID_AT, at + ID_AT + ID_BYTES));
    if (id !== null) ids.push({ id, offset: baseOffset + index, timeUs });
    at += length;
  }
}

function unreadable(baseOffset: number, received: string): CorruptLogError {
  return new CorruptLogError(
    "Cannot restore the deduplication window as every batch must be intact: " +
      `received ${received} in the batch at offset ${baseOffset}`,
  );
}
