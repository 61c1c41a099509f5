import { Buffer } from "node:buffer";
import { CorruptLogError, LogError } from "../errors.ts";
import { errorCode, readFully } from "./files.ts";
import { BATCH_HEADER_BYTES, checksumHolds, readBatchHeader } from "./format.ts";
import type { OffsetIndex } from "./offset-index.ts";

/** One batch as stored, checksum verified unless the option `verify` says otherwise. */
export interface StoredBatch {
  readonly baseOffset: number;
  readonly count: number;
  /** The whole batch, header included. */
  readonly bytes: Buffer;
}

/** The readable part of a segment. */
export interface SegmentView {
  readonly fd: number;
  readonly path: string;
  readonly baseOffset: number;
  readonly size: number;
  /** Knows where to look for an offset. */
  readonly index: Pick<OffsetIndex, "floor">;
  /** Memory to read into, where it is large enough; without it each read makes its own. */
  readonly into?: Buffer | undefined;
}

/** Names file and position of damage, for whoever has to look at it. */
export function corruptAt(path: string, position: number, received: string): CorruptLogError {
  return new CorruptLogError(
    "Cannot use the log as every batch must be intact: " +
      `received ${received} at position ${position} of ${path}`,
  );
}

/** What reading outside the log gives. */
export function outOfRange(offset: number, logStart: number, logEnd: number): LogError {
  return new LogError(
    `Cannot read as the offset must be from ${logStart} to ${logEnd}: received ${offset}`,
    { code: "HEADRACE_OUT_OF_RANGE" },
  );
}

/** True for that error. */
export function isOutOfRange(error: unknown): boolean {
  return errorCode(error) === "HEADRACE_OUT_OF_RANGE";
}

/**
 * Reads the batch that holds `offset` and those behind it, as many as fit.
 *
 * @param maxBytes One batch is always read, whatever its size.
 * @param verify false leaves checksums alone; lengths and offsets are checked in any case.
 * @throws {CorruptLogError} When the first batch is damaged; those before damage are given.
 */
export function readBatches(
  segment: SegmentView,
  offset: number,
  maxBytes: number,
  verify = true,
): StoredBatch[] {
  const batches: StoredBatch[] = [];
  try {
    collectBatches(segment, { offset, maxBytes, verify }, batches);
  } catch (error) {
    if (batches.length === 0 || !(error instanceof CorruptLogError)) throw error;
    // The next read begins at the damage, and tells it.
  }
  return batches;
}

function collectBatches(
  segment: SegmentView,
  { offset, maxBytes, verify }: { offset: number; maxBytes: number; verify: boolean },
  batches: StoredBatch[],
): void {
  let position = segment.index.floor(offset - segment.baseOffset);
  let chunk = readChunk(segment, position, maxBytes);
  let expected = offset;
  for (let at = 0; position + at < segment.size; ) {
    if (at + BATCH_HEADER_BYTES > chunk.length) {
      if (batches.length > 0) break;
      position += at;
      at = 0;
      chunk = readChunk(segment, position, Math.max(maxBytes, BATCH_HEADER_BYTES));
    }
    const header = readBatchHeader(chunk, at);
    if (typeof header === "string") throw corruptAt(segment.path, position + at, header);
    const { totalBytes, baseOffset, count } = header;
    if (position + at + totalBytes > segment.size) {
      throw corruptAt(segment.path, position + at, "a batch that ends behind the log");
    }
    if (baseOffset + count <= offset) {
      at += totalBytes;
      continue;
    }
    if (baseOffset > expected) {
      throw corruptAt(segment.path, position + at, `offset ${baseOffset} for ${expected}`);
    }
    if (at + totalBytes > chunk.length) {
      if (batches.length > 0) break;
      position += at;
      chunk = readChunk(segment, position, totalBytes, chunk.subarray(at));
      at = 0;
    }
    if (verify && !checksumHolds(chunk, at, totalBytes)) {
      throw corruptAt(segment.path, position + at, "a wrong checksum");
    }
    batches.push({ baseOffset, count, bytes: chunk.subarray(at, at + totalBytes) });
    at += totalBytes;
    expected = baseOffset + count;
  }
}

/** @param known Bytes at the position that are there already: they are not read again. */
function readChunk(
  segment: SegmentView,
  position: number,
  maxBytes: number,
  known: Buffer = Buffer.alloc(0),
): Buffer {
  const wanted = Math.min(maxBytes, segment.size - position);
  const { into } = segment;
  const fits = into !== undefined && wanted <= into.length && into.buffer !== known.buffer;
  const bytes = fits ? into.subarray(0, wanted) : Buffer.allocUnsafe(wanted);
  const from = known.copy(bytes);
  const got = from + readFully(segment.fd, bytes.subarray(from), position + from);
  if (got < bytes.length) {
    throw corruptAt(segment.path, position + got, "the end of the file");
  }
  return bytes;
}
