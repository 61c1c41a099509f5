import { Buffer } from "node:buffer";
import { readFully } from "./files.ts";
import { BATCH_HEADER_BYTES, type BatchHeader, readBatchHeader } from "./format.ts";
import { corruptAt } from "./read-batches.ts";

/** Read at once while headers are walked. */
const WALK_BYTES: number = 64 * 1024;

/** Where headers are walked. */
export interface WalkedFile {
  readonly fd: number;
  readonly path: string;
  /** End of the last batch that counts. */
  readonly size: number;
}

/**
 * Shows the headers of a segment from a batch's position on, as long as `visit` asks for more.
 * Bodies are not looked at.
 *
 * @throws {CorruptLogError} When a header is damaged.
 */
export function walkHeaders(
  file: WalkedFile,
  from: number,
  visit: (header: BatchHeader, position: number) => boolean,
): void {
  let chunk: Buffer = Buffer.alloc(0);
  let start = from;
  for (let position = from; position < file.size; ) {
    if (position + BATCH_HEADER_BYTES > start + chunk.length) {
      start = position;
      chunk = chunkAt(file, position);
    }
    const header = readBatchHeader(chunk, position - start);
    if (typeof header === "string") throw corruptAt(file.path, position, header);
    if (!visit(header, position)) return;
    position += header.totalBytes;
  }
}

/**
 * Position of the batch that holds the offset, from `from` on.
 *
 * @throws {CorruptLogError} When none does.
 */
export function findOffset(file: WalkedFile, from: number, offset: number): number {
  let found = -1;
  walkHeaders(file, from, ({ baseOffset, count }, position) => {
    if (baseOffset > offset) {
      throw corruptAt(file.path, position, `offset ${baseOffset} for ${offset}`);
    }
    if (baseOffset + count > offset) found = position;
    return found === -1;
  });
  if (found === -1) throw corruptAt(file.path, file.size, `no batch with offset ${offset}`);
  return found;
}

/**
 * Base offset of the first batch from `from` on whose append time is at or after `timeUs`, or
 * undefined when there is none.
 */
export function findTime(file: WalkedFile, from: number, timeUs: number): number | undefined {
  let found: number | undefined;
  walkHeaders(file, from, ({ appendTimeUs, baseOffset }) => {
    if (appendTimeUs >= timeUs) found = baseOffset;
    return found === undefined;
  });
  return found;
}

function chunkAt({ fd, path, size }: WalkedFile, position: number): Buffer {
  const chunk = Buffer.allocUnsafe(Math.min(WALK_BYTES, size - position));
  const got = readFully(fd, chunk, position);
  if (got < BATCH_HEADER_BYTES) throw corruptAt(path, position + got, "the end of the file");
  return chunk.subarray(0, got);
}
