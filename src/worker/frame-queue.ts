import { CapacityError } from "../errors.ts";
import { type FrameMemory, privateMemory } from "./frame-memory.ts";
import { PIECE_HEADER_BYTES } from "./ring-reader.ts";
import { PIECE_FLAG, type RingWriter } from "./ring-writer.ts";

/** Sent frames that the queue keeps before it moves the others up. */
const LOT = 64;

interface QueuedFrame {
  readonly kind: number;
  readonly bytes: Uint8Array;
  /** Bytes of it that are in the ring already. */
  sent: number;
}

/** Frames that wait for room in the ring, in the order in which they were committed. */
export class FrameQueue {
  readonly #ring: RingWriter;
  readonly #maxBytes: number;
  #frames: QueuedFrame[] = [];
  #first = 0;
  #piece: FrameMemory | null = null;
  /** Bytes of all of them that are not in the ring. */
  byteLength = 0;

  constructor(ring: RingWriter, maxBytes: number) {
    this.#ring = ring;
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#first === this.#frames.length;
  }

  /**
   * @param bytes Kept as they are.
   * @throws {CapacityError} When too much would wait.
   */
  add(kind: number, bytes: Uint8Array): void {
    if (this.byteLength + bytes.length > this.#maxBytes) {
      const rule = `at most ${this.#maxBytes} bytes wait for room in the ring`;
      const received = `${bytes.length} more than ${this.byteLength}`;
      throw new CapacityError(`Cannot send a frame as ${rule}: received ${received}`);
    }
    this.#frames.push({ kind, bytes, sent: 0 });
    this.byteLength += bytes.length;
  }

  /** Puts into the ring what it has room for. True when nothing waits any more. */
  drain(): boolean {
    while (this.#first < this.#frames.length) {
      if (!this.#send(this.#frames[this.#first]!)) return false;
      this.#first++;
      // Sent frames are let go in lots, so that a queue that never empties costs O(1) per frame all the same.
      if (this.#first >= LOT && this.#first * 2 >= this.#frames.length) this.#forgetSent();
    }
    this.#forgetSent();
    return true;
  }

  clear(): void {
    this.#frames = [];
    this.#first = 0;
    this.byteLength = 0;
  }

  #forgetSent(): void {
    this.#frames.splice(0, this.#first);
    this.#first = 0;
  }

  #send(frame: QueuedFrame): boolean {
    const { kind, bytes } = frame;
    if (bytes.length <= this.#ring.maxFrameBytes) {
      if (!this.#ring.place(kind, bytes)) return false;
      this.byteLength -= bytes.length;
      return true;
    }
    while (frame.sent < bytes.length) {
      const piece = this.#pieceOf(frame);
      if (!this.#ring.place(kind | PIECE_FLAG, piece)) return false;
      frame.sent += piece.length - PIECE_HEADER_BYTES;
      this.byteLength -= piece.length - PIECE_HEADER_BYTES;
    }
    return true;
  }

  /** The next piece of a frame that is longer than the ring takes. */
  #pieceOf({ bytes, sent }: QueuedFrame): Uint8Array {
    this.#piece ??= privateMemory(this.#ring.maxPieceBytes);
    const { bytes: piece, words } = this.#piece;
    const part = bytes.subarray(sent, sent + this.#ring.maxPieceBytes - PIECE_HEADER_BYTES);
    words[0] = bytes.length;
    words[1] = sent;
    piece.set(part, PIECE_HEADER_BYTES);
    return piece.subarray(0, PIECE_HEADER_BYTES + part.length);
  }
}
