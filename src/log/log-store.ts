import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ClosedError, CorruptLogError, LogError } from "../errors.ts";
import type { Clock, TimerHandle } from "../types.ts";
import { readIfThere } from "./files.ts";
import { LockFile } from "./lock-file.ts";
import { inBackground, logClock } from "./log-clock.ts";
import { LogEventHub } from "./log-events.ts";
import type { ResolvedLogOptions, TopicRequest } from "./log-options.ts";
import { listNamedDirectories, writeJson } from "./named-directory.ts";
import type { Writer } from "./partition-log.ts";
import { TopicLog } from "./topic-log.ts";

const FORMAT_VERSION = 1;
/** Time between signs of life in `LOCK`. */
const HEARTBEAT_MS = 5000;

interface StoreJson {
  readonly format: number;
  readonly storeId: string;
  readonly writerEpoch: number;
}

/**
 * The one writer of a log directory: holds the lock, owns topics and the sync timer.
 *
 * Handles (log.ts) share it inside a process.
 */
export class LogStore {
  readonly root: string;
  readonly options: ResolvedLogOptions;
  readonly clock: Clock;
  readonly events: LogEventHub = new LogEventHub();
  readonly #lock: LockFile;
  readonly #topics = new Map<string, TopicLog>();
  readonly #topicListeners = new Set<() => void>();
  readonly #writer: Writer;
  #heartbeat: TimerHandle;
  #syncTimer: TimerHandle;
  #syncing: Promise<void> | undefined;
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
    this.#lock = new LockFile(join(root, "LOCK"));
    try {
      const writerEpoch = raiseEpoch(root);
      this.#writer = { writerEpoch, options, clock, events: this.events };
      this.#beat();
      this.#sweepLocks();
      for (const found of listNamedDirectories(this.#topicsDirectory, "topic.json")) {
        this.#topics.set(found.json.name, new TopicLog(found, this.#writer));
      }
      this.#tellTornTails();
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
    if (changed) for (const listener of [...this.#topicListeners]) listener();
    return topic;
  }

  /** Calls back when a topic was made or has grown. @returns Removes the callback. */
  onTopicChange(listener: () => void): () => void {
    this.#topicListeners.add(listener);
    return () => {
      this.#topicListeners.delete(listener);
    };
  }

  /** Another writer has taken over: nothing may be written any more. */
  get fenced(): boolean {
    return this.#fenced;
  }

  /** Asks for a sync within the interval. */
  wrote(): void {
    if (this.#syncTimer !== undefined || this.#closed || this.#fenced) return;
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
   * Makes everything written before the call durable. Never rejects: partitions that fail take no
   * more writes.
   */
  async sync(): Promise<void> {
    await this.#syncing;
    this.#syncing = this.#syncAll();
    await this.#syncing;
  }

  /** Syncs, closes all files, gives the lock back. */
  async close(): Promise<void> {
    this.#closed = true;
    this.clock.clearTimer(this.#syncTimer);
    await this.#syncing;
    try {
      if (this.#fence()) for (const topic of this.#topics.values()) topic.groups.syncNow();
    } finally {
      this.#release();
    }
  }

  get #topicsDirectory(): string {
    return join(this.root, "topics");
  }

  #anyDirty(): boolean {
    return this.topics().some(
      (topic) => topic.groups.dirty || topic.partitions.some(({ dirty }) => dirty),
    );
  }

  async #syncAll(): Promise<void> {
    if (!this.#fence()) return;
    for (const topic of this.topics()) {
      for (const partition of topic.partitions) if (partition.dirty) await partition.sync();
      try {
        await topic.groups.sync();
      } catch (cause) {
        for (const partition of topic.partitions) partition.refuse("an offset sync failed", cause);
      }
    }
  }

  /** False once another writer has raised the epoch: this one must not write any more. */
  #fence(): boolean {
    const epoch = currentEpoch(this.root);
    if (epoch === this.#writer.writerEpoch) return true;
    this.#fenced = true;
    for (const topic of this.topics()) {
      for (const partition of topic.partitions) {
        partition.refuse("another process has taken over", `writer epoch ${epoch}`);
      }
    }
    return false;
  }

  #beat(): void {
    this.#lock.beat(this.#writer.writerEpoch);
    this.#heartbeat = inBackground(this.clock.setTimer(() => this.#beat(), HEARTBEAT_MS));
  }

  #tellTornTails(): void {
    for (const topic of this.topics()) {
      for (const event of topic.tornTails) this.events.emit("tornTail", event);
    }
  }

  /** What contenders for earlier locks left behind: nobody can win with it any more. */
  #sweepLocks(): void {
    for (const name of readdirSync(this.root)) {
      if (name.startsWith("LOCK.")) rmSync(join(this.root, name), { force: true });
    }
  }

  #release(): void {
    this.clock.clearTimer(this.#heartbeat);
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

/** Makes the directory, and gives it the format and the next epoch. */
function raiseEpoch(root: string): number {
  const found = readStore(root);
  if (found !== undefined && found.format !== FORMAT_VERSION) {
    throw new LogError(
      `Cannot open the log as its format must be ${FORMAT_VERSION}: received ${found.format}`,
    );
  }
  const writerEpoch = (found?.writerEpoch ?? 0) + 1;
  const storeId = found?.storeId ?? randomUUID();
  mkdirSync(join(root, "topics"), { recursive: true });
  writeJson(join(root, "store.json"), { format: FORMAT_VERSION, storeId, writerEpoch });
  return writerEpoch;
}

/** The epoch on disk; text when it cannot be read, which is nobody's epoch. */
function currentEpoch(root: string): number | string {
  try {
    return readStore(root)?.writerEpoch ?? "none";
  } catch (error) {
    return String(error);
  }
}

function readStore(root: string): StoreJson | undefined {
  const path = join(root, "store.json");
  const text = (readIfThere(path) ?? Buffer.alloc(0)).toString();
  if (text === "") return undefined;
  try {
    const json = JSON.parse(text) as StoreJson;
    if (Number.isInteger(json.writerEpoch)) return json;
  } catch {
    // Reported below, with the path.
  }
  throw new CorruptLogError(
    "Cannot open the log as store.json must name format and epoch: " +
      `received ${text.slice(0, 80)} in ${path}`,
  );
}
