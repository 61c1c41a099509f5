import { FencedError } from "./errors.ts";
import type { Failure } from "./options.ts";
import { deadLetterRecord } from "./process/dead-letter-record.ts";
import { encodeRecord } from "./produce/encode-record.ts";
import { messagesKey } from "./produce/messages-key.ts";
import type { ResolvedOptions } from "./resolve-options.ts";
import type { ResolvedDeadLetterQueue } from "./resolve-topic.ts";
import type { Sink } from "./source/source.ts";
import type { Clock, Partitioning } from "./types.ts";

/** One message that goes to a dead letter topic. */
export interface DeadLetter {
  readonly failure: Failure;
  readonly queue: ResolvedDeadLetterQueue;
  /** The topic, where the queue's `map` does not name another one. */
  readonly topic: string;
  readonly virtualPartition: number;
  /** Asked in the tick that sends: nothing is dispatched after the lease was lost (Q6). */
  readonly mayStillSend: () => boolean;
}

/** Writes dead letters: one record at a time, acknowledged by all replicas before it counts (Q4). */
export class DeadLetters {
  readonly #makeSink: () => Sink;
  readonly #groupId: string;
  readonly #clock: Clock;
  /** Those that are known before a strategy names others. */
  readonly #topics: readonly string[];
  readonly #byKey: Partitioning = messagesKey();
  #sink: Promise<Sink> | null = null;

  constructor(makeSink: () => Sink, groupId: string, clock: Clock, topics: readonly string[]) {
    this.#makeSink = makeSink;
    this.#groupId = groupId;
    this.#clock = clock;
    this.#topics = topics;
  }

  /** null when no topic has a dead letter queue that writes. */
  static of({ source, groupId, clock, topics }: ResolvedOptions): DeadLetters | null {
    const queues = [...topics.values()].map((topic) => topic.deadLetterQueue);
    if (source.sink === undefined || queues.every((queue) => queue === null)) return null;
    const named = queues.map((queue) => queue?.topic).filter((topic) => typeof topic === "string");
    return new DeadLetters(() => source.sink!(), groupId, clock, [...new Set(named)]);
  }

  /** @throws {HeadraceError} When a topic is missing and cannot be made. */
  async check(): Promise<void> {
    if (this.#topics.length === 0) return;
    const sink = await this.#open();
    for (const topic of this.#topics) await sink.partitionCount(topic);
  }

  /**
   * Writes one record. No retry.
   *
   * @returns The topic it went to.
   * @throws What `map` throws, {@link FencedError} when the lease has ended meanwhile, and {@link HeadraceError} when
   *   the record was not acknowledged.
   */
  async send(letter: DeadLetter): Promise<string> {
    const { failure, queue, virtualPartition } = letter;
    const mapped = queue.map === null ? null : queue.map(failure.message, failure);
    const wallTimeMs = this.#clock.wallTime();
    const origin = { groupId: this.#groupId, virtualPartition, wallTimeMs };
    const record =
      mapped === null
        ? deadLetterRecord(failure, origin)
        : encodeRecord(mapped, Math.floor(wallTimeMs)).sink;
    const topic = mapped?.topic ?? letter.topic;
    const sink = await this.#open();
    const count = await sink.partitionCount(topic);
    const { key, value } = record;
    const own =
      key === null
        ? failure.partition % count
        : this.#byKey.calculatePartitionId(topic, { topic, key, value }, count);
    const partition = mapped?.partition ?? own;
    if (!letter.mayStillSend()) {
      const where = `${failure.topic}#${failure.partition}@${failure.offset}`;
      throw new FencedError(
        `Cannot dead-letter as the lease must not have ended: received ${where}`,
      );
    }
    const [outcome] = await sink.send([{ topic, partition, records: [record] }]);
    if (outcome !== undefined && "error" in outcome) throw outcome.error;
    return topic;
  }

  async close(): Promise<void> {
    const sink = this.#sink;
    this.#sink = null;
    // Never opened, or not to be opened: nothing to close.
    await (await sink?.catch(() => undefined))?.close();
  }

  /** After a failure the next letter tries again. */
  #open(): Promise<Sink> {
    if (this.#sink !== null) return this.#sink;
    const sink = this.#makeSink();
    const opening = sink.open().then(() => sink);
    this.#sink = opening;
    opening.catch(() => {
      this.#sink = null;
    });
    return opening;
  }
}
