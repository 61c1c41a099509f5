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

  /** Removes the next batch: chunks of one delivery, as many as the limits allow, one at least. */
  take(maxMessages: number, maxBytes: number): Chunk[] {
    const chunks = this.#chunks;
    const first = chunks[this.#head];
    let [messages, bytes, end] = [0, 0, this.#head];
    for (let chunk = first; chunk !== undefined; chunk = chunks[end]) {
      const fits =
        messages + chunk.records.length <= maxMessages && bytes + chunk.byteLength <= maxBytes;
      if (end > this.#head && !(fits && chunk.delivery === first?.delivery)) break;
      messages += chunk.records.length;
      bytes += chunk.byteLength;
      end += 1;
    }
    return this.#remove(end, messages, bytes);
  }

  /** Removes everything. */
  takeAll(): Chunk[] {
    return this.#remove(this.#chunks.length, this.#messageCount, this.#byteLength);
  }

  #remove(end: number, messages: number, bytes: number): Chunk[] {
    const taken = this.#chunks.slice(this.#head, end);
    this.#head = end;
    this.#messageCount -= messages;
    this.#byteLength -= bytes;
    // Cutting a long array costs its length: it is done when most of it was taken.
    if (this.#head * 2 >= this.#chunks.length) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
    return taken;
  }
}
