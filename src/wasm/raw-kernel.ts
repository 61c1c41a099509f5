import { invariant } from "../invariant.ts";
import { emptyFrames, type Frames, readFramesTwin } from "./frames.ts";
import { KernelMemory } from "./memory.ts";
import { instantiateKernel, type KernelExports } from "./module.ts";

/** What the kernel's `frames` returns when every frame is good. */
const ALL_GOOD = 0xffffffff;
/** Bytes that are copied into the kernel at a time: few enough to stay in a processor's cache. */
const CHUNK_BYTES: number = 128 * 1024;

// Where copying frames into the kernel and reading them there beats reading them in place, as
// measured on Node, Bun and Deno.
const FRAMES_MIN_COUNT = 16;
const FRAMES_MAX_BYTES_PER_FRAME = 600;
const FRAMES_MAX_BYTES: number = 4 * 1024 * 1024;

/**
 * The kernel's work on raw bytes: checksums, and the frames of stored batches.
 *
 * Calls keep nothing, so one instance with a memory of its own serves the whole thread. Bytes are
 * copied into it, at some 50 bytes per nanosecond; a checksum takes 3 to 9.
 */
export class RawKernel {
  readonly #wasm: KernelExports;
  readonly #memory: KernelMemory;

  constructor(wasm: KernelExports) {
    this.#wasm = wasm;
    this.#memory = new KernelMemory(wasm.memory);
    this.#memory.reserveBytes(CHUNK_BYTES);
    wasm.makeTables();
  }

  /** CRC-32C of `bytes[start, end)`, unsigned. */
  crc32c(bytes: Uint8Array, start: number, end: number): number {
    const memory = this.#memory;
    let state = -1;
    for (let at = start; at < end; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, end - at);
      memory.bytes.set(view(bytes, at, length));
      state = this.#wasm.crc32c(memory.bytesAt, length, state);
    }
    return ~state >>> 0;
  }

  /** See {@link readFrames}. */
  frames(bytes: Uint8Array, frameCount: number, seed: number): Frames | number {
    const memory = this.#memory;
    memory.reserveRows(frameCount);
    memory.reserveBytes(bytes.length);
    memory.bytes.set(bytes);
    const { bytesAt } = memory;
    const bad = this.#wasm.frames(frameCount, bytesAt, bytes.length, seed) >>> 0;
    if (bad !== ALL_GOOD) return bad;
    return {
      positions: memory.groups.slice(0, frameCount),
      keyHashes: memory.hashes.slice(0, frameCount),
    };
  }
}

/** A plain view is made several times as fast as a view of a `Buffer`. */
function view(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
}

let shared: RawKernel | null | undefined;

/** The instance of this thread, made on first use; null where there is no WebAssembly. */
export function rawKernel(): RawKernel | null {
  if (shared === undefined) {
    const wasm = instantiateKernel();
    shared = wasm === null ? null : new RawKernel(wasm);
  }
  return shared;
}

/**
 * Reads the frames of stored batches, checks all their lengths, and hashes their keys in place. One
 * call into the kernel, or none where its twin is the cheaper one.
 *
 * @param bytes One or more whole batches.
 * @param engine `auto` chooses; the others are for tests and benches.
 * @returns Columns of one cell per frame, or the number of the first bad frame; a batch that is
 *   wrong as a whole, or bytes that are left over, count as the frame that would come next.
 * @example readFrames(batch.bytes, batch.count, PARTITION_KEY_SEED)
 */
export function readFrames(
  bytes: Uint8Array,
  frameCount: number,
  seed: number,
  engine: "auto" | "twin" | "wasm" = "auto",
): Frames | number {
  const small = frameCount < FRAMES_MIN_COUNT;
  const large = bytes.length > Math.min(frameCount * FRAMES_MAX_BYTES_PER_FRAME, FRAMES_MAX_BYTES);
  if (engine === "wasm" || (engine === "auto" && !small && !large)) {
    const kernel = rawKernel();
    if (kernel !== null) return kernel.frames(bytes, frameCount, seed);
    invariant(engine === "auto", "the kernel is there when asked for");
  }
  const frames = emptyFrames(frameCount);
  const bad = readFramesTwin(bytes, seed, frames);
  return bad === -1 ? frames : bad;
}
