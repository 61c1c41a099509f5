import { invariant } from "../invariant.ts";
import { type FrameMemory, paddedTo8, privateMemory } from "./frame-memory.ts";

/** A byte order mark is text like any other here. */
const decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads the fields of one frame in the order in which they were written.
 *
 * @throws {InvariantError} From every method, when the frame has no such field left: the two sides disagree.
 */
export class FrameReader {
  /** What the frame is. */
  kind = 0;
  #memory: FrameMemory;
  #at = 0;
  #end = 0;
  #own = false;

  constructor() {
    this.#memory = privateMemory(0);
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  i32(): number {
    const at = this.#advance(4);
    return this.#memory.words[at >> 2]!;
  }

  f64(): number {
    this.#at = paddedTo8(this.#at);
    const at = this.#advance(8);
    return this.#memory.floats[at >> 3]!;
  }

  text(): string {
    return decoder.decode(this.bytes());
  }

  optionalText(): string | null {
    if (this.#memory.words[this.#at >> 2] !== -1) return this.text();
    this.#advance(4);
    return null;
  }

  /** The bytes in place: gone when the frame is. */
  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.#advance(length);
    return this.#memory.bytes.subarray(at, at + length);
  }

  /**
   * What was written into `room()`, as memory that stays valid after the frame: the frame's own where it has some, a
   * copy otherwise. It begins at a multiple of 8.
   */
  take(byteLength: number): { memory: FrameMemory; start: number } {
    this.#at = paddedTo8(this.#at);
    const at = this.#advance(byteLength);
    if (this.#own) return { memory: this.#memory, start: at };
    const memory = privateMemory(byteLength);
    memory.bytes.set(this.#memory.bytes.subarray(at, at + byteLength));
    return { memory, start: 0 };
  }

  /** Bytes not read yet, padding of the last field included. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** The memory that the frame lies in. For the channel and its codecs. */
  get memory(): FrameMemory {
    return this.#memory;
  }

  /**
   * Shows a frame. For the channel.
   *
   * @param own The memory is the frame's alone, and stays as it is.
   */
  show(kind: number, memory: FrameMemory, start: number, end: number, own: boolean): void {
    this.kind = kind;
    this.#memory = memory;
    this.#at = start;
    this.#end = end;
    this.#own = own;
  }

  #advance(byteLength: number): number {
    const at = this.#at;
    const end = at + ((byteLength + 3) & ~3);
    invariant(end <= this.#end, "both sides of a channel know the same fields");
    this.#at = end;
    return at;
  }
}
