import { Buffer } from "node:buffer";
import type { OnReadOpts, Socket } from "node:net";
import type { ResponseMemory } from "./response-memory.ts";

/** Kafka says the length of a response before it: a big-endian unsigned int32. */
const SIZE_BYTES = 4;
/** Up to here a response, its length included, is gathered in memory of the connection and given as a copy. */
const SMALL_BYTES: number = 64 * 1024;
/** So long a response is believed to be before it is there; memory of a longer one doubles as it arrives. */
const BELIEVED_BYTES: number = 4 * 1024 * 1024;

/** `net.connect`'s option of that name: where a socket reads to, and whom it tells. */
export type OnRead = OnReadOpts;

/**
 * Gathers what a connection receives and gives kafkajs whole responses only; one that is cut off is dropped.
 *
 * kafkajs 2.2 keeps what it has read of a response when the connection ends, takes the first bytes of the next
 * connection for the rest of it, and never finds the beginning of a response again: a broker that is killed while it
 * answers a fetch would stop the consumer for good.
 *
 * A large response is read straight into memory of its own. Left to itself, Node makes a buffer outside of the heap for
 * each chunk that arrives, which took a fifth of the time in which 18 KB messages were received.
 */
export class WholeResponses {
  readonly #memory: ResponseMemory;
  readonly #small: Buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  /** What is read into: small responses as they come, or one large one. */
  #bytes: Buffer = this.#small;
  #filled = 0;
  /** Where the large response ends; 0 while small ones are read. */
  #end = 0;
  #give: (bytes: Uint8Array) => void = () => {};

  /** @param memory Where large responses are read to. */
  constructor(memory: ResponseMemory) {
    this.#memory = memory;
  }

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
    if (this.#end === 0) return this.#small.subarray(this.#filled);
    if (this.#filled === this.#bytes.length) this.#moveTo(this.#memory.take(2 * this.#filled));
    return this.#bytes.subarray(this.#filled, this.#end);
  }

  #received(byteLength: number): void {
    this.#filled += byteLength;
    if (this.#end === 0) this.#giveSmall();
    else if (this.#filled === this.#end) this.#giveLarge();
  }

  /** All that are whole; a large one that has begun is read on where there is room for it. */
  #giveSmall(): void {
    let at = 0;
    let length = 0;
    while (this.#filled - at >= SIZE_BYTES) {
      length = SIZE_BYTES + this.#small.readUInt32BE(at);
      if (at + length > this.#filled) break;
      this.#give(Buffer.from(this.#small.subarray(at, at + length)));
      at += length;
      length = 0;
    }
    this.#small.copyWithin(0, at, this.#filled);
    this.#filled -= at;
    if (length <= SMALL_BYTES) return;
    this.#end = length;
    this.#moveTo(this.#memory.take(Math.min(length, BELIEVED_BYTES)));
  }

  #moveTo(memory: Buffer): void {
    this.#bytes.copy(memory, 0, 0, this.#filled);
    this.#bytes = memory;
  }

  #giveLarge(): void {
    const response = this.#bytes.subarray(0, this.#end);
    this.#bytes = this.#small;
    this.#filled = 0;
    this.#end = 0;
    this.#give(response);
  }
}
