/**
 * Two slots of one file, written in turn: a torn write loses at most itself.
 *
 * ```
 * slot:  0 u32 magic · 4 u32 CRC of bytes 8…end · 8 u32 body length · 12 u32 zero
 *       16 u64 sequence · 24 body
 * ```
 * The valid slot with the higher sequence counts; sequence n is written into slot n mod 2.
 */
import { Buffer } from "node:buffer";
import { crc32c } from "./crc32c.ts";
import { readU32, readU64, write64, writeU32 } from "./integers.ts";

const CRC_FROM = 8;
export const SLOT_HEADER_BYTES = 24;

/** What a slot holds. */
export interface Slot {
  readonly sequence: number;
  readonly body: Buffer;
}

export function encodeSlot(magic: number, { sequence, body }: Slot): Buffer {
  const bytes = Buffer.alloc(SLOT_HEADER_BYTES + body.length);
  writeU32(bytes, 0, magic);
  writeU32(bytes, 8, body.length);
  write64(bytes, 16, sequence);
  bytes.set(body, SLOT_HEADER_BYTES);
  writeU32(bytes, 4, crc32c(bytes, CRC_FROM));
  return bytes;
}

/** The newest valid slot of a file's bytes, or undefined when there is none. */
export function newestSlot(bytes: Buffer, slotBytes: number, magic: number): Slot | undefined {
  const first = decodeSlot(bytes.subarray(0, slotBytes), magic);
  const second = decodeSlot(bytes.subarray(slotBytes, 2 * slotBytes), magic);
  if (first === undefined || second === undefined) return first ?? second;
  return first.sequence > second.sequence ? first : second;
}

/** How the two slots of a file's bytes are: "empty" has never been written. */
export function slotStates(
  bytes: Buffer,
  slotBytes: number,
  magic: number,
): readonly ("empty" | "good" | "damaged")[] {
  return [0, slotBytes].map((at) => {
    const slot = bytes.subarray(at, at + slotBytes);
    if (decodeSlot(slot, magic) !== undefined) return "good";
    return slot.every((byte) => byte === 0) ? "empty" : "damaged";
  });
}

function decodeSlot(slot: Buffer, magic: number): Slot | undefined {
  if (slot.length < SLOT_HEADER_BYTES || readU32(slot, 0) !== magic) return undefined;
  const end = SLOT_HEADER_BYTES + readU32(slot, 8);
  if (end > slot.length || readU32(slot, 4) !== crc32c(slot, CRC_FROM, end)) return undefined;
  return { sequence: readU64(slot, 16), body: slot.subarray(SLOT_HEADER_BYTES, end) };
}
