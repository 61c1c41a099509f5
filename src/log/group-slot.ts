/**
 * One stored offset of a group and partition, as a file of two slots (slots.ts).
 *
 * ```
 * body:  0 u64 next offset · 8 u32 group generation · 12 u32 zero
 *       16 u32 metadata length · 20 u32 zero · 24 metadata, UTF-8
 * ```
 */
import { Buffer } from "node:buffer";
import { statSync } from "node:fs";
import { CorruptLogError } from "../errors.ts";
import { errorCode, readIfThere } from "./files.ts";
import { readU32, readU64, write64, writeU32 } from "./integers.ts";
import { encodeSlot, newestSlot, SLOT_HEADER_BYTES } from "./slots.ts";

/** "HRG1" as a little-endian word. */
export const GROUP_MAGIC = 0x31475248;
export const GROUP_SLOT_BYTES = 16_384;
const FIXED_BYTES = 24;
/** UTF-16 units, as Kafka counts; at most three bytes each, so a slot always has room. */
export const MAX_METADATA_LENGTH = 4096;

/** What a group stores for a partition. */
export interface GroupOffset {
  /** The next offset to read. */
  readonly offset: number;
  readonly metadata: string;
  readonly generation: number;
}

/** The same as found on disk. */
export interface FoundOffset {
  /** Counts what was stored. */
  readonly sequence: number;
  readonly value: GroupOffset;
  /** When it was stored, in milliseconds since the epoch. */
  readonly storedMs: number;
}

/** Name of a partition's file in the group's directory. */
export function offsetFile(partition: number): string {
  return `${partition}.offset`;
}

/** The partition that a file of a group is about; undefined for any other file. */
export function offsetFilePartition(name: string): number | undefined {
  const digits = /^(\d+)\.offset$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The bytes of one slot, and where in the file they go. */
export function encodeOffset(sequence: number, value: GroupOffset): { bytes: Buffer; at: number } {
  const metadata = Buffer.from(value.metadata);
  const body = Buffer.alloc(FIXED_BYTES + metadata.length);
  write64(body, 0, value.offset);
  writeU32(body, 8, value.generation);
  writeU32(body, 16, metadata.length);
  body.set(metadata, FIXED_BYTES);
  const bytes = encodeSlot(GROUP_MAGIC, { sequence, body });
  return { bytes, at: (sequence % 2) * GROUP_SLOT_BYTES };
}

/**
 * The newest intact slot of a file, or undefined when there is no file.
 *
 * Safe while another process writes: it writes into the other slot.
 *
 * @throws {CorruptLogError} When both slots are damaged.
 */
export function readOffset(path: string): FoundOffset | undefined {
  const bytes = readIfThere(path);
  // An empty file was never written.
  if (bytes === undefined || bytes.every((byte) => byte === 0)) return undefined;
  const slot = newestSlot(bytes, GROUP_SLOT_BYTES, GROUP_MAGIC);
  const value = slot && decode(slot.body);
  if (value === undefined) {
    // "No offset" would let a group that starts at the end skip messages.
    throw new CorruptLogError(
      `Cannot read a group's offset as one slot must be intact: received none in ${path}`,
    );
  }
  return { sequence: slot!.sequence, value, storedMs: changedMs(path) };
}

function decode(body: Buffer): GroupOffset | undefined {
  if (body.length < FIXED_BYTES || body.length > GROUP_SLOT_BYTES - SLOT_HEADER_BYTES)
    return undefined;
  const end = FIXED_BYTES + readU32(body, 16);
  if (end !== body.length) return undefined;
  return {
    offset: readU64(body, 0),
    metadata: body.toString("utf8", FIXED_BYTES, end),
    generation: readU32(body, 8),
  };
}

function changedMs(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch (error) {
    // Removed since it was read: as old as can be.
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
}
