/** Produces records: chooses their partitions, batches them, keeps their order. */
import { ClosedError, ProduceError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import type { Sink, SinkBatch, SinkOutcome } from "../source/source.ts";
import type { ProducerRecord } from "../types.ts";
import { show } from "../validate.ts";
import { BufferGate } from "./buffer-gate.ts";
import { type EncodedRecord, encodeRecord } from "./encode-record.ts";
import { PartitionQueue } from "./partition-queue.ts";
import { type Chunk, ProduceCall, type ProduceResult, recordsOf } from "./produce-call.ts";
import {
  type ProducerOptions,
  type ResolvedProducerOptions,
  resolveProducerOptions,
} from "./producer-options.ts";
import { TopicPartitions } from "./topic-partitions.ts";

/** Failures that `flush()` can list; of further ones it gives the number. */
const MAX_FAILURES_KEPT = 1000;

/** Writes records. Records of one partition leave in the order of the calls, one request on its way at a time. */
export interface Producer {
  /**
   * Sends a record, and settles when it is acknowledged. Waits while the buffer is full.
   *
   * A rejection that nobody watches does not end the process: `flush()` and the logger report it.
   *
   * @throws {TypeError | RangeError} When the record is wrong.
   * @throws {ProduceError} When it could not be stored, or got no partition.
   * @throws {ClosedError} After `close()`.
   */
  produce(record: ProducerRecord): Promise<ProduceResult>;
  /**
   * Sends records, those of one partition in one batch; results in the order of the records. When one is wrong,
   * nothing is sent; when one fails, others may have been stored (`ProduceError` of the first that failed).
   */
  produceMany(records: readonly ProducerRecord[]): Promise<ProduceResult[]>;
  /**
   * Sends what lingers, and settles when everything produced before has.
   *
   * @throws {AggregateError} With the ProduceErrors since the last flush, one per record, 1000 at most.
   */
  flush(): Promise<void>;
  /** Sends the rest, then closes the sink. Failures of the rest reach the promises and the logger. Idempotent. */
  close(): Promise<void>;
}

class SinkProducer implements Producer {
  readonly #options: ResolvedProducerOptions;
  readonly #gate: BufferGate;
  readonly #topics: TopicPartitions;
  readonly #queues = new Map<string, PartitionQueue>();
  /** Queues that linger no longer. */
  readonly #due = new Set<PartitionQueue>();
  /** Calls that have not settled. */
  readonly #calls = new Set<Promise<unknown>>();
  #sink: Promise<Sink> | null = null;
  #dispatching = false;
  /** Flushes that run: nothing lingers. */
  #flushes = 0;
  #failures: ProduceError[] = [];
  #failureCount = 0;
  #closing: Promise<void> | null = null;

  constructor(options: ResolvedProducerOptions) {
    this.#options = options;
    this.#gate = new BufferGate(options.maxBufferedBytes);
    this.#topics = new TopicPartitions((topic) => this.#partitionCount(topic), options.clock);
  }

  produce(record: ProducerRecord): Promise<ProduceResult> {
    return this.#answer([record], (results) => results[0] as ProduceResult);
  }

  produceMany(records: readonly ProducerRecord[]): Promise<ProduceResult[]> {
    return this.#answer(records, (results) => [...results]);
  }

  async flush(): Promise<void> {
    this.#mustBeOpen();
    await this.#settleAll();
    const [failures, count] = [this.#failures, this.#failureCount];
    if (count === 0) return;
    this.#failures = [];
    this.#failureCount = 0;
    const message = "Cannot flush as every record since the last flush must be stored";
    throw new AggregateError(failures, `${message}: received ${count} failures`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#settleAll();
    // A sink that could not be opened has failed its records already, and is not open.
    const sink = await this.#sink?.catch(() => null);
    await sink?.close();
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new ClosedError("Cannot produce as the producer is closed");
  }

  #answer<R>(
    given: readonly ProducerRecord[],
    pick: (results: readonly ProduceResult[]) => R,
  ): Promise<R> {
    let call: ProduceCall;
    try {
      this.#mustBeOpen();
      const wallTimeMs = this.#options.clock.wallTime();
      call = new ProduceCall(given.map((record) => encodeRecord(record, wallTimeMs)));
    } catch (error) {
      return Promise.reject(error);
    }
    if (given.length > 0) this.#accept(call);
    const answer = call.done.then(pick);
    // flush() and the logger report it: a caller who drops the promise must not lose the process.
    answer.catch(() => {});
    return answer;
  }

  #accept(call: ProduceCall): void {
    const forget = (): void => {
      this.#calls.delete(call.done);
    };
    this.#calls.add(call.done);
    call.done.then(forget, forget);
    this.#gate.enter(call.byteLength, () => this.#route(call));
    if (this.#gate.full) this.#hurry();
  }

  /** Parts a call by topic, and goes on where the number of partitions is known. */
  #route(call: ProduceCall): void {
    const all = [...call.records.keys()];
    const byTopic = groupBy(all, (index) => (call.records[index] as EncodedRecord).given.topic);
    for (const [topic, indexes] of byTopic) {
      this.#topics.get(topic, (count) => {
        if (count instanceof Error) {
          const act = `produce to ${topic} as its number of partitions must be known`;
          this.#fail(chunkOf(call, indexes), act, count);
        } else {
          this.#place(call, topic, indexes, count);
        }
      });
    }
  }

  /** Parts the records of one topic by partition. All of them get a partition, or none is sent. */
  #place(call: ProduceCall, topic: string, indexes: readonly number[], count: number): void {
    let byPartition: Map<number, number[]>;
    try {
      byPartition = groupBy(indexes, (index) =>
        this.#choose(call.records[index] as EncodedRecord, count),
      );
    } catch (error) {
      const act = `produce to ${topic} as a partition must be chosen`;
      this.#fail(chunkOf(call, indexes), act, error);
      return;
    }
    for (const [partition, chosen] of byPartition) {
      const queue = this.#queueOf(topic, partition);
      queue.add(chunkOf(call, chosen));
      this.#linger(queue);
    }
  }

  #choose({ given }: EncodedRecord, count: number): number {
    const { partition, partitioning = this.#options.partitioning, topic } = given;
    const chosen = partition ?? partitioning.calculatePartitionId(topic, given, count);
    if (Number.isInteger(chosen) && chosen >= 0 && chosen < count) return chosen;
    const name = partition === undefined ? "calculatePartitionId's answer" : "partition";
    throw new RangeError(`${name} must be an integer in [0, ${count}): received ${show(chosen)}`);
  }

  #queueOf(topic: string, partition: number): PartitionQueue {
    const name = `${topic}#${partition}`;
    const queue = this.#queues.get(name) ?? new PartitionQueue(topic, partition);
    this.#queues.set(name, queue);
    return queue;
  }

  /** Decides whether what waits may go, or starts its time. */
  #linger(queue: PartitionQueue): void {
    if (queue.messageCount === 0) return;
    const { ms, maxMessages, maxBytes } = this.#options.linger;
    const enough = queue.messageCount >= maxMessages || queue.byteLength >= maxBytes;
    if (ms === 0 || enough || this.#flushes > 0 || this.#gate.full) {
      this.#due.add(queue);
      this.#dispatchSoon();
    } else {
      queue.timer ??= this.#options.clock.setTimer(() => {
        queue.timer = null;
        this.#due.add(queue);
        this.#dispatchSoon();
      }, ms);
    }
  }

  #hurry(): void {
    for (const queue of this.#queues.values()) this.#linger(queue);
  }

  /** Everything that is produced in this turn travels together. */
  #dispatchSoon(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    queueMicrotask(() => {
      this.#dispatching = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const { clock, linger } = this.#options;
    const sending: { queue: PartitionQueue; chunks: Chunk[] }[] = [];
    for (const queue of this.#due) {
      // Its turn comes again when the request on its way has settled.
      if (queue.inFlight) continue;
      this.#due.delete(queue);
      if (queue.timer !== null) clock.clearTimer(queue.timer);
      queue.timer = null;
      queue.inFlight = true;
      sending.push({ queue, chunks: queue.take(linger.maxMessages, linger.maxBytes) });
    }
    if (sending.length > 0) void this.#send(sending);
  }

  /** Never rejects. */
  async #send(sending: readonly { queue: PartitionQueue; chunks: Chunk[] }[]): Promise<void> {
    const batches = sending.map(({ queue: { topic, partition }, chunks }): SinkBatch => {
      return { topic, partition, records: chunks.flatMap(recordsOf).map((record) => record.sink) };
    });
    let outcomes: readonly SinkOutcome[] = [];
    let failure: unknown;
    try {
      const sink = await this.#open();
      outcomes = await sink.send(batches);
      invariant(outcomes.length === batches.length, "a sink answers once per batch");
    } catch (error) {
      outcomes = [];
      failure = error;
    }
    for (const [i, { queue, chunks }] of sending.entries()) {
      queue.inFlight = false;
      this.#settle(queue, chunks, outcomes[i], failure);
      this.#linger(queue);
    }
    // A queue whose time ran out while its request was on its way.
    if (this.#due.size > 0) this.#dispatchSoon();
  }

  #settle(
    { topic, partition }: PartitionQueue,
    chunks: readonly Chunk[],
    outcome: SinkOutcome | undefined,
    failure: unknown,
  ): void {
    if (outcome === undefined || "error" in outcome) {
      for (const chunk of chunks) {
        const act = `produce to ${topic}#${partition} as the sink must store the batch`;
        this.#fail(chunk, act, outcome?.error ?? failure);
      }
      return;
    }
    const { baseOffset, offsets } = outcome;
    let at = 0;
    for (const chunk of chunks) {
      for (const index of chunk.indexes) {
        const offset = offsets?.[at] ?? (baseOffset === undefined ? undefined : baseOffset + at);
        chunk.call.settle(index, { partition, offset });
        at += 1;
      }
      this.#gate.leave(chunk.byteLength);
    }
  }

  #fail(chunk: Chunk, act: string, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : show(cause);
    const message = `Cannot ${act}: received ${reason}`;
    const retriable = (cause as { retriable?: unknown } | null)?.retriable === true;
    for (const index of chunk.indexes) {
      const error = new ProduceError(message, { cause, retriable });
      if (this.#failures.length < MAX_FAILURES_KEPT) this.#failures.push(error);
      chunk.call.settle(index, error);
    }
    this.#failureCount += chunk.indexes.length;
    this.#options.logger.warn(message, { records: chunk.indexes.length });
    this.#gate.leave(chunk.byteLength);
  }

  /** Sends everything without lingering, and waits for the calls made so far. */
  async #settleAll(): Promise<void> {
    this.#flushes += 1;
    this.#hurry();
    await Promise.allSettled([...this.#calls]);
    this.#flushes -= 1;
  }

  async #partitionCount(topic: string): Promise<number> {
    const sink = await this.#open();
    const count = await sink.partitionCount(topic);
    invariant(Number.isSafeInteger(count) && count > 0, `${topic} has a partition`);
    return count;
  }

  /** Opens the sink once; after a failure the next record tries again. */
  #open(): Promise<Sink> {
    if (this.#sink) return this.#sink;
    const opening = this.#openSink();
    this.#sink = opening;
    opening.catch(() => {
      this.#sink = null;
    });
    return opening;
  }

  async #openSink(): Promise<Sink> {
    const sink = this.#options.openSink();
    try {
      await sink.open();
      return sink;
    } catch (error) {
      // It may hold half of its connections; the error of the opening is the one that matters.
      await sink.close().catch(() => {});
      throw error;
    }
  }
}

/** Groups in the order of first appearance. (`Map.groupBy` is younger than Node 20.) */
function groupBy<K>(indexes: readonly number[], keyOf: (index: number) => K): Map<K, number[]> {
  const groups = new Map<K, number[]>();
  for (const index of indexes) {
    const key = keyOf(index);
    const group = groups.get(key);
    if (group) group.push(index);
    else groups.set(key, [index]);
  }
  return groups;
}

function chunkOf(call: ProduceCall, indexes: readonly number[]): Chunk {
  const bytes = (index: number): number => (call.records[index] as EncodedRecord).byteLength;
  return { call, indexes, byteLength: indexes.reduce((sum, index) => sum + bytes(index), 0) };
}

/**
 * Makes a producer. Nothing is connected before the first record.
 *
 * ```ts
 * const producer = createProducer({ sink: log("./data") });
 * await producer.produce({ topic: "orders", key: "customer-7", value: "…" }); // { partition, offset }
 * await producer.close();
 * ```
 *
 * @throws {TypeError | RangeError} When an option is wrong, naming it, the rule and the value.
 */
export function createProducer(options: ProducerOptions): Producer {
  return new SinkProducer(resolveProducerOptions(options));
}
