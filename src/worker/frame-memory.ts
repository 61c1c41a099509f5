import { bytesOf } from "../runtime/bytes-of.ts";

/** One piece of memory, shared or not, as bytes, 32-bit words and doubles: index 0 of each is its first byte. */
export interface FrameMemory {
  /** A `Buffer` where the runtime has one. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly floats: Float64Array;
}

/** Frames and fields of 8 bytes begin at multiples of 8. */
export function paddedTo8(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** Views of memory whose length is a multiple of 8. */
export function frameMemory(memory: ArrayBufferLike): FrameMemory {
  return {
    bytes: bytesOf(memory, 0, memory.byteLength),
    words: new Int32Array(memory),
    floats: new Float64Array(memory),
  };
}

/** New memory of this thread's own, at least so many bytes. */
export function privateMemory(byteLength: number): FrameMemory {
  return frameMemory(new ArrayBuffer(paddedTo8(byteLength)));
}
