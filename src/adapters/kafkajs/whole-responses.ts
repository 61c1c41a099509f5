import { Buffer } from "node:buffer";
import type { OnReadOpts, Socket } from "node:net";

/** Kafka says the length of a response before it: a big-endian unsigned int32. */
const SIZE_BYTES = 4;
/** Memory of a connection at first; it doubles until the largest response fits. */
const FIRST_BYTES: number = 64 * 1024;
/** Up to here a response is given as a buffer of its own. */
const SMALL_BYTES: number = 64 * 1024;

/** `net.connect`'s option of that name: where a socket reads to, and whom it tells. */
export type OnRead = OnReadOpts;

/**
 * Gathers what a connection receives and gives kafkajs whole responses only; one that is cut off is dropped.
 *
 * kafkajs 2.2 keeps what it has read of a response when the connection ends, takes the first bytes of the next
 * connection for the rest of it, and never finds the beginning of a response again: a broker that is killed while it
 * answers a fetch would stop the consumer for good.
 *
 * All responses are read into the same memory. Node makes a buffer outside of the heap for each chunk that arrives,
 * which took a fifth of the time in which 18 KB messages were received.
 */
export class WholeResponses {
  #memory: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #filled = 0;
  #give: (bytes: Uint8Array) => void = () => {};

  /** Lets a socket that is made with it read straight into the memory. */
  readonly onread: OnRead = {
    buffer: () => this.#room(),
    callback: (byteLength) => {
      this.#received(byteLength);
      return true;
    },
  };

  /** The socket's "data" listeners get responses from here. One that was made without `onread` reads as it likes. */
  attach(socket: Socket, readsHere: boolean): void {
    const on = socket.on.bind(socket) as (event: string, listener: unknown) => Socket;
    socket.on = ((event: string, listener: unknown): Socket => {
      if (event !== "data") return on(event, listener);
      this.#give = listener as (bytes: Uint8Array) => void;
      return readsHere ? socket.resume() : on("data", (chunk: Uint8Array) => this.#copy(chunk));
    }) as typeof socket.on;
  }

  #copy(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const room = this.#room();
      const some = chunk.subarray(at, at + room.length);
      room.set(some);
      this.#received(some.length);
      at += some.length;
    }
  }

  /** At least one byte. */
  #room(): Uint8Array {
    if (this.#filled === this.#memory.length) {
      const larger = Buffer.allocUnsafeSlow(2 * this.#memory.length);
      this.#memory.copy(larger);
      this.#memory = larger;
    }
    return this.#memory.subarray(this.#filled);
  }

  #received(byteLength: number): void {
    this.#filled += byteLength;
    let at = 0;
    while (this.#filled - at >= SIZE_BYTES) {
      const end = at + SIZE_BYTES + this.#memory.readUInt32BE(at);
      if (end > this.#filled) break;
      this.#giveWhole(this.#memory.subarray(at, end));
      at = end;
    }
    if (at === 0) return;
    this.#memory.copyWithin(0, at, this.#filled);
    this.#filled -= at;
  }

  /**
   * kafkajs joins the pieces of a response in new memory before it looks at them; a response in one piece it keeps, and
   * answers of a login it takes in one piece only.
   */
  #giveWhole(bytes: Buffer): void {
    if (bytes.length <= SMALL_BYTES) {
      this.#give(Buffer.from(bytes));
      return;
    }
    this.#give(bytes.subarray(0, SIZE_BYTES));
    this.#give(bytes.subarray(SIZE_BYTES));
  }
}
