/** The embedded log as a source, sink and admin: `import { log, openLog } from "headrace/log"`. */
import { GroupRunningError, LogError, SourceError } from "../errors.ts";
import { type AssignorName, assignors } from "../log/assignors.ts";
import { type Log, LogHandle, openHandle, openReader, type StoredOffset } from "../log/log.ts";
import { resolveLogOptions, VISIBILITIES } from "../log/log-options.ts";
import { LogSink } from "../log/log-sink.ts";
import { LogSource } from "../log/log-source.ts";
import type { Visibility } from "../log/reader-partition.ts";
import type {
  Admin,
  GroupDescription,
  OffsetToStore,
  Sink,
  Source,
  SourceFactory,
} from "../source/source.ts";
import { Validator } from "../validate.ts";

export type { TornTail } from "../log/active-segment.ts";
export type { AssignorName } from "../log/assignors.ts";
export type { OffsetToCommit } from "../log/commit-offsets.ts";
export type { RecordOutcome } from "../log/deduplication-window.ts";
export { type Log, openLog, type StoredOffset } from "../log/log.ts";
export type * from "../log/log-events.ts";
export type { FlushOptions, LogOptions, LogTopicOptions } from "../log/log-options.ts";
export type { AppendResult } from "../log/log-sink.ts";
export type { LogMaintenance, LogProcess, LogSegment } from "../log/maintenance.ts";
export type { StoredBatch } from "../log/read-batches.ts";
export type { Visibility } from "../log/reader-partition.ts";
export { type StoredRecord, storedRecords } from "../log/stored-records.ts";
export type {
  ArchiveCallback,
  ArchivedSegment,
  DeduplicationOptions,
  RetentionOptions,
  SegmentOptions,
  TopicOverrides,
} from "../log/topic-options.ts";
export type { FailedSegment, RemovedSegment, RetainReport } from "../log/topic-retention.ts";
export { type VerifyOptions, type VerifyProgress, verifyLog } from "../log/verify-log.ts";
export type * from "../log/verify-report.ts";

const check: Validator = new Validator("use a log");

/** What `log()` gives: all three sides are there. */
export type LogSourceFactory = Required<SourceFactory>;

/** Options of `log()`, for its sources. */
export interface LogSourceOptions {
  /** How a group's partitions are shared among its members; one for all. Default "sticky". */
  assignor?: AssignorName;
  /**
   * How far is read: to what the operating system has ("written"), or to what the disk has
   * ("synced"), so that nothing that was handled can be gone after a power loss; that needs a writer
   * whose option `sync` is not "never". Default "written".
   */
  visibility?: Visibility;
}

/** Opens one side of a log; each use is closed by itself. */
interface Sides {
  readonly read: () => Promise<LogHandle>;
  readonly write: () => Promise<LogHandle>;
}

/**
 * The embedded log as a log client.
 *
 * Sinks write, and one process can do that at a time: the first to open a sink, or `openLog()`,
 * until it has closed the last of them. Sources and admins only read, in the process that writes
 * and in any number of others; a dead letter queue is a sink. All members of a group must be in one
 * process.
 *
 * @param directoryOrLog A directory, opened on first use and closed with its last user, or an open
 *   log. A sink that is open goes on when the owner of the log closes it.
 * @throws {TypeError | RangeError} For anything else, or a wrong option, naming it.
 * @example
 * createConsumer({ source: log("./data"), groupId: "g", topics: { orders: { eachMessage } } });
 */
export function log(
  directoryOrLog: string | Log,
  options: LogSourceOptions = {},
): LogSourceFactory {
  const { assignor, visibility } = resolveSourceOptions(options);
  const sides = sidesOf(directoryOrLog, visibility);
  return {
    open: (group): Source => new LogSource(group, sides.read, assignor),
    sink: (): Sink => new LogSink(sides.write),
    admin: (): Admin => new LogAdmin(sides),
  };
}

function resolveSourceOptions(options: unknown): Required<LogSourceOptions> {
  const given = check.object("options", options);
  check.knownKeys("options", given, ["assignor", "visibility"]);
  const names = Object.keys(assignors) as AssignorName[];
  return {
    assignor: check.oneOf("assignor", given.assignor, "sticky", names),
    visibility: check.oneOf("visibility", given.visibility, "written", VISIBILITIES),
  };
}

function sidesOf(directoryOrLog: unknown, visibility: Visibility): Sides {
  if (directoryOrLog instanceof LogHandle) {
    return {
      read: async () => openReader(directoryOrLog.store.root, visibility),
      write: async () => directoryOrLog.shareWriter(),
    };
  }
  if (typeof directoryOrLog === "string" && directoryOrLog !== "") {
    const options = resolveLogOptions();
    return {
      read: () => openReader(directoryOrLog, visibility),
      write: () => openHandle(directoryOrLog, options),
    };
  }
  throw check.typeError("it must be a directory or an open log", directoryOrLog);
}

/** Commits from outside that may meet another one's lock, one after the other. */
const COMMIT_TRIES = 50;

class LogAdmin implements Admin {
  readonly #sides: Sides;
  #handle: LogHandle | undefined;

  constructor(sides: Sides) {
    this.#sides = sides;
  }

  async open(): Promise<void> {
    this.#handle ??= await this.#sides.read();
  }

  async partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const all = await this.#log().topics();
    const asked = all.filter(({ topic }) => topics.includes(topic));
    return new Map(asked.map(({ topic, partitions }) => [topic, partitions]));
  }

  async logBounds(
    topic: string,
  ): Promise<readonly { partition: number; logStart: number; logEnd: number }[]> {
    const handle = this.#log();
    const count = (await this.partitionCounts([topic])).get(topic);
    if (count === undefined) {
      throw new SourceError(`Cannot ask the log as the topic must exist: received ${topic}`);
    }
    return Promise.all(
      Array.from({ length: count }, async (_, partition) => {
        return { partition, ...(await handle.bounds(topic, partition)) };
      }),
    );
  }

  async committed(groupId: string, topic: string): Promise<readonly StoredOffset[]> {
    return this.#log().committed(groupId, topic);
  }

  async committedTopics(groupId: string): Promise<readonly string[]> {
    const handle = this.#log();
    const found: string[] = [];
    for (const { topic } of await handle.topics()) {
      if ((await handle.groups(topic)).includes(groupId)) found.push(topic);
    }
    return found.sort();
  }

  /** Members in any topic count, as with a broker. */
  async describeGroup(groupId: string): Promise<GroupDescription> {
    const handle = this.#log();
    const members = new Set<string>();
    for (const { topic } of await handle.topics()) {
      const process = await handle.groupProcess(groupId, topic);
      if (process !== null) members.add(`process ${process.pid} on ${process.host}`);
    }
    if (members.size > 0) return { state: "running", members: [...members] };
    const isKnown = (await this.committedTopics(groupId)).length > 0;
    return { state: isKnown ? "empty" : "none", members: [] };
  }

  async commit(groupId: string, topic: string, offsets: readonly OffsetToStore[]): Promise<void> {
    const { state, members } = await this.describeGroup(groupId);
    if (state === "running") throw groupRunning(groupId, members.join(", "));
    for (let tries = 1; ; tries++) {
      try {
        await this.#log().commit(groupId, topic, offsets);
        return;
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        // It has started meanwhile: its lock is what guards the offsets.
        if (await this.#isRunning(groupId, topic)) {
          throw groupRunning(groupId, "a refusal", error);
        }
        // The lock was that of another commit, which is over.
        if (!error.retriable || tries === COMMIT_TRIES) throw error;
      }
    }
  }

  async #isRunning(groupId: string, topic: string): Promise<boolean> {
    return (await this.#log().groupProcess(groupId, topic)) !== null;
  }

  async createTopic(topic: string, partitions: number): Promise<void> {
    this.#log();
    const writer = await this.#sides.write();
    try {
      await writer.createTopic(topic, partitions);
    } finally {
      await writer.close();
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  #log(): LogHandle {
    if (this.#handle !== undefined) return this.#handle;
    throw new SourceError("Cannot ask the log as its admin must be open: received a call");
  }
}

function groupRunning(groupId: string, received: string, cause?: unknown): GroupRunningError {
  const rule = `group "${groupId}" must have no member`;
  return new GroupRunningError(`Cannot store offsets as ${rule}: received ${received}`, { cause });
}
