/**
 * Snappy as Kafka's clients write it: blocks in the frames of snappy-java (SnappyOutputStream), not Google's.
 *
 * ```
 * 82 "SNAPPY" 00 | version u32 BE = 1 | oldest reader u32 BE = 1 | { length u32 BE | block }*
 * ```
 */
import { Buffer } from "node:buffer";

/** Compresses or inflates one block. */
type Block = (bytes: Buffer) => Buffer;

const MAGIC: Buffer = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const HEADER_BYTES = 16;
const VERSION = 1;
const LENGTH_BYTES = 4;
/** What snappy-java uses; readers may keep a buffer of that size. */
const BLOCK_BYTES: number = 32 * 1024;

/** Compresses block by block. */
export function compressSnappy(bytes: Buffer, compressBlock: Block): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32BE(VERSION, MAGIC.length);
  header.writeUInt32BE(VERSION, MAGIC.length + LENGTH_BYTES);
  const parts: Buffer[] = [header];
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const block = compressBlock(bytes.subarray(start, start + BLOCK_BYTES));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/**
 * Inflates framed blocks, or one block without a frame, which some clients write.
 *
 * @throws {RangeError} When a frame is cut off; and what `inflateBlock` throws.
 */
export function inflateSnappy(bytes: Buffer, inflateBlock: Block): Buffer {
  const framed = bytes.subarray(0, MAGIC.length).equals(MAGIC);
  if (!framed) return inflateBlock(bytes);
  const parts: Buffer[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const start = at + LENGTH_BYTES;
    const end = start <= bytes.length ? start + bytes.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) {
      const received = `${bytes.length - at} bytes`;
      throw new RangeError(`Cannot inflate as a snappy block must be whole: received ${received}`);
    }
    parts.push(inflateBlock(bytes.subarray(start, end)));
    at = end;
  }
  return Buffer.concat(parts);
}
