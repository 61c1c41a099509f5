/** What a consumer can be told. Every option is validated once, by `resolveOptions()`. */
import type { SourceFactory } from "./source/source.ts";
import type {
  Batch,
  Clock,
  Deserializer,
  Logger,
  Message,
  MessageContext,
  Partitioner,
  ProducerRecord,
  Reducer,
  VirtualPartitionConsumer,
  VirtualPartitionInfo,
} from "./types.ts";

/** Options of `createConsumer()`. `P` maps each topic to its payload type. */
export interface ConsumerOptions<P extends Record<string, unknown> = Record<string, unknown>> {
  /** The log client; opened once per consumer. */
  source: SourceFactory;
  /** Kafka's consumer group. */
  groupId: string;
  /** What to do with each topic, by exact name. At least one. */
  topics: { [K in keyof P]: TopicOptions<P[K]> };
  /** Handler calls running at once in this process, 1…100,000. Default 10. Changeable on the consumer. */
  concurrency?: number;
  /** Threads for `module` handlers, 1…1024. Default: as many as the process may use processors. */
  workers?: number;
  /** Messages polled whose call has not ended, all partitions; at least the largest `maxMessages`. Default 10,000. */
  maxInFlightMessages?: number;
  /** Bytes of the same. Default 64 MiB; at least 64 KiB. */
  maxInFlightBytes?: number;
  /** Messages per partition whose call ended without a mark (manual). Default 100,000. */
  maxUnmarkedMessages?: number;
  /** Milliseconds between commits, 10…3,600,000. Default 1000. */
  commitIntervalMs?: number;
  /** Milliseconds that revoke and close wait for running handlers, 0…3,600,000. Default 20,000. */
  drainTimeoutMs?: number;
  /**
   * Milliseconds after which a call's `signal` aborts and `stalled` is emitted, 1 or more. Default: never. A worker
   * thread whose call ignores that for `drainTimeoutMs` is ended and replaced.
   */
  handlerTimeoutMs?: number;
  /** Milliseconds with lag and no mark before `stalled` is emitted, 1000 or more. Default 60,000. */
  stallMs?: number;
  /** Where to go on when the committed offset is outside the log. Default "earliest". */
  onOutOfRange?: "earliest" | "latest" | "error";
  /** Time source; tests pass a fake one. */
  clock?: Clock;
  /** Where a group without an offset starts. Default false: at the end, as Kafka clients do. */
  fromBeginning?: boolean;
  /** How completed offsets travel in the commit metadata: "ascii" for brokers that count bytes. Default "dense". */
  offsetMap?: "dense" | "ascii" | "off";
  /** UTF-16 units of commit metadata that the broker accepts, 128…32,767. Default 4096, as Kafka's own. */
  maxMetadataLength?: number;
  /** Several groups over one partition, each with its share of the keys. Default: off. */
  parallelSegments?: ParallelSegmentsOptions;
  /** Group members of this process. Only 1. */
  connections?: number;
  /** Closes the consumer when it aborts. */
  signal?: AbortSignal;
  /** Where log lines go; false silences them. Default: the console, warnings and errors. */
  logger?: Logger | false;
}

/** Options of one topic: the common ones and exactly one handler. */
export type TopicOptions<T = unknown> = CommonTopicOptions<T> & OneHandler<T>;

/** Exactly one way to handle messages. */
export type OneHandler<T> =
  | OneFunctionHandler<T>
  | HandlerForm<"module", URL | string | SpawnThread>;

/** Exactly one function that handles messages, or makes what handles them. */
export type OneFunctionHandler<T> =
  | HandlerForm<
      "eachMessage",
      (message: Message<T>, context: MessageContext<T>) => void | Promise<void>
    >
  | HandlerForm<"eachBatch", (batch: Batch<T>) => void | Promise<void>>
  | HandlerForm<"consumer", (info: VirtualPartitionInfo) => VirtualPartitionConsumer<T>>;

/**
 * Starts a thread of your own file, which calls `serve()` of `headrace/worker`. It is called for each thread, and for
 * each one that takes the place of a thread that has died.
 *
 * ```ts
 * module: () => new Worker(new URL("./orders.worker.js", import.meta.url))
 * ```
 */
export type SpawnThread = () => WorkerThread;

/** A `Worker` of `node:worker_threads`, as Node, Bun and Deno have it. */
export interface WorkerThread {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  terminate(): unknown;
  ref(): void;
  unref(): void;
}

type HandlerName = "eachMessage" | "eachBatch" | "consumer" | "module";
type HandlerForm<N extends HandlerName, H> = { [K in N]: H } & {
  [K in Exclude<HandlerName, N>]?: never;
};

/** Options that every handler form has. */
export interface CommonTopicOptions<T = unknown> {
  /**
   * Makes `message.payload`, on first access, inside the attempt. A `module` exports its own; then this one serves the
   * partitioner only.
   */
  deserializer?: Deserializer<T>;
  /** Absent: one lane per partition, strict partition order. true: the defaults. */
  virtualPartitions?: true | VirtualPartitionsOptions<T>;
  /** Most messages of one handler call, 1…100,000. Default 100. */
  maxMessages?: number;
  /** Milliseconds that an `eachBatch` call may wait to fill up to `maxMessages`. Default 0. */
  maxWaitMs?: number;
  /** "automatic": success marks; "manual": only the handler marks. Default "automatic". */
  acknowledge?: "automatic" | "manual";
  /** What a failed call holds back: its partition ("collapse", the default), or its virtual partition ("isolate"). */
  onError?: "collapse" | "isolate";
  retry?: RetryOptions;
  /** What becomes of messages that keep failing. Absent: they are retried for ever. */
  deadLetterQueue?: DeadLetterQueueOptions<T>;
}

/** How the messages of one partition are spread over lanes. */
export interface VirtualPartitionsOptions<T = unknown> {
  /** Default `byKey()`. */
  partitioner?: Partitioner<T>;
  /** Virtual partitions per topic partition, 1…65,536. Default: the concurrency at creation. */
  maxPartitions?: number;
  /** Default "consistent". */
  distribution?: "consistent" | "balanced" | "per-key";
  /** `consistent` only. Default `multiplyShift`. */
  reducer?: Reducer;
  /** Which text a commit carries: "exact" that of the highest committed message, "current" (default) the latest. */
  offsetMetadataStrategy?: "exact" | "current";
}

/** Back-off between attempts: backoffMs × multiplier^(attempt − 1), capped, with jitter. */
export interface RetryOptions {
  /** First wait in milliseconds, 1 or more. Default 1000. */
  backoffMs?: number;
  /** Longest wait in milliseconds. Default 30,000. */
  maxBackoffMs?: number;
  /** 1…10. Default 2. */
  multiplier?: number;
  /** Share of the wait that is random, 0…1. Default 0.2. */
  jitter?: number;
}

/** A failed attempt as a strategy sees it. */
export interface Failure<T = unknown> {
  readonly message: Message<T>;
  readonly error: unknown;
  readonly attempt: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly collapsed: boolean;
  readonly dispatchError?: unknown;
}

/** Where messages go that keep failing. */
export interface DeadLetterQueueOptions<T = unknown> {
  /** The dead letter topic; it must exist (the embedded log makes it). false: messages are skipped. */
  topic: string | false;
  /** Retries after the first attempt, 0…1,000,000; at least 1 with `onError: "collapse"`. Default 3. */
  maxRetries?: number;
  /** true: each message has its own budget. Default false: one of the partition, whole again with each progress. */
  independent?: boolean;
  /** Decides after each failure of a message, synchronously, in place of `maxRetries`. A throw counts as "retry". */
  strategy?: (failure: Failure<T>) => "retry" | "skip" | "dispatch" | { dispatch: string };
  /** Makes the record that is written. Default: key, value and headers of the message, and headers on the failure. */
  map?: (message: Message<T>, failure: Failure<T>) => ProducerRecord;
}

/**
 * Parallel segments: several consumer groups read the same partitions, and each handles its share of the keys. So one
 * partition is worked on by several processes or hosts.
 *
 * `groupId` becomes the groups `<groupId><mergeKey>0`, `1`, …: one for each segment, which handles the messages for
 * which `reducer(partitioner(message), count)` is its number. All processes must be given the same `count`,
 * `partitioner`, `reducer`, `mergeKey` and `version`; to change one of them, stop them all.
 */
export interface ParallelSegmentsOptions {
  /** How many segments there are, 1…65,536; 1: off. */
  count: number;
  /**
   * The key whose messages stay together. It must answer the same for a message whenever and wherever it is asked, so
   * `random()` and `roundRobin()` are refused. The message that it gets is valid during the call only.
   */
  partitioner: Partitioner<unknown>;
  /** Default `multiplyShift`. Pure, as the partitioner. */
  reducer?: Reducer;
  /** What stands between the group's name and the segment's number. Default "-parallel-". */
  mergeKey?: string;
  /**
   * A name for this way of sharing messages out, at most 24 bytes; to be changed with the partitioner or the reducer.
   * Commits carry it: a segment that finds another one stops with a SegmentError.
   */
  version?: string;
  /**
   * Where partitioner or reducer throw or answer what they may not: "segment-0" (default): the message belongs to
   * segment 0; "stop": its partition waits, and they are asked again with the topic's `retry` back-off.
   */
  onPartitionerError?: "segment-0" | "stop";
  /**
   * Segments that this process runs, by number; "all" (default): every one. Each is a group member of its own. Where
   * this is not given, the variable HEADRACE_SEGMENTS of the environment is looked at, such as "0,2".
   */
  run?: number[] | "all";
}
