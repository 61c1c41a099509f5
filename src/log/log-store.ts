import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ClosedError, CorruptLogError, LogError } from "../errors.ts";
import type { Clock, TimerHandle } from "../types.ts";
import type { GroupOffsets } from "./group-offsets.ts";
import { setWrittenHere, tellLocalWrite } from "./local-wakes.ts";
import { LockFile, sweepContenders } from "./lock-file.ts";
import { inBackground, logClock } from "./log-clock.ts";
import { LogEventHub } from "./log-events.ts";
import type { ResolvedLogOptions, TopicRequest } from "./log-options.ts";
import {
  listNamedDirectories,
  removeNamedDirectory,
  sweepTemporary,
  writeJson,
} from "./named-directory.ts";
import type { ReadableStore } from "./readable.ts";
import { Retention } from "./retention.ts";
import { checkFormat, FORMAT_VERSION, readStoreJson, STORE_FILE } from "./store-json.ts";
import { TOPIC_FILE } from "./topic-json.ts";
import { TopicLog } from "./topic-log.ts";
import type { RetainReport } from "./topic-retention.ts";
import { Writer } from "./writer.ts";

/** Time between signs of life in `LOCK`. */
const HEARTBEAT_MS = 5000;

/**
 * The one writer of a log directory: holds the lock, owns topics and the sync timer.
 *
 * Handles (log.ts) share it inside a process.
 */
export class LogStore implements ReadableStore {
  readonly root: string;
  readonly options: ResolvedLogOptions;
  readonly clock: Clock;
  readonly events: LogEventHub = new LogEventHub();
  readonly #retention: Retention;
  readonly #lock: LockFile;
  readonly #topics = new Map<string, TopicLog>();
  readonly #writer: Writer;
  #heartbeat: TimerHandle;
  #syncTimer: TimerHandle;
  /** The last of the syncs, which run one after the other. */
  #syncing: Promise<void> = Promise.resolve();
  #closed = false;
  #fenced = false;

  /**
   * Takes the lock, raises the writer epoch, recovers every partition.
   *
   * @param clock Times and timers; `logClock` but in tests.
   * @throws {LogError} When another process writes here.
   * @throws {CorruptLogError} For damage that is not a torn tail.
   */
  constructor(root: string, options: ResolvedLogOptions, clock: Clock = logClock) {
    this.root = root;
    this.options = options;
    this.clock = clock;
    this.events.add(options.on);
    const lockPath = join(root, "LOCK");
    this.#lock = new LockFile(lockPath);
    setWrittenHere(root, true);
    this.#retention = new Retention(() => this.topics(), options.automaticRetention, {
      clock,
      events: this.events,
      mayWrite: (topic) => {
        return !this.#closed && this.#topics.get(topic.name) === topic && this.#fence();
      },
    });
    const sealed = (): void => this.#retention.soon();
    try {
      const writerEpoch = raiseEpoch(root);
      const wrote = (): void => this.wrote();
      this.#writer = new Writer({
        writerEpoch,
        options,
        clock,
        events: this.events,
        wrote,
        sealed,
      });
      this.#beat();
      sweepContenders(lockPath);
      sweepTemporary(this.#topicsDirectory);
      for (const found of listNamedDirectories(this.#topicsDirectory, TOPIC_FILE)) {
        this.#topics.set(found.json.name, new TopicLog(found, this.#writer));
      }
      this.#tellTornTails();
      // Only then is it worth reading what groups have stored.
      if (options.on.offsetAheadOfLog !== undefined) this.#tellOffsetsAhead();
      this.#retention.soon();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** @throws {ClosedError} */
  topic(name: string): TopicLog | undefined {
    if (this.#closed) {
      throw new ClosedError(`Cannot use the log as it is closed: received ${name}`);
    }
    return this.#topics.get(name);
  }

  topics(): readonly TopicLog[] {
    return [...this.#topics.values()];
  }

  /** Makes the topic, or adds what it lacks. */
  ensureTopic(name: string, request: TopicRequest): TopicLog {
    const known = this.topic(name);
    const changed = known?.change(request) ?? true;
    const topic = known ?? TopicLog.create(this.#topicsDirectory, name, request, this.#writer);
    this.#topics.set(name, topic);
    // Its options may be new.
    this.#retention.soon();
    if (changed) tellLocalWrite(this.#topicsDirectory);
    return topic;
  }

  /**
   * Removes a topic with all that is in it.
   *
   * @throws {LogError} When there is no such topic, or another writer has taken over.
   */
  deleteTopic(name: string): void {
    const topic = this.topic(name);
    if (topic === undefined || !this.#fence()) {
      const received = topic === undefined ? name : `${name}, and another process has taken over`;
      throw new LogError(`Cannot delete a topic as it must exist here: received ${received}`);
    }
    this.#topics.delete(name);
    topic.abandon();
    removeNamedDirectory(topic.directory);
    tellLocalWrite(this.#topicsDirectory);
  }

  /** Nobody else changes anything here. */
  refresh(): void {}

  /** Another writer has taken over: nothing may be written any more. */
  get fenced(): boolean {
    return this.#fenced;
  }

  /**
   * Removes now what is over by the options of the topics.
   *
   * @param name Of one topic; undefined for all.
   * @param dryRun true: only says what would be removed.
   * @throws {LogError} For a topic that does not exist.
   */
  async retain(name: string | undefined, dryRun: boolean): Promise<RetainReport> {
    const topic = name === undefined ? undefined : this.topic(name);
    if (name !== undefined && topic === undefined) {
      throw new LogError(`Cannot retain as the topic must exist: received ${name}`);
    }
    return this.#retention.retain(topic === undefined ? this.topics() : [topic], dryRun);
  }

  /** Asks for a sync within the interval. */
  wrote(): void {
    if (this.#syncTimer !== undefined || this.#closed || this.#fenced) return;
    if (this.options.sync === "never") return;
    const timer = this.clock.setTimer(() => {
      this.#syncTimer = undefined;
      void this.sync().then(() => {
        if (this.#anyDirty()) this.wrote();
      });
    }, this.options.syncIntervalMs);
    // What is not synced when the process ends is in the system's hands and will be written.
    this.#syncTimer = inBackground(timer);
  }

  /**
   * Makes everything appended before the call durable. Never rejects: partitions that fail take no
   * more writes.
   */
  async sync(): Promise<void> {
    this.#writer.flushes.flush();
    this.#syncing = this.#syncing.then(() => this.#syncAll());
    await this.#syncing;
  }

  /** Syncs, closes all files, gives the lock back. */
  async close(): Promise<void> {
    this.#closed = true;
    this.clock.clearTimer(this.#syncTimer);
    this.#writer.flushes.flush();
    await Promise.all([this.#syncing, this.#retention.stop()]);
    this.#fence();
    this.#release();
  }

  get #topicsDirectory(): string {
    return join(this.root, "topics");
  }

  #anyDirty(): boolean {
    return this.topics().some((topic) => topic.partitions.some(({ dirty }) => dirty));
  }

  async #syncAll(): Promise<void> {
    if (!this.#fence()) return;
    for (const topic of this.topics()) {
      for (const partition of topic.partitions) if (partition.dirty) await partition.sync();
    }
  }

  /** False once another writer has raised the epoch: this one must not write any more. */
  #fence(): boolean {
    const epoch = currentEpoch(this.root);
    if (epoch === this.#writer.writerEpoch) return true;
    this.#fenced = true;
    for (const topic of this.topics()) {
      for (const partition of topic.partitions) {
        if (epoch === undefined) partition.refuse(`its ${STORE_FILE} must be there`, "none");
        else partition.refuse("another process has taken over", `writer epoch ${epoch}`);
      }
    }
    return false;
  }

  #beat(): void {
    try {
      this.#lock.beat(this.#writer.writerEpoch);
    } catch {
      // Others take a log over for want of a sign of life, and then the fence closes this one.
    }
    this.#fence();
    this.#heartbeat = inBackground(this.clock.setTimer(() => this.#beat(), HEARTBEAT_MS));
  }

  #tellTornTails(): void {
    for (const topic of this.topics()) {
      for (const event of topic.tornTails) this.events.emit("tornTail", event);
    }
  }

  /** Tells groups that have read what a crash has taken: an offset will be given again. */
  #tellOffsetsAhead(): void {
    for (const { name: topic, partitions, groups } of this.topics()) {
      for (const groupId of groups.groupIds()) {
        for (const { place, logEnd } of partitions) {
          const { partition } = place;
          const offset = offsetOf(groups, groupId, partition);
          if (offset <= logEnd) continue;
          this.events.emit("offsetAheadOfLog", { groupId, topic, partition, offset, logEnd });
        }
      }
    }
  }

  #release(): void {
    this.clock.clearTimer(this.#heartbeat);
    setWrittenHere(this.root, false);
    const errors: unknown[] = [];
    for (const topic of this.#topics.values()) {
      for (const partition of topic.partitions) {
        try {
          partition.close();
        } catch (error) {
          errors.push(error);
        }
      }
    }
    this.#lock.release();
    if (errors.length > 0) {
      throw new LogError(
        `Cannot close the log cleanly as the last sync must succeed: received ${String(errors[0])}`,
        { cause: errors[0] },
      );
    }
  }
}

/** 0 for none, and for one that is damaged, which whoever runs the group is told. */
function offsetOf(groups: GroupOffsets, groupId: string, partition: number): number {
  try {
    return groups.get(groupId, partition)?.offset ?? 0;
  } catch (error) {
    if (error instanceof CorruptLogError) return 0;
    throw error;
  }
}

/** Makes the directory, and gives it the format and the next epoch. */
function raiseEpoch(root: string): number {
  const found = readStoreJson(root);
  if (found !== undefined) checkFormat(found);
  const writerEpoch = (found?.writerEpoch ?? 0) + 1;
  const storeId = found?.storeId ?? randomUUID();
  mkdirSync(join(root, "topics"), { recursive: true });
  writeJson(join(root, STORE_FILE), { format: FORMAT_VERSION, storeId, writerEpoch });
  return writerEpoch;
}

/** The epoch on disk; undefined when it is gone, text when it cannot be read: nobody's epoch. */
function currentEpoch(root: string): number | string | undefined {
  try {
    return readStoreJson(root)?.writerEpoch;
  } catch (error) {
    return String(error);
  }
}
