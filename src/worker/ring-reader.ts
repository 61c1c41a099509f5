import { invariant } from "../invariant.ts";
import { type FrameMemory, paddedTo8, privateMemory } from "./frame-memory.ts";
import type { FrameReader } from "./frame-reader.ts";
import {
  FRAME_HEADER_BYTES,
  KIND_MASK,
  PADDING_FLAG,
  PIECE_FLAG,
  type RingPlace,
} from "./ring-writer.ts";

/** Before each piece of a frame: the length of the whole, then the place of the piece in it. */
export const PIECE_HEADER_BYTES = 8;

/** The reading side of one ring: the only one that moves its tail. */
export class RingReader {
  readonly #memory: FrameMemory;
  readonly #start: number;
  readonly #capacity: number;
  readonly #headWord: number;
  readonly #tailWord: number;
  /** Bytes read since the channel was made, modulo 2³² and signed, as words are. */
  #tail: number;
  #released: number;
  /** Where the writer was when we last looked. */
  #head: number;
  /** A frame whose pieces are still coming. */
  #pieces: FrameMemory | null = null;
  #piecesEnd = 0;

  constructor({ memory, start, capacity, headWord, tailWord }: RingPlace) {
    this.#memory = memory;
    this.#start = start;
    this.#capacity = capacity;
    this.#headWord = headWord;
    this.#tailWord = tailWord;
    this.#tail = memory.words[tailWord]!;
    this.#released = this.#tail;
    this.#head = this.#tail;
  }

  /** Whether frames are there that were not read: looks where the writer is. */
  look(): boolean {
    this.#head = Atomics.load(this.#memory.words, this.#headWord);
    return this.#head !== this.#tail;
  }

  /** Read, and not given back to the writer: a good part of the ring. */
  get holdsMuch(): boolean {
    return ((this.#tail - this.#released) | 0) >= this.#capacity >> 2;
  }

  /** Shows the next frame, up to where the writer was at the last look. False when there is none. */
  next(frame: FrameReader): boolean {
    while (this.#head !== this.#tail) {
      const at = this.#start + (this.#tail & (this.#capacity - 1));
      const length = this.#memory.words[at >> 2]!;
      const kind = this.#memory.words[(at >> 2) + 1]!;
      const end = at + FRAME_HEADER_BYTES + paddedTo8(length);
      const ahead = (this.#head - this.#tail) | 0;
      const fits = length >= 0 && end - at <= ahead && end <= this.#start + this.#capacity;
      invariant(fits, "a frame lies between tail and head of its ring");
      this.#tail = (this.#tail + end - at) | 0;
      if (kind & PADDING_FLAG) continue;
      const body = at + FRAME_HEADER_BYTES;
      if (kind & PIECE_FLAG) {
        if (this.#join(kind & KIND_MASK, body, length, frame)) return true;
        continue;
      }
      frame.show(kind, this.#memory, body, body + paddedTo8(length), false);
      return true;
    }
    return false;
  }

  /** Gives what was read back to the writer. False when there was nothing. */
  release(): boolean {
    if (this.#tail === this.#released) return false;
    Atomics.store(this.#memory.words, this.#tailWord, this.#tail);
    this.#released = this.#tail;
    return true;
  }

  /** Adds a piece; true when the frame is whole. */
  #join(kind: number, body: number, length: number, frame: FrameReader): boolean {
    const whole = this.#memory.words[body >> 2]!;
    const place = this.#memory.words[(body >> 2) + 1]!;
    if (place === 0) {
      this.#pieces = privateMemory(whole);
      this.#piecesEnd = 0;
    }
    const pieces = this.#pieces;
    invariant(pieces !== null && place === this.#piecesEnd, "pieces of a frame come in order");
    const from = body + PIECE_HEADER_BYTES;
    pieces.bytes.set(this.#memory.bytes.subarray(from, body + length), place);
    this.#piecesEnd = place + length - PIECE_HEADER_BYTES;
    if (this.#piecesEnd < whole) return false;
    this.#pieces = null;
    frame.show(kind, pieces, 0, pieces.bytes.length, true);
    return true;
  }
}
