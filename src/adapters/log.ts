/** The embedded log as a source, sink and admin: `import { log, openLog } from "headrace/log"`. */
import { SourceError } from "../errors.ts";
import { type Log, LogHandle, openHandle, type StoredOffset } from "../log/log.ts";
import { resolveLogOptions } from "../log/log-options.ts";
import { LogSink } from "../log/log-sink.ts";
import { LogSource } from "../log/log-source.ts";
import type { Admin, Sink, Source, SourceFactory } from "../source/source.ts";
import { Validator } from "../validate.ts";

export type { TornTail } from "../log/active-segment.ts";
export { type Log, openLog, type StoredOffset } from "../log/log.ts";
export type * from "../log/log-events.ts";
export type { FlushOptions, LogOptions, LogTopicOptions } from "../log/log-options.ts";
export type { StoredBatch } from "../log/read-batches.ts";
export type {
  ArchiveCallback,
  ArchivedSegment,
  DeduplicationOptions,
  RetentionOptions,
  SegmentOptions,
  TopicOverrides,
} from "../log/topic-options.ts";

const check: Validator = new Validator("use a log");

/** What `log()` gives: all three sides are there. */
export type LogSourceFactory = Required<SourceFactory>;

/**
 * The embedded log as a log client. Members of one group share partitions inside this process; one
 * process per log.
 *
 * @param directoryOrLog A directory, opened on first use and closed with its last user, or an open
 *   log, which stays open for as long as it is used here even when its owner closes it.
 * @throws {TypeError} For anything else.
 * @example
 * createConsumer({ source: log("./data"), groupId: "g", topics: { orders: { eachMessage } } });
 */
export function log(directoryOrLog: string | Log): LogSourceFactory {
  const openShare = shareOf(directoryOrLog);
  return {
    open: (group): Source => new LogSource(group, openShare),
    sink: (): Sink => new LogSink(openShare),
    admin: (): Admin => new LogAdmin(openShare),
  };
}

function shareOf(directoryOrLog: unknown): () => Promise<LogHandle> {
  if (directoryOrLog instanceof LogHandle) return async () => directoryOrLog.share();
  if (typeof directoryOrLog === "string" && directoryOrLog !== "") {
    const options = resolveLogOptions();
    return () => openHandle(directoryOrLog, options);
  }
  throw check.typeError("it must be a directory or an open log", directoryOrLog);
}

class LogAdmin implements Admin {
  readonly #openShare: () => Promise<LogHandle>;
  #handle: LogHandle | undefined;

  constructor(openShare: () => Promise<LogHandle>) {
    this.#openShare = openShare;
  }

  async open(): Promise<void> {
    this.#handle ??= await this.#openShare();
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

  async createTopic(topic: string, partitions: number): Promise<void> {
    await this.#log().createTopic(topic, partitions);
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
