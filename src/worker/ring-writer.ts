import { type FrameMemory, paddedTo8 } from "./frame-memory.ts";
import type { FrameWriter } from "./frame-writer.ts";

/** Before each frame: its length in bytes, then its kind and flags. */
export const FRAME_HEADER_BYTES = 8;
/** Low bits of the second word of a frame: what the two sides call it. */
export const KIND_MASK = 0xffff;
/** No frame: the rest of the ring up to its end. */
export const PADDING_FLAG: number = 1 << 16;
/** A piece of a frame, which begins with the length of the whole and the place in it. */
export const PIECE_FLAG: number = 1 << 17;

/** So much is shown at once: both sides work at the same time then. Half of it costs more wake-ups than it gains. */
const SHOW_BYTES = 4096;

/** Where a ring is, for both of its sides. */
export interface RingPlace {
  readonly memory: FrameMemory;
  /** In bytes, as the capacity is: a power of two. */
  readonly start: number;
  readonly capacity: number;
  /** Index of the writer's word, and of the reader's. */
  readonly headWord: number;
  readonly tailWord: number;
}

/** The writing side of one ring: the only one that moves its head. */
export class RingWriter {
  readonly #memory: FrameMemory;
  readonly #start: number;
  readonly #capacity: number;
  readonly #showBytes: number;
  readonly #headWord: number;
  readonly #tailWord: number;
  /** Bytes written since the channel was made, modulo 2³² and signed, as words are. */
  #head: number;
  #shown: number;
  /** What the reader was done with when we last looked. */
  #tail: number;

  constructor({ memory, start, capacity, headWord, tailWord }: RingPlace) {
    this.#memory = memory;
    this.#start = start;
    this.#capacity = capacity;
    this.#showBytes = Math.min(SHOW_BYTES, capacity >> 2);
    this.#headWord = headWord;
    this.#tailWord = tailWord;
    this.#head = memory.words[headWord]!;
    this.#shown = this.#head;
    this.#tail = memory.words[tailWord]!;
  }

  /** Longest frame that `place()` takes: with the padding before it, it fits into an empty ring. */
  get maxFrameBytes(): number {
    return this.#capacity / 2 - FRAME_HEADER_BYTES;
  }

  /** Longest piece of a longer frame: small enough that the reader takes one while the next is written. */
  get maxPieceBytes(): number {
    return Math.max(2 * FRAME_HEADER_BYTES, this.#capacity / 4 - FRAME_HEADER_BYTES);
  }

  /** Enough is written that the reader should begin with it, instead of waiting for the rest of the batch. */
  get hidesMuch(): boolean {
    return ((this.#head - this.#shown) | 0) >= this.#showBytes;
  }

  /** Lets a frame be written in place, as far as the room there goes. */
  begin(writer: FrameWriter): void {
    const position = this.#head & (this.#capacity - 1);
    const toEnd = this.#capacity - position;
    if (this.#free() < Math.min(toEnd, this.#capacity >> 2)) this.look();
    const room = Math.min(toEnd, this.#free());
    if (room <= FRAME_HEADER_BYTES) writer.beginMoved();
    else {
      const at = this.#start + position;
      writer.begin(this.#memory, at + FRAME_HEADER_BYTES, at + room);
    }
  }

  /** The frame is complete: `byteLength` bytes, written where `begin()` said. */
  commit(kind: number, byteLength: number): void {
    this.#putHeader(byteLength, kind);
    this.#head = (this.#head + FRAME_HEADER_BYTES + paddedTo8(byteLength)) | 0;
  }

  /**
   * Copies a frame into the ring, around its end if need be.
   *
   * @param kind With flags.
   * @returns false when there is no room now.
   */
  place(kind: number, bytes: Uint8Array): boolean {
    const needed = FRAME_HEADER_BYTES + paddedTo8(bytes.length);
    const toEnd = this.#capacity - (this.#head & (this.#capacity - 1));
    const skipped = needed <= toEnd ? 0 : toEnd;
    if (this.#free() < skipped + needed) {
      this.look();
      if (this.#free() < skipped + needed) return false;
    }
    if (skipped > 0) {
      this.#putHeader(skipped - FRAME_HEADER_BYTES, PADDING_FLAG);
      this.#head = (this.#head + skipped) | 0;
    }
    const at = this.#start + (this.#head & (this.#capacity - 1)) + FRAME_HEADER_BYTES;
    this.#memory.bytes.set(bytes, at);
    this.commit(kind, bytes.length);
    return true;
  }

  /** Looks where the reader is; true when it has moved since the last look. */
  look(): boolean {
    const tail = Atomics.load(this.#memory.words, this.#tailWord);
    const moved = tail !== this.#tail;
    this.#tail = tail;
    return moved;
  }

  /** Shows what was written: the bytes first, then the head. False when there was nothing to show. */
  publish(): boolean {
    if (this.#head === this.#shown) return false;
    Atomics.store(this.#memory.words, this.#headWord, this.#head);
    this.#shown = this.#head;
    return true;
  }

  #free(): number {
    return this.#capacity - ((this.#head - this.#tail) | 0);
  }

  #putHeader(byteLength: number, kind: number): void {
    const at = (this.#start + (this.#head & (this.#capacity - 1))) >> 2;
    this.#memory.words[at] = byteLength;
    this.#memory.words[at + 1] = kind;
  }
}
