import { realpathSync } from "node:fs";
import { ClosedError, HeadraceError, LogError } from "../errors.ts";
import type { SinkRecord } from "../source/source.ts";
import type { Clock } from "../types.ts";
import { claimDirectory } from "./claim-directory.ts";
import { commitOffsets, type OffsetToCommit } from "./commit-offsets.ts";
import { errorCode } from "./files.ts";
import type { LogListeners } from "./log-events.ts";
import type { Log, StoredOffset } from "./log-interface.ts";
import {
  conflict,
  type LogOptions,
  type ResolvedLogOptions,
  resolveLogOptions,
  resolveReaderOptions,
  topicName,
  topicRequest,
} from "./log-options.ts";
import { type AppendResult, appendTo, type WriterShare } from "./log-sink.ts";
import type { ReaderShare } from "./log-source.ts";
import { LogStore } from "./log-store.ts";
import {
  deleteGroupIn,
  groupProcessIn,
  type LogProcess,
  type LogSegment,
  segmentsIn,
  topicOptionsIn,
} from "./maintenance.ts";
import type { StoredBatch } from "./read-batches.ts";
import type { ReadablePartition, ReadableTopic } from "./readable.ts";
import type { Visibility } from "./reader-partition.ts";
import { ReaderStore } from "./reader-store.ts";
import { partitionDirectory } from "./segment-names.ts";
import type { TopicOverrides } from "./topic-options.ts";
import type { RetainReport } from "./topic-retention.ts";
import { watchTopic } from "./watch-topic.ts";

export type { Log, StoredOffset } from "./log-interface.ts";

const DEFAULT_READ_BYTES: number = 1 << 20;

interface Opened {
  /** In `opened`. */
  readonly key: string;
  readonly store: LogStore | ReaderStore;
  users: number;
  closing: Promise<void> | undefined;
}

/** Logs open in this process: for writing by real path, for reading by visibility too. */
const opened = new Map<string, Opened>();

/** One use of an open log; the files close with the last one. */
export class LogHandle implements Log, WriterShare, ReaderShare {
  readonly #opened: Opened;
  readonly #listeners: LogListeners;
  readonly #watches = new Set<() => void>();
  #closed: Promise<void> | undefined;

  /** @param listeners Removed from the log's events when this use of it ends. */
  constructor(of: Opened, listeners: LogListeners = {}) {
    of.users++;
    this.#opened = of;
    this.#listeners = listeners;
  }

  /** The shared log behind this handle. */
  get store(): LogStore | ReaderStore {
    if (this.#closed !== undefined) {
      throw new ClosedError("Cannot use the log as it is closed: received a call");
    }
    return this.#opened.store;
  }

  /** The same, for writing. @throws {LogError} When it is open for reading only. */
  get writer(): LogStore {
    const { store } = this;
    if (store instanceof LogStore) return store;
    throw new LogError(
      `Cannot write to the log as it must not be open for reading only: received ${store.root}`,
    );
  }

  /** The same, for reading beside a writer. @throws {LogError} When it is open for writing. */
  get reader(): ReaderStore {
    const { store } = this;
    if (store instanceof ReaderStore) return store;
    throw new LogError(
      `Cannot read beside a writer as the log must be open for reading only: received ${store.root}`,
    );
  }

  /** One more use of the same log. @throws {LogError} When it is open for reading only. */
  shareWriter(): LogHandle {
    return this.writer && new LogHandle(this.#opened);
  }

  async topics(): Promise<{ topic: string; partitions: number }[]> {
    const { store } = this;
    store.refresh();
    return store.topics().map(({ name, partitions }) => {
      return { topic: name, partitions: partitions.length };
    });
  }

  async createTopic(
    topic: string,
    partitions: number,
    options: TopicOverrides = {},
  ): Promise<void> {
    if (this.writer.topic(topicName(topic)) !== undefined) {
      throw new LogError(`Cannot create a topic as its name must be new: received ${topic}`);
    }
    this.writer.ensureTopic(topic, topicRequest("topic", { ...options, partitions }));
  }

  async append(
    topic: string,
    partition: number,
    records: readonly SinkRecord[],
  ): Promise<AppendResult> {
    return appendTo(this.writer, { topic, partition, records });
  }

  async read(
    topic: string,
    partition: number,
    offset: number,
    maxBytes: number = DEFAULT_READ_BYTES,
  ): Promise<readonly StoredBatch[]> {
    return this.#partition(topic, partition).read(offset, maxBytes);
  }

  async bounds(topic: string, partition: number): Promise<{ logStart: number; logEnd: number }> {
    const { logStart, logEnd } = this.#partition(topic, partition);
    return { logStart, logEnd };
  }

  onAppend(topic: string, listener: () => void): () => void {
    this.#topic(topic);
    const stop = watchTopic(this.store, topic, listener);
    this.#watches.add(stop);
    return () => {
      this.#watches.delete(stop);
      stop();
    };
  }

  async groups(topic: string): Promise<string[]> {
    const { groups } = this.#topic(topic);
    return groups.groupIds().filter((groupId) => groups.all(groupId).size > 0);
  }

  async committed(groupId: string, topic: string): Promise<StoredOffset[]> {
    const { partitions, groups } = this.#topic(topic);
    return partitions.map((_, partition) => {
      const stored = groups.get(groupId, partition);
      return { partition, offset: stored?.offset ?? null, metadata: stored?.metadata ?? "" };
    });
  }

  async commit(groupId: string, topic: string, offsets: readonly OffsetToCommit[]): Promise<void> {
    for (const { partition } of offsets) this.#partition(topic, partition);
    commitOffsets(this.#topic(topic), groupId, offsets);
  }

  async retain(options: { topic?: string; dryRun?: boolean } = {}): Promise<RetainReport> {
    return this.writer.retain(options.topic, options.dryRun ?? false);
  }

  async offsetForTime(
    topic: string,
    partition: number,
    timestampMs: number,
  ): Promise<number | null> {
    if (typeof timestampMs !== "number" || Number.isNaN(timestampMs)) {
      const rule = "the time must be a number of milliseconds since the epoch";
      throw new TypeError(`Cannot look for a time as ${rule}: received ${String(timestampMs)}`);
    }
    return this.#partition(topic, partition).offsetForTime(timestampMs) ?? null;
  }

  async segments(topic: string, partition: number): Promise<LogSegment[]> {
    this.#partition(topic, partition);
    return segmentsIn(partitionDirectory(this.#topic(topic).directory, partition));
  }

  async topicOptions(topic: string): Promise<TopicOverrides> {
    return topicOptionsIn(this.#topic(topic));
  }

  async groupProcess(groupId: string, topic: string): Promise<LogProcess | null> {
    return groupProcessIn(this.#topic(topic), groupId);
  }

  async deleteTopic(topic: string): Promise<void> {
    this.writer.deleteTopic(topic);
  }

  async deleteGroup(groupId: string, topic?: string): Promise<string[]> {
    this.store.refresh();
    const topics = topic === undefined ? this.store.topics() : [this.#topic(topic)];
    return deleteGroupIn(topics, groupId);
  }

  close(): Promise<void> {
    for (const stop of this.#watches) stop();
    this.#closed ??= release(this.#opened, this.#listeners);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #topic(name: string): ReadableTopic {
    const { store } = this;
    store.refresh();
    const topic = store.topic(name);
    if (topic !== undefined) return topic;
    throw new LogError(`Cannot use the log as the topic must exist: received ${name}`);
  }

  #partition(topic: string, partition: number): ReadablePartition {
    const log = this.#topic(topic).partitions[partition];
    log?.refresh();
    if (log !== undefined) return log;
    throw new LogError(
      `Cannot use the log as the partition must exist: received ${topic}#${partition}`,
    );
  }
}

/**
 * Opens the log in a directory, made when it is missing: for writing, which one process can do at a
 * time, or with `readOnly` beside it. In one process all opens for writing of one directory share
 * it, under the options of the first; topics named by later ones are made too.
 *
 * @throws {TypeError | RangeError} For a wrong option, naming it.
 * @throws {LogError} When another process writes there, or the directory cannot be a log's; with `readOnly`, when there is no log.
 * @throws {CorruptLogError} When damage is found that is not a torn tail.
 * @example
 * const log = await openLog("./data", { topics: { orders: { partitions: 4 } } });
 */
export async function openLog(directory: string, options: LogOptions = {}): Promise<Log> {
  const { readOnly, visibility } = resolveReaderOptions(options);
  if (readOnly) return openReader(directory, visibility);
  return openHandle(directory, resolveLogOptions(options));
}

/**
 * @internal Opens the log for reading, beside whoever writes it.
 *
 * @throws {LogError} When there is no log in the directory.
 */
export async function openReader(
  directory: string,
  visibility: Visibility = "written",
): Promise<LogHandle> {
  const root = existing(directory);
  const key = `${visibility} ${root}`;
  while (opened.get(key)?.closing) await opened.get(key)?.closing;
  const use: Opened = opened.get(key) ?? {
    ...{ key, store: new ReaderStore(root, visibility) },
    ...{ users: 0, closing: undefined },
  };
  opened.set(key, use);
  return new LogHandle(use);
}

/** @internal `openLog()` with checked options, and another clock in tests. */
export async function openHandle(
  directory: string,
  options: ResolvedLogOptions,
  clock?: Clock,
): Promise<LogHandle> {
  const root = claimDirectory(directory);
  // What goes wrong there is told to whoever closes it.
  while (opened.get(root)?.closing) await opened.get(root)?.closing?.catch(() => {});
  try {
    return await openRoot(root, options, clock);
  } catch (cause) {
    if (HeadraceError.is(cause) || errorCode(cause) === undefined) throw cause;
    // A full disk, for one.
    const rule = "Cannot open the log as its files must be readable and writable";
    throw new LogError(`${rule}: received ${String(cause)} in ${root}`, { cause });
  }
}

async function openRoot(
  root: string,
  options: ResolvedLogOptions,
  clock: Clock | undefined,
): Promise<LogHandle> {
  const known = opened.get(root);
  if (known !== undefined) checkSameOptions(known.store as LogStore, options);
  const use: Opened = known ?? {
    ...{ key: root, store: new LogStore(root, options, clock) },
    ...{ users: 0, closing: undefined },
  };
  opened.set(root, use);
  const handle = new LogHandle(use, options.on);
  handle.writer.events.add(options.on);
  try {
    for (const [topic, request] of options.topics) handle.writer.ensureTopic(topic, request);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

function checkSameOptions(store: LogStore, options: ResolvedLogOptions): void {
  const differs = conflict(store.options, options);
  if (differs === undefined) return;
  throw new LogError(
    "Cannot open the log with other options as this process has it open already: " +
      `received ${differs}`,
  );
}

async function release(of: Opened, listeners: LogListeners): Promise<void> {
  of.users--;
  if (of.users === 0) {
    of.closing = Promise.resolve(of.store.close()).finally(() => {
      of.closing = undefined;
      opened.delete(of.key);
    });
    await of.closing;
  }
  if (of.store instanceof LogStore) of.store.events.remove(listeners);
}

function existing(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (cause) {
    if (errorCode(cause) !== "ENOENT") throw cause;
    const rule = "Cannot read a log as its directory must exist";
    throw new LogError(`${rule}: received ${directory}`, { cause });
  }
}
