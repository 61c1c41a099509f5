import { Buffer } from "node:buffer";
import type { StoredBatch } from "./read-batches.ts";

/** Most buffers that wait to be used again: a partition is read in bursts, up to its budget and then not until half. */
const MAX_FREE = 64;

/** A buffer that one read has filled. */
class Chunk {
  readonly bytes: Buffer;
  /** Deliveries from it that may still be read. */
  lent = 0;
  /** No more deliveries come from it. */
  isDrained = false;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/**
 * The buffers that a lease reads into. A buffer is used again when all that was delivered from it has been released.
 *
 * Without this each read makes a buffer outside of the heap, and some runtimes collect all garbage for every few of
 * them: where little else is thrown away (handlers run in threads), that cost half as much as reading.
 */
export class ReadChunks {
  readonly #chunkBytes: number;
  readonly #free: Buffer[] = [];
  #current: Chunk | null = null;

  /** @param chunkBytes Buffers of exactly this size are used again: others hold little, or too much. */
  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes;
  }

  /** Reads into a free buffer, if there is one; nothing more is delivered from the last read. */
  fill(read: (into: Buffer | undefined) => StoredBatch[]): StoredBatch[] {
    this.drop();
    const into = this.#free.pop();
    const batches = read(into);
    const buffer = batches[0]?.bytes.buffer;
    if (into !== undefined && buffer !== into.buffer) this.#free.push(into);
    if (buffer?.byteLength === this.#chunkBytes) {
      this.#current = new Chunk(into?.buffer === buffer ? into : Buffer.from(buffer));
    }
    return batches;
  }

  /** Something of the last read is delivered. @returns To be called once when nobody reads it any more. */
  lend(): (() => void) | null {
    const chunk = this.#current;
    if (chunk === null) return null;
    chunk.lent++;
    return () => {
      chunk.lent--;
      this.#reuse(chunk);
    };
  }

  /** Nothing more is delivered from the last read. */
  drop(): void {
    const chunk = this.#current;
    this.#current = null;
    if (chunk === null) return;
    chunk.isDrained = true;
    this.#reuse(chunk);
  }

  /** There is nothing to read for now: free buffers go. */
  clear(): void {
    this.#free.length = 0;
  }

  #reuse({ bytes, lent, isDrained }: Chunk): void {
    if (isDrained && lent === 0 && this.#free.length < MAX_FREE) this.#free.push(bytes);
  }
}
