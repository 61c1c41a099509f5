import { Buffer } from "node:buffer";
import { HeldMemory } from "../held-memory.ts";
import type { StoredBatch } from "./read-batches.ts";

/** Most buffers that wait to be used again: a partition is read in bursts, up to its budget and then not until half. */
const MAX_FREE = 64;

/**
 * The buffers that a lease reads into. A buffer is used again when all that was delivered from it has been released.
 *
 * Without this each read makes a buffer outside of the heap, and some runtimes collect all garbage for every few of
 * them: where little else is thrown away (handlers run in threads), that cost half as much as reading.
 */
export class ReadChunks {
  readonly #chunkBytes: number;
  readonly #free: Buffer[] = [];
  /** What the last read has filled: held for what is delivered yet, and by each delivery. */
  #current: HeldMemory | null = null;

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
      const bytes = into?.buffer === buffer ? into : Buffer.from(buffer);
      this.#current = new HeldMemory(1, () => this.#reuse(bytes));
    }
    return batches;
  }

  /** Something of the last read is delivered. @returns To be called once when nobody reads it any more. */
  lend(): (() => void) | null {
    const current = this.#current;
    if (current === null) return null;
    current.hold();
    return () => current.release();
  }

  /** Nothing more is delivered from the last read. */
  drop(): void {
    this.#current?.release();
    this.#current = null;
  }

  /** There is nothing to read for now: free buffers go. */
  clear(): void {
    this.#free.length = 0;
  }

  #reuse(bytes: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(bytes);
  }
}
