import { ClosedError, HeadraceError, LogError } from "../errors.ts";
import type { Delivery, Sink, SinkBatch, SinkOutcome } from "../source/source.ts";
import { batchBytes } from "./batch-buffer.ts";
import type { RecordOutcome } from "./deduplication-window.ts";
import type { TopicRequest } from "./log-options.ts";
import type { LogStore } from "./log-store.ts";

/** A share in a log that is open for writing, given back when its user is done. */
export interface WriterShare {
  readonly writer: LogStore;
  close(): Promise<void>;
}

/** What a topic becomes that is written to and missing. */
const ONE_PARTITION: TopicRequest = { partitions: 1, overrides: {} };

/** Where an append went. */
export interface AppendResult {
  /** Offset of the first record; without `outcomes` the others follow it. */
  readonly baseOffset: number;
  /** One for each record, when some were stored before, by their id, and not written again. */
  readonly outcomes?: readonly RecordOutcome[];
}

/**
 * The writing side: the records of one batch become one stored batch. A topic that is missing is
 * made.
 */
export class LogSink implements Sink {
  readonly #openShare: () => Promise<WriterShare>;
  #share: Promise<WriterShare> | undefined;

  constructor(openShare: () => Promise<WriterShare>) {
    this.#openShare = openShare;
  }

  async open(): Promise<void> {
    this.#share ??= this.#openShare().catch((error: unknown) => {
      this.#share = undefined;
      throw error;
    });
    await this.#share;
  }

  async partitionCount(topic: string): Promise<number> {
    const store = await this.#store();
    return (store.topic(topic) ?? store.ensureTopic(topic, ONE_PARTITION)).partitions.length;
  }

  /**
   * What an acknowledgement means is the topic's option `acknowledge`; with acks 0 it is not waited
   * for. A batch is never sent twice, so `idempotent` asks for nothing more.
   */
  async send(batches: readonly SinkBatch[], delivery?: Delivery): Promise<readonly SinkOutcome[]> {
    const store = await this.#store();
    if (delivery !== undefined && delivery.compression !== "none") {
      const error = notCompressed(delivery.compression);
      return batches.map(() => ({ error }));
    }
    // All batches are appended before the first is waited for, so that they share writes.
    const appended = batches.map((batch) => outcome(batch, appendTo(store, batch)));
    if (delivery?.acks !== 0) return Promise.all(appended);
    // outcome() never rejects, and nobody has asked for it.
    return batches.map(() => ({ baseOffset: undefined }));
  }

  async close(): Promise<void> {
    const share = this.#share;
    this.#share = undefined;
    await (await share)?.close();
  }

  async #store(): Promise<LogStore> {
    const share = await this.#share;
    if (share !== undefined) return share.writer;
    throw new ClosedError("Cannot write to the log as the sink must be open: received a call");
  }
}

function notCompressed(compression: string): LogError {
  return new LogError(
    `Cannot append to the log as compression must be "none": received "${compression}"`,
  );
}

async function outcome(
  { topic, records }: SinkBatch,
  appended: Promise<AppendResult>,
): Promise<SinkOutcome> {
  try {
    const { baseOffset, outcomes } = await appended;
    if (outcomes === undefined) return { baseOffset };
    return { baseOffset, offsets: outcomes.map(({ offset }) => offset) };
  } catch (cause) {
    const sendParts = breakLimits(records);
    if (HeadraceError.is(cause)) return { error: cause, sendParts };
    const rule = `Cannot append to ${topic} as the log must take it`;
    return { error: new LogError(`${rule}: received ${String(cause)}`, { cause }), sendParts };
  }
}

/** The records themselves are why they cannot be stored. */
function breakLimits(records: SinkBatch["records"]): boolean {
  try {
    batchBytes(records);
    return false;
  } catch {
    // What is wrong with them has been said by the append.
    return true;
  }
}

/**
 * Appends one batch. Offsets are given before it returns; it resolves at the level of the option
 * `acknowledge`.
 *
 * @throws {LogError} For a topic or partition that is not there, and what `PartitionLog.enqueue()`
 * throws or rejects with.
 */
export async function appendTo(
  store: LogStore,
  { topic, partition, records }: SinkBatch,
): Promise<AppendResult> {
  const log = store.topic(topic)?.partitions[partition];
  if (log === undefined) {
    throw new LogError(
      `Cannot append as topic and partition must exist: received ${topic}#${partition}`,
    );
  }
  const { acknowledged, baseOffset, outcomes } = log.enqueue(records);
  await acknowledged;
  return outcomes === undefined ? { baseOffset } : { baseOffset, outcomes };
}
