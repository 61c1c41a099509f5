/**
 * How far a partition is written and synced, in two 64-byte slots (slots.ts).
 *
 * ```
 * body:  0 u64 base offset of the active segment · 8 u64 written position · 16 u64 synced position
 *       24 u64 next offset · 32 u64 log start
 * ```
 */
import { Buffer } from "node:buffer";
import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { readIfThere, writeFully } from "./files.ts";
import { readU64, write64 } from "./integers.ts";
import { encodeSlot, newestSlot } from "./slots.ts";

/** "HRH1" as a little-endian word. */
export const HEAD_MAGIC = 0x31485248;
export const HEAD_SLOT_BYTES = 64;
const BODY_BYTES = 40;

/** Positions are in the active segment's file. */
export interface HeadState {
  readonly activeBase: number;
  readonly writtenBytes: number;
  readonly syncedBytes: number;
  readonly nextOffset: number;
  readonly logStart: number;
}

/** A state as found on disk. */
export interface FoundHead {
  /** Raised with each write. */
  readonly sequence: number;
  readonly state: HeadState;
}

/** The newest state of a `head` file, or undefined when there is none. Reads only. */
export function readHead(path: string): FoundHead | undefined {
  const bytes = readIfThere(path);
  const slot = bytes && newestSlot(bytes, HEAD_SLOT_BYTES, HEAD_MAGIC);
  if (slot?.body.length !== BODY_BYTES) return undefined;
  return { sequence: slot.sequence, state: decode(slot.body) };
}

/** The `head` file of one partition, open for writing. */
export class HeadFile {
  readonly #fd: number;
  #sequence: number;
  /** What the file said when it was opened; undefined for a new or torn one. */
  readonly found: HeadState | undefined;

  constructor(path: string) {
    const bytes = readIfThere(path);
    const slot = bytes && newestSlot(bytes, HEAD_SLOT_BYTES, HEAD_MAGIC);
    this.found = slot && slot.body.length === BODY_BYTES ? decode(slot.body) : undefined;
    this.#sequence = slot?.sequence ?? 0;
    this.#fd = openSync(path, bytes === undefined ? "w+" : "r+");
  }

  write(state: HeadState): void {
    const body = Buffer.alloc(BODY_BYTES);
    write64(body, 0, state.activeBase);
    write64(body, 8, state.writtenBytes);
    write64(body, 16, state.syncedBytes);
    write64(body, 24, state.nextOffset);
    write64(body, 32, state.logStart);
    const sequence = this.#sequence + 1;
    const at = (sequence % 2) * HEAD_SLOT_BYTES;
    writeFully(this.#fd, encodeSlot(HEAD_MAGIC, { sequence, body }), at);
    this.#sequence = sequence;
  }

  /** Makes what was written durable before it returns. */
  sync(): void {
    fdatasyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function decode(body: Buffer): HeadState {
  return {
    activeBase: readU64(body, 0),
    writtenBytes: readU64(body, 8),
    syncedBytes: readU64(body, 16),
    nextOffset: readU64(body, 24),
    logStart: readU64(body, 32),
  };
}
