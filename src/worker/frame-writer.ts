import { invariant } from "../invariant.ts";
import { type FrameMemory, paddedTo8, privateMemory } from "./frame-memory.ts";

const encoder: TextEncoder = new TextEncoder();
/** UTF-8 bytes per UTF-16 unit, at most. */
const MAX_BYTES_PER_UNIT = 3;
const MIN_PRIVATE_BYTES = 1024;
/** Memory above it is not kept for the next frame. */
const MAX_KEPT_BYTES: number = 64 * 1024;

/**
 * Writes the fields of one frame, one behind the other; the reader asks for the same fields in the same order.
 *
 * It writes where the frame will be read, and moves to memory of its own when the frame outgrows the room there.
 */
export class FrameWriter {
  #memory: FrameMemory;
  #start = 0;
  #at = 0;
  #limit = 0;
  /** Kept from frame to frame. */
  #spare: FrameMemory = privateMemory(MIN_PRIVATE_BYTES);

  constructor() {
    this.#memory = this.#spare;
  }

  /** An integer, −2³¹…2³² − 1; the reader chooses how to read it. */
  u32(value: number): void {
    const at = this.#advance(4);
    this.#memory.words[at >> 2] = value;
  }

  f64(value: number): void {
    this.#at = paddedTo8(this.#at);
    const at = this.#advance(8);
    this.#memory.floats[at >> 3] = value;
  }

  /** Text as UTF-8; a lone surrogate becomes U+FFFD. */
  text(value: string): void {
    this.#reserve(4 + value.length * MAX_BYTES_PER_UNIT + 3);
    const at = this.#at;
    const { bytes, words } = this.#memory;
    const { written } = encoder.encodeInto(value, bytes.subarray(at + 4));
    words[at >> 2] = written;
    this.#at = at + 4 + ((written + 3) & ~3);
  }

  optionalText(value: string | null): void {
    if (value === null) this.u32(-1);
    else this.text(value);
  }

  /** A copy of the bytes. */
  bytes(value: Uint8Array): void {
    const at = this.#advance(4 + ((value.length + 3) & ~3));
    this.#memory.words[at >> 2] = value.length;
    this.#memory.bytes.set(value, at + 4);
  }

  /**
   * Room for bytes that the caller writes, from a multiple of 8 on.
   *
   * @returns Where; the memory is that of {@link memory} until the next field is written.
   */
  room(byteLength: number): number {
    this.#at = paddedTo8(this.#at);
    return this.#advance(byteLength);
  }

  /** Where the frame is being written. For the channel and its codecs. */
  get memory(): FrameMemory {
    return this.#memory;
  }
  get start(): number {
    return this.#start;
  }
  get byteLength(): number {
    return this.#at - this.#start;
  }
  /** It has outgrown its place: the bytes lie in memory of the writer's own, from 0 on. */
  get moved(): boolean {
    return this.#memory === this.#spare;
  }

  /** Begins a frame at a multiple of 8. For the channel. */
  begin(memory: FrameMemory, start: number, limit: number): void {
    this.#memory = memory;
    this.#start = start;
    this.#at = start;
    this.#limit = limit;
  }

  /** Begins a frame that has no place yet. For the channel. */
  beginMoved(): void {
    this.begin(this.#spare, 0, this.#spare.bytes.length);
  }

  /** The bytes of a frame that has moved, as memory that the writer does not touch again. */
  takeMoved(): Uint8Array {
    const { byteLength } = this;
    const frame = this.#spare.bytes.subarray(0, byteLength);
    if (byteLength <= MAX_KEPT_BYTES) return Uint8Array.from(frame);
    this.#spare = privateMemory(MIN_PRIVATE_BYTES);
    return frame;
  }

  #advance(byteLength: number): number {
    this.#reserve(byteLength);
    const at = this.#at;
    this.#at = (at + byteLength + 3) & ~3;
    return at;
  }

  #reserve(byteLength: number): void {
    if (this.#at + byteLength > this.#limit) this.#move(byteLength);
  }

  #move(byteLength: number): void {
    const from = this.#memory;
    const length = this.#at - this.#start;
    const needed = length + byteLength + 8;
    if (this.#spare.bytes.length < needed) this.#spare = privateMemory(needed * 2);
    invariant(from !== this.#spare, "a frame that moves gets other memory");
    this.#spare.bytes.set(from.bytes.subarray(this.#start, this.#at), 0);
    this.#memory = this.#spare;
    this.#start = 0;
    this.#at = length;
    this.#limit = this.#spare.bytes.length;
  }
}
