/** What a producer and its variants share: buffer, queues, connection. */
import { Emitter } from "../emitter.ts";
import { CapacityError, ClosedError, errorInfo, ProduceError } from "../errors.ts";
import { invariant } from "../invariant.ts";
import { LatencySamples } from "../latency.ts";
import type { ProducerRecord } from "../types.ts";
import { show } from "../validate.ts";
import { BufferGate } from "./buffer-gate.ts";
import { type CheckedRecord, checkRecord } from "./checked-record.ts";
import { choosePartition } from "./choose-partition.ts";
import type { ResolvedDelivery } from "./delivery.ts";
import { Failures } from "./failures.ts";
import { type Epoch, OpenCalls } from "./open-calls.ts";
import { partRecords } from "./part-records.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import {
  AnsweredCall,
  type Chunk,
  type ProduceCall,
  type ProduceResult,
  UnansweredCalls,
} from "./produce-call.ts";
import type { ProducerEvents, ProducerStats } from "./producer-events.ts";
import type { ResolvedProducerOptions } from "./producer-options.ts";
import { type Request, Sender, type SenderHost, type Stored } from "./sender.ts";
import { SinkOpening } from "./sink-opening.ts";
import { TopicPartitions } from "./topic-partitions.ts";

/** A call with what all its chunks share. */
interface Pending {
  readonly call: ProduceCall;
  readonly records: readonly CheckedRecord[];
  readonly delivery: ResolvedDelivery;
  readonly bufferedAtMs: number;
}

/** Of a call with one record. */
const FIRST_ONLY: readonly number[] = [0];

/** Takes records from calls to acknowledgements. */
export class ProducerCore {
  readonly events: Emitter<ProducerEvents>;
  readonly #options: ResolvedProducerOptions;
  readonly #gate: BufferGate;
  readonly #topics: TopicPartitions;
  readonly #sink: SinkOpening;
  readonly #sender: Sender;
  readonly #openCalls = new OpenCalls();
  readonly #failures = new Failures();
  #unanswered: UnansweredCalls | null = null;
  readonly #batchRecords = new LatencySamples();
  readonly #queueTimeMs = new LatencySamples();
  readonly #requestLatencyMs = new LatencySamples();
  #bufferedRecords = 0;
  #delivered = 0;
  #failed = 0;
  #batches = 0;
  #retries = 0;
  /** Flushes that run: nothing lingers. */
  #flushes = 0;
  #closing: Promise<void> | null = null;
  /** Why nothing is sent any more. */
  #givingUp: ProduceError | null = null;

  constructor(options: ResolvedProducerOptions) {
    this.#options = options;
    this.events = new Emitter(options.logger);
    this.#gate = new BufferGate(options.maxBufferedBytes);
    this.#sink = new SinkOpening(options.openSink);
    this.#topics = new TopicPartitions((topic) => this.#partitionCount(topic), options.clock);
    this.#sender = new Sender(this.#host());
  }

  #host(): SenderHost {
    const { clock, linger } = this.#options;
    const hurried = (): boolean => this.#flushes > 0 || this.#gate.full;
    return {
      clock,
      linger,
      get hurried() {
        return hurried();
      },
      openSink: () => this.#sink.open(),
      stored: (request, outcome) => this.#stored(request, outcome),
      failed: (request, cause) => this.#refused(request, cause),
      retrying: (request, cause) => this.#retrying(request, cause),
      expired: (queue, chunks) => {
        const rule = "those before must be stored within the deliveryTimeoutMs of these";
        const { deliveryTimeoutMs } = (chunks[0] as Chunk).delivery;
        const act = `produce to ${nameOf(queue)} as ${rule}`;
        this.#fail(chunks, queue.partition, act, `more than ${deliveryTimeoutMs} ms`);
      },
    };
  }

  /** Answers when all records have ended; `pick` makes the answer. */
  produce<R>(
    given: readonly ProducerRecord[],
    delivery: ResolvedDelivery,
    pick: (results: readonly ProduceResult[]) => R,
  ): Promise<R> {
    let records: CheckedRecord[];
    try {
      this.#mustBeOpen();
      const wallTimeMs = this.#options.clock.wallTime();
      records = given.map((record) => checkRecord(record, wallTimeMs));
    } catch (error) {
      return Promise.reject(error);
    }
    if (records.length === 0) return Promise.resolve(pick([]));
    const epoch = this.#openCalls.begin();
    const call = new AnsweredCall(records.length, () => this.#openCalls.end(epoch));
    this.#bufferedRecords += records.length;
    let bytes = 0;
    for (const { byteLength } of records) bytes += byteLength;
    this.#gate.enter(bytes, () => this.#route(call, records, delivery));
    if (this.#gate.full) this.#sender.hurry();
    const answer = call.done.then(pick);
    // flush() and the logger report it: a caller who drops the promise must not lose the process.
    answer.catch(() => {});
    return answer;
  }

  /** @throws {CapacityError} When the buffer is full. */
  produceAsync(given: ProducerRecord, delivery: ResolvedDelivery): void {
    this.#mustBeOpen();
    const { clock, maxBufferedBytes } = this.#options;
    const record = checkRecord(given, clock.wallTime());
    if (!this.#gate.tryEnter(record.byteLength)) {
      this.#sender.hurry();
      const rule = `the record must fit in the buffer (maxBufferedBytes: ${maxBufferedBytes})`;
      const received = `${record.byteLength} bytes, with ${this.#gate.bytes} unacknowledged`;
      const message = `Cannot produce as ${rule}: received ${received}`;
      throw new CapacityError(message, { retriable: true });
    }
    const epoch = this.#openCalls.begin();
    if (this.#unanswered?.epoch !== epoch) {
      this.#unanswered = new UnansweredCalls(epoch, this.#asyncEnded);
    }
    this.#bufferedRecords += 1;
    this.#route(this.#unanswered, [record], delivery);
  }

  readonly #asyncEnded = (
    epoch: Epoch,
    { given }: CheckedRecord,
    partition: number,
    error?: ProduceError,
  ): void => {
    if (error !== undefined) this.#tell(given, partition, error);
    this.#openCalls.end(epoch);
  };

  async flush(): Promise<void> {
    this.#mustBeOpen();
    await this.#settleAll();
    this.#failures.take();
  }

  /** @param drainTimeoutMs Then what is not stored fails. */
  close(drainTimeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(drainTimeoutMs);
    return this.#closing;
  }

  stats(): ProducerStats {
    return {
      bufferedBytes: this.#gate.bytes,
      bufferedRecords: this.#bufferedRecords,
      batchesInFlight: this.#sender.requestCount,
      delivered: this.#delivered,
      failed: this.#failed,
      batches: this.#batches,
      retries: this.#retries,
      batchRecords: this.#batchRecords.summary(),
      queueTimeMs: this.#queueTimeMs.summary(),
      requestLatencyMs: this.#requestLatencyMs.summary(),
    };
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    const giveUp = (): void => {
      const rule = "it must be stored before close() ends";
      const reason = new ProduceError(`Cannot produce as ${rule}: received ${drainTimeoutMs} ms`);
      this.#givingUp = reason;
      this.#sender.abandon((queue, chunks) => {
        this.#fail(chunks, queue.partition, `produce to ${nameOf(queue)}`, reason);
      });
      this.#topics.giveUp(reason);
    };
    const bounded = drainTimeoutMs < Number.POSITIVE_INFINITY;
    const timer = bounded ? clock.setTimer(giveUp, drainTimeoutMs) : null;
    await this.#settleAll();
    if (timer !== null) clock.clearTimer(timer);
    await this.#sink.close();
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new ClosedError("Cannot produce as the producer is closed");
  }

  /** Parts a call by topic, and goes on where the number of partitions is known. */
  #route(call: ProduceCall, records: readonly CheckedRecord[], delivery: ResolvedDelivery): void {
    const bufferedAtMs = this.#options.clock.now();
    const pending: Pending = { call, records, delivery, bufferedAtMs };
    if (records.length === 1) {
      this.#routeTopic(pending, (records[0] as CheckedRecord).given.topic, FIRST_ONLY);
      return;
    }
    const byTopic = new Map<string, number[]>();
    for (let index = 0; index < records.length; index++) {
      const { topic } = (records[index] as CheckedRecord).given;
      const same = byTopic.get(topic);
      if (same === undefined) byTopic.set(topic, [index]);
      else same.push(index);
    }
    for (const [topic, indexes] of byTopic) this.#routeTopic(pending, topic, indexes);
  }

  #routeTopic(pending: Pending, topic: string, indexes: readonly number[]): void {
    if (this.#givingUp !== null) {
      this.#fail([chunkOf(pending, indexes)], null, `produce to ${topic}`, this.#givingUp);
      return;
    }
    const known = this.#topics.known(topic);
    if (known !== null) {
      this.#place(pending, topic, indexes, known);
      return;
    }
    this.#topics.get(topic, (count) => {
      if (count instanceof Error) {
        const act = `produce to ${topic} as its number of partitions must be known`;
        this.#fail([chunkOf(pending, indexes)], null, act, count);
      } else {
        this.#place(pending, topic, indexes, count);
      }
    });
  }

  /** Parts the records of one topic by partition. All of them get a partition, or none is sent. */
  #place(pending: Pending, topic: string, indexes: readonly number[], count: number): void {
    const { linger, partitioning } = this.#options;
    const chosen = new Map<number, number[]>();
    try {
      for (const index of indexes) {
        const { given } = pending.records[index] as CheckedRecord;
        const partition = choosePartition(given, partitioning, count);
        if (indexes.length === 1) {
          this.#sender.add(topic, partition, chunkOf(pending, indexes));
          return;
        }
        const same = chosen.get(partition);
        if (same === undefined) chosen.set(partition, [index]);
        else same.push(index);
      }
    } catch (error) {
      const act = `produce to ${topic} as a partition must be chosen`;
      this.#fail([chunkOf(pending, indexes)], null, act, error);
      return;
    }
    const limits = this.#sink.opened?.partsCalls === true ? linger : null;
    for (const [partition, all] of chosen) {
      for (const part of partRecords(pending.records, all, limits)) {
        this.#sender.add(topic, partition, chunkOf(pending, part));
      }
    }
  }

  #stored(request: Request, { baseOffset, offsets }: Stored): void {
    const { chunks, queue, batch, attempts } = request;
    const { partition } = queue;
    const queueTimeMs = request.firstSentAtMs - request.bufferedAtMs;
    const requestLatencyMs = this.#options.clock.now() - request.sentAtMs;
    this.#queueTimeMs.add(queueTimeMs);
    this.#requestLatencyMs.add(requestLatencyMs);
    this.#batchRecords.add(batch.records.length);
    this.#batches += 1;
    this.#delivered += batch.records.length;
    const offsetAt = (at: number): number | undefined =>
      offsets?.[at] ?? (baseOffset === undefined ? undefined : baseOffset + at);
    let at = 0;
    for (const chunk of chunks) {
      for (let i = 0; i < chunk.records.length; i++) {
        const record = chunk.records[i] as CheckedRecord;
        chunk.call.settle(record, chunk.indexes[i] as number, partition, offsetAt(at++));
      }
      this.#leave(chunk);
    }
    if (!this.events.has("delivered")) return;
    this.events.emit("delivered", {
      topic: queue.topic,
      partition,
      records: chunks.flatMap(({ records }) => records.map(({ given }) => given)),
      offsets: batch.records.map((_, index) => offsetAt(index)),
      attempts,
      queueTimeMs,
      requestLatencyMs,
    });
  }

  #refused({ chunks, queue }: Request, cause: unknown): void {
    const act = `produce to ${nameOf(queue)} as the sink must store the batch`;
    this.#fail(chunks, queue.partition, act, cause);
  }

  #retrying({ queue, batch, attempts }: Request, cause: unknown): void {
    this.#retries += 1;
    const error = errorInfo(cause);
    const { topic, partition } = queue;
    const count = batch.records.length;
    // Once is enough for the log: an outage has many attempts.
    if (attempts === 1) {
      const message = `A batch for ${nameOf(queue)} is sent again: ${error.message}`;
      this.#options.logger.warn(message, { records: count });
    }
    this.events.emit("retried", { topic, partition, count, attempts, error });
  }

  /** Ends records with an error: "Cannot <act>: received <cause>". */
  #fail(chunks: readonly Chunk[], partition: number | null, act: string, cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : show(cause);
    // A sink's own ProduceError says all of it.
    const message = cause instanceof ProduceError ? reason : `Cannot ${act}: received ${reason}`;
    const retriable = (cause as { retriable?: unknown } | null)?.retriable === true;
    let records = 0;
    for (const { indexes } of chunks) records += indexes.length;
    this.#failed += records;
    this.#options.logger.warn(message, { records });
    for (const chunk of chunks) {
      for (const [i, record] of chunk.records.entries()) {
        const error = new ProduceError(message, { cause, retriable });
        this.#failures.add(error);
        const index = chunk.indexes[i] as number;
        chunk.call.settle(record, index, partition ?? -1, undefined, error);
      }
      this.#leave(chunk);
    }
  }

  /** A failure that no promise tells. */
  #tell(record: ProducerRecord, partition: number, error: ProduceError): void {
    if (!this.events.has("error")) return;
    const { topic } = record;
    const at = partition < 0 ? null : partition;
    this.events.emit("error", { error: errorInfo(error), record, topic, partition: at });
  }

  #leave(chunk: Chunk): void {
    this.#bufferedRecords -= chunk.records.length;
    this.#gate.leave(chunk.byteLength);
  }

  /** Sends everything without lingering, and waits for the calls made so far. */
  async #settleAll(): Promise<void> {
    this.#flushes += 1;
    this.#sender.hurry();
    await this.#openCalls.ended();
    this.#flushes -= 1;
  }

  async #partitionCount(topic: string): Promise<number> {
    const sink = await this.#sink.open();
    const count = await sink.partitionCount(topic);
    invariant(Number.isSafeInteger(count) && count > 0, `${topic} has a partition`);
    return count;
  }
}

function nameOf({ topic, partition }: PartitionQueue): string {
  return `${topic}#${partition}`;
}

function chunkOf(pending: Pending, indexes: readonly number[]): Chunk {
  const { call, delivery, bufferedAtMs } = pending;
  // The records of a call mostly stay together.
  const whole = indexes.length === pending.records.length;
  const records = whole
    ? pending.records
    : indexes.map((index) => pending.records[index] as CheckedRecord);
  let byteLength = 0;
  for (const record of records) byteLength += record.byteLength;
  return { call, records, indexes, byteLength, delivery, bufferedAtMs };
}
