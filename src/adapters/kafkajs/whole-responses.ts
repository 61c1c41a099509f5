import type { Socket } from "node:net";

/** Kafka says the length of a response before it: a big-endian int32. */
const SIZE_BYTES = 4;

type Give = (chunk: Uint8Array) => void;

/** Holds the chunks of a response back until its last byte is there. Copies nothing. */
class ResponseGate {
  /** Chunks of the response that is incomplete; as long as it says, and kafkajs holds no less. */
  #held: Uint8Array[] = [];
  #size = 0;
  #sizeBytesRead = 0;
  /** Bytes of the response that are still to come, its size being known. */
  #missing = 0;

  push(chunk: Uint8Array, give: Give): void {
    const end = this.#endOfWhole(chunk);
    if (end > 0) {
      for (const held of this.#held) give(held);
      this.#held = [];
      give(chunk.subarray(0, end));
    }
    if (end < chunk.length) this.#held.push(chunk.subarray(end));
  }

  /** Where the last response ends that is complete with this chunk; 0 if none is. */
  #endOfWhole(chunk: Uint8Array): number {
    let end = 0;
    for (let at = 0; at < chunk.length; ) {
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, chunk.length - at);
        this.#missing -= taken;
        at += taken;
      } else {
        this.#size = this.#size * 256 + chunk[at++]!;
        if (++this.#sizeBytesRead < SIZE_BYTES) continue;
        this.#missing = this.#size;
        this.#size = this.#sizeBytesRead = 0;
      }
      if (this.#missing === 0) end = at;
    }
    return end;
  }
}

/**
 * Makes a socket give its "data" listeners whole responses only; one that is cut off is dropped.
 *
 * kafkajs 2.2 keeps what it has read of a response when the connection ends, takes the first bytes
 * of the next connection for the rest of it, and never finds the beginning of a response again: a
 * broker that is killed while it answers a fetch would stop the consumer for good.
 */
export function giveWholeResponses(socket: Socket): void {
  const on = socket.on.bind(socket) as (event: string, listener: unknown) => Socket;
  socket.on = ((event: string, listener: unknown): Socket => {
    if (event !== "data") return on(event, listener);
    const gate = new ResponseGate();
    return on(event, (chunk: Uint8Array) => gate.push(chunk, listener as Give));
  }) as typeof socket.on;
}
