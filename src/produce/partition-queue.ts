import type { TimerHandle } from "../types.ts";
import type { Chunk } from "./produce-call.ts";

/** Chunks that wait for one partition, oldest first. At most one request of a partition is on its way. */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** A request is on its way, or waits to be sent again. */
  inFlight = false;
  /** The linger timer of what waits. */
  timer: TimerHandle | null = null;
  readonly #chunks: Chunk[] = [];
  /** Batches that were put back, the next one last; they go before all chunks, as they are. */
  readonly #batches: (readonly Chunk[])[] = [];
  /** Index of the oldest chunk; those before it were taken. */
  #head = 0;
  #messageCount = 0;
  #byteLength = 0;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get messageCount(): number {
    return this.#messageCount;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  add(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#messageCount += chunk.records.length;
    this.#byteLength += chunk.byteLength;
  }

  /** Puts a batch of several chunks back, in two parts. */
  putBack(batch: readonly Chunk[]): void {
    const middle = batch.length >>> 1;
    this.#batches.push(batch.slice(middle), batch.slice(0, middle));
    for (const chunk of batch) {
      this.#messageCount += chunk.records.length;
      this.#byteLength += chunk.byteLength;
    }
  }

  /** Removes the next batch: chunks of one delivery, as many as the limits allow, one at least. */
  take(maxMessages: number, maxBytes: number): readonly Chunk[] {
    const batch = this.#batches.pop();
    if (batch !== undefined) {
      this.#discount(batch);
      return batch;
    }
    const chunks = this.#chunks;
    const first = chunks[this.#head];
    let [messages, bytes, end] = [0, 0, this.#head];
    for (let chunk = first; chunk !== undefined; chunk = chunks[end]) {
      messages += chunk.records.length;
      bytes += chunk.byteLength;
      const fits = messages <= maxMessages && bytes <= maxBytes;
      if (end > this.#head && !(fits && chunk.delivery === first?.delivery)) break;
      end += 1;
    }
    return this.#remove(end);
  }

  /** Removes everything. */
  takeAll(): readonly Chunk[] {
    const putBack = this.#batches.splice(0).reverse().flat();
    this.#discount(putBack);
    return [...putBack, ...this.#remove(this.#chunks.length)];
  }

  #remove(end: number): Chunk[] {
    const taken = this.#chunks.slice(this.#head, end);
    this.#discount(taken);
    this.#head = end;
    // Cutting a long array costs its length: it is done when most of it was taken.
    if (this.#head * 2 >= this.#chunks.length) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
    return taken;
  }

  #discount(taken: readonly Chunk[]): void {
    for (const chunk of taken) {
      this.#messageCount -= chunk.records.length;
      this.#byteLength -= chunk.byteLength;
    }
  }
}
