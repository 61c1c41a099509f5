/**
 * What users write against: messages, handlers and what handlers get, partitioners, reducers.
 *
 * Offsets are safe integers, times are milliseconds, bytes are `Uint8Array` (a `Buffer` where the runtime has one).
 */

/** A topic and one of its partitions. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Headers of a message. A name may occur more than once. */
export interface MessageHeaders {
  /** First value of the name, or null. */
  get(name: string): Uint8Array | null;
  /** First value of the name as UTF-8 text, or null. */
  text(name: string): string | null;
  has(name: string): boolean;
  /** All pairs in the client's order, duplicates included. */
  entries(): readonly (readonly [name: string, value: Uint8Array])[];
}

/** One message, read in place: nothing is copied or converted before it is touched. */
export interface Message<T = unknown> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch, as the producer or the broker set it. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: MessageHeaders;
  /**
   * The value through the topic's deserializer (the bytes themselves without one); made once, on first access.
   *
   * @throws {DeserializeError} When the deserializer throws; uncaught, it fails the attempt.
   */
  readonly payload: T;
  /** The key as UTF-8 text. */
  keyText(): string | null;
  /** The value as UTF-8 text. */
  text(): string | null;
  /** The value parsed as JSON; a null value gives null. */
  json<V = T>(): V;
  /** A copy to keep after the call: the original keeps its whole fetch response alive. */
  detach(): Message<T>;
}

/** A parallel segment: one of several groups that share the messages of a partition. */
export interface SegmentInfo {
  /** In [0, count). */
  readonly index: number;
  readonly count: number;
  /** The group that the segments come from: the `groupId` of the consumer's options. */
  readonly origin: string;
}

/** What `eachMessage` gets beside the message. Valid until the call settles (rule H3). */
export interface MessageContext<T = unknown> {
  /** Virtual partition that handles this call, in [0, maxPartitions). */
  readonly virtualPartition: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly collapsed: boolean;
  /** Of a segment: its own group, such as `orders-parallel-0`. */
  readonly groupId: string;
  /** Absent outside of parallel segments. */
  readonly segment?: SegmentInfo | undefined;
  /** Aborts when the lease is lost or a drain deadline or `handlerTimeoutMs` passes; made on first access. */
  readonly signal: AbortSignal;
  /** True once no new call will start: finish or stop early. */
  readonly draining: boolean;
  /** The user text that was stored with the committed offset, as read at assignment. */
  readonly offsetMetadata: string | null;
  /**
   * Marks a message and every earlier one handed to the same virtual partition (`per-key`: of the same key).
   *
   * @param message Default: the message of this call (batches: the last one).
   * @returns false once the lease is over, and then nothing changed.
   */
  markAsConsumed(message?: Message<T>, metadata?: string): boolean;
  /** Another virtual partition of this partition has just failed. */
  readonly failing: boolean;
  /**
   * Runs alone among the lanes of this topic partition, in all consumers of the group in this process; answers what
   * `fn` answers.
   */
  synchronize<R>(fn: () => R | Promise<R>): Promise<R>;
  /** From the next call on messages run one at a time, in offset order, up to and including this offset. */
  collapseUntil(offset: number): void;
  /** The whole topic partition starts no call for so many milliseconds; the latest end wins. */
  pause(ms: number): void;
  /**
   * Text that is stored with the committed offset.
   *
   * @throws {RangeError} Above maxMetadataLength − 64 UTF-16 units.
   */
  setOffsetMetadata(text: string): void;
  /** Sends a message to the dead letter topic and marks it alone; resolves once both are done. */
  deadLetter(message: Message<T>, reason?: string): Promise<void>;
}

/** What `eachBatch` and `consume` get: messages of one virtual partition, offsets ascending. */
export interface Batch<T = unknown> extends MessageContext<T> {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly Message<T>[];
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** High watermark − last offset − 1 when the batch was polled; 0 when the client does not say. */
  readonly lag: number;
}

/** Which virtual partition a long-lived consumer is for. */
export interface VirtualPartitionInfo {
  readonly topic: string;
  readonly partition: number;
  readonly virtualPartition: number;
  readonly groupId: string;
  readonly segment?: SegmentInfo | undefined;
}

/** A long-lived consumer of one virtual partition (rules C1–C3). */
export interface VirtualPartitionConsumer<T = unknown> {
  consume(batch: Batch<T>): void | Promise<void>;
  /** Runs when the lease begins to drain, after the running call and before the last commit. */
  flush?(): void | Promise<void>;
  /** Runs at close, before the last commit. */
  shutdown?(): void | Promise<void>;
  /** Runs once the lease has ended. */
  revoked?(): void | Promise<void>;
}

/** A partition key as reducers get it: bytes as bytes, everything else as text, null for none. */
export type PartitionKey = string | Uint8Array | null;

/** Chooses the key whose messages keep their order. Runs once per message, in offset order, on the polling thread. */
export type Partitioner<T = unknown> = (
  message: Message<T>,
) => string | number | bigint | Uint8Array | null | undefined;

/** Chooses a virtual partition for a key: an integer in [0, maxPartitions). */
export type Reducer = (key: PartitionKey, maxPartitions: number) => number;

/** Makes the payload of a message from its bytes. */
export type Deserializer<T> = (value: Uint8Array | null, message: Message<unknown>) => T;

/** A pending timer of a clock. */
export type TimerHandle = unknown;

/** Time as headrace sees it; tests put a fake one in its place. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since the epoch. */
  wallTime(): number;
  setTimer(callback: () => void, ms: number): TimerHandle;
  clearTimer(handle: TimerHandle): void;
  /** Runs the callback in a later turn of the event loop, after pending I/O. */
  defer(callback: () => void): void;
}

/** Where log lines go. */
export interface Logger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

/** One record to produce. */
export interface ProducerRecord {
  readonly topic: string;
  readonly key?: string | Uint8Array | null;
  readonly value: string | Uint8Array | null;
  readonly headers?: Readonly<Record<string, string | Uint8Array | (string | Uint8Array)[]>>;
  /** Explicit partition; wins over any partitioning. */
  readonly partition?: number;
  /** Milliseconds since the epoch; default: now. */
  readonly timestamp?: number;
  /** 16 bytes or a UUID: what the embedded log's deduplication compares. */
  readonly id?: Uint8Array | string;
  readonly partitioning?: Partitioning;
}

/** Chooses the partition of a record: an integer in [0, partitionCount). */
export interface Partitioning {
  calculatePartitionId(topic: string, record: ProducerRecord, partitionCount: number): number;
}
