import type { TimerHandle } from "../types.ts";
import type { Chunk } from "./produce-call.ts";

/** Chunks that wait for one partition, oldest first. At most one request of a partition is on its way. */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  inFlight = false;
  /** The linger timer of what waits. */
  timer: TimerHandle | null = null;
  #chunks: Chunk[] = [];
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
    this.#count(chunk, 1);
  }

  /** Removes the next batch: as many chunks as the limits allow, one at least. */
  take(maxMessages: number, maxBytes: number): Chunk[] {
    let [messages, bytes, end] = [0, 0, 0];
    for (const chunk of this.#chunks) {
      messages += chunk.indexes.length;
      bytes += chunk.byteLength;
      if (end > 0 && (messages > maxMessages || bytes > maxBytes)) break;
      end += 1;
    }
    const taken = this.#chunks.slice(0, end);
    this.#chunks = this.#chunks.slice(end);
    for (const chunk of taken) this.#count(chunk, -1);
    return taken;
  }

  #count(chunk: Chunk, sign: 1 | -1): void {
    this.#messageCount += sign * chunk.indexes.length;
    this.#byteLength += sign * chunk.byteLength;
  }
}
