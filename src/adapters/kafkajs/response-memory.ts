/** The memory that large responses are read into, and who still needs it. */
import { Buffer } from "node:buffer";
import { HeldMemory } from "../../held-memory.ts";
import type { FetchedMessage, FetchResponse } from "./client.ts";

/** Most bytes that wait to be used again: what a partition may be behind its budget when it is read on, by default. */
const MAX_FREE_BYTES: number = 32 * 1024 * 1024;

/** Memory comes in four sizes per doubling, so that responses of about the same size fit into that of one another. */
function capacityFor(bytes: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(bytes)) - 2);
  return Math.ceil(bytes / step) * step;
}

/**
 * Gives memory for responses, and again once all records of a fetch are done.
 *
 * kafkajs's records are views of the response. Only where nobody has kept one, and nothing of the response waits in
 * kafkajs, its memory is used again; all other goes with its last view. Memory outside of the heap counts for the
 * collector: where little else is thrown away (handlers run in threads), it collected all garbage for every 15 MB.
 */
export class ResponseMemory {
  #free: Buffer[] = [];
  #freeBytes = 0;
  /**
   * What was given, as views of it say. A WeakMap would keep memory that is thrown away soon until all garbage is
   * collected: its values count as used before.
   */
  readonly #given = new WeakSet<ArrayBufferLike>();
  /** By the records of a partition, as a fetch brings them, until they are delivered. */
  readonly #held = new WeakMap<readonly FetchedMessage[], HeldMemory>();

  /** Of at least so many bytes; what is in it is left from before. */
  take(bytes: number): Buffer {
    const capacity = capacityFor(bytes);
    const at = this.#free.findLastIndex(({ length }) => length === capacity);
    if (at !== -1) {
      this.#freeBytes -= capacity;
      return this.#free.splice(at, 1)[0] as Buffer;
    }
    const memory = Buffer.allocUnsafeSlow(capacity);
    this.#given.add(memory.buffer);
    return memory;
  }

  /** A fetch has been read: each of its partitions with records holds its memory. */
  fetched({ responses }: FetchResponse): void {
    const partitions = responses
      .flatMap((topic) => topic.partitions.map(({ messages }) => messages))
      .filter(({ length }) => length > 0);
    if (partitions.length === 0) this.#clear();
    const memory = this.#memoryOf(partitions);
    if (memory === undefined) return;
    const held = new HeldMemory(partitions.length, () => this.#putBack(memory));
    for (const messages of partitions) this.#held.set(messages, held);
  }

  /**
   * For whoever delivers the records of a partition. @returns What to release when they are delivered; undefined when
   * the memory will not be used again, or has been asked for.
   */
  of(messages: readonly FetchedMessage[] | undefined): HeldMemory | undefined {
    if (messages === undefined) return undefined;
    const held = this.#held.get(messages);
    this.#held.delete(messages);
    return held;
  }

  /** Compressed records are decompressed into other memory. */
  #memoryOf(partitions: readonly (readonly FetchedMessage[])[]): Buffer | undefined {
    for (const messages of partitions) {
      const { key, value } = messages.at(-1) as FetchedMessage;
      const memory = (value ?? key)?.buffer;
      if (memory !== undefined && this.#given.has(memory)) return Buffer.from(memory);
    }
    return undefined;
  }

  #putBack(memory: Buffer): void {
    if (this.#freeBytes + memory.length > MAX_FREE_BYTES) return;
    this.#free.push(memory);
    this.#freeBytes += memory.length;
  }

  /** There is nothing to read for now. */
  #clear(): void {
    this.#free = [];
    this.#freeBytes = 0;
  }
}
