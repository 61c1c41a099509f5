import { leaseOverError } from "./lease-over-error.ts";
import type { Failure } from "./options.ts";
import { deadLetterRecord } from "./process/dead-letter-record.ts";
import { checkRecord, toSinkRecord } from "./produce/checked-record.ts";
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
  /** The lease is over: nothing is sent any more (Q6). */
  readonly isOver: () => boolean;
}

/** Writes the dead letters of one group. */
export interface DeadLetterWriter {
  /** As {@link DeadLetters.send}. */
  send(letter: DeadLetter): Promise<string>;
}

/** Writes dead letters: one record at a time, acknowledged by all replicas before it counts (Q4). */
export class DeadLetters {
  readonly #makeSink: () => Sink;
  readonly #clock: Clock;
  /** Those that are known before a strategy names others. */
  readonly #topics: readonly string[];
  readonly #byKey: Partitioning = messagesKey();
  #sink: Promise<Sink> | null = null;

  constructor(makeSink: () => Sink, clock: Clock, topics: readonly string[]) {
    this.#makeSink = makeSink;
    this.#clock = clock;
    this.#topics = topics;
  }

  /** null when no topic has a dead letter queue that writes. */
  static of({ source, clock, topics }: ResolvedOptions): DeadLetters | null {
    const queues = [...topics.values()].map((topic) => topic.deadLetterQueue);
    if (source.sink === undefined || queues.every((queue) => queue === null)) return null;
    const named = queues.map((queue) => queue?.topic).filter((topic) => typeof topic === "string");
    return new DeadLetters(() => source.sink!(), clock, [...new Set(named)]);
  }

  writerFor(groupId: string): DeadLetterWriter {
    return { send: (letter) => this.send(letter, groupId) };
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
   * @param groupId Of the group that has read the message: its segment's, where there are segments.
   * @returns The topic it went to.
   * @throws What `map` throws, and {@link HeadraceError} when the record was not acknowledged.
   * @throws {FencedError} When the lease ended before the record could be sent.
   */
  async send(letter: DeadLetter, groupId: string): Promise<string> {
    const { failure, queue, virtualPartition } = letter;
    const mapped = queue.map === null ? null : queue.map(failure.message, failure);
    const wallTimeMs = this.#clock.wallTime();
    const origin = { groupId, virtualPartition, wallTimeMs };
    const record =
      mapped === null
        ? deadLetterRecord(failure, origin)
        : toSinkRecord(checkRecord(mapped, Math.floor(wallTimeMs)));
    const topic = mapped?.topic ?? letter.topic;
    const sink = await this.#open();
    const count = await sink.partitionCount(topic);
    const { key, value } = record;
    const own =
      key === null
        ? failure.partition % count
        : this.#byKey.calculatePartitionId(topic, { topic, key, value }, count);
    const partition = mapped?.partition ?? own;
    // The sink may have taken its time to open.
    if (letter.isOver()) throw leaseOverError(failure.topic, failure.partition, failure.offset);
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
