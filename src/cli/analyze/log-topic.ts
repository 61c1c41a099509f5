import { type Log, openLog, type StoredBatch, storedRecords } from "../../adapters/log.ts";
import { chosenPartitions } from "../log/log-directory.ts";
import type { AnalysisInput } from "./analysis-input.ts";
import { CliMessage } from "./cli-message.ts";
import { lengthOf, type PartitionRange, rangeOf, type TopicSelection } from "./topic-range.ts";

/** Bytes of the log that are read at a time. */
const CHUNK_BYTES: number = 1 << 20;

/**
 * A topic of an embedded log, as it is now: partition after partition, beside whoever writes it.
 *
 * @param path The log's directory.
 * @throws {CommandError | LogError} When there is no such topic or partition.
 */
export async function logTopic(path: string, selection: TopicSelection): Promise<AnalysisInput> {
  const log = await openLog(path, { readOnly: true });
  try {
    const { topic, partition } = selection;
    const all = await chosenPartitions("analyze", log, topic, undefined);
    const chosen = await chosenPartitions("analyze", log, topic, partition);
    const ranges = await Promise.all(
      chosen.map(async (one) =>
        rangeOf({ partition: one, ...(await log.bounds(topic, one)) }, selection),
      ),
    );
    return new LogTopic(log, topic, all.length, ranges);
  } catch (error) {
    await log.close();
    throw error;
  }
}

class LogTopic implements AnalysisInput {
  readonly name: string;
  readonly partitions: number;
  readonly #log: Log;
  readonly #ranges: readonly PartitionRange[];
  #read = 0;

  constructor(log: Log, topic: string, partitions: number, ranges: readonly PartitionRange[]) {
    this.name = topic;
    this.partitions = partitions;
    this.#log = log;
    this.#ranges = ranges;
  }

  async *parts(signal: AbortSignal): AsyncGenerator<CliMessage[], void, undefined> {
    for (const { partition, from, until } of this.#ranges) {
      let next = from;
      while (next < until && !signal.aborted) {
        // Retention may overtake.
        const { logStart } = await this.#log.bounds(this.name, partition);
        next = Math.max(next, logStart);
        const batches = await this.#log.read(this.name, partition, next, CHUNK_BYTES);
        const messages = batches.flatMap((batch) => messagesOf(partition, batch, next, until));
        const last = batches.at(-1);
        if (last === undefined) break;
        this.#read += Math.min(until, last.baseOffset + last.count) - next;
        next = last.baseOffset + last.count;
        yield messages;
      }
    }
  }

  progress(): { share: number | null } {
    const length = lengthOf(this.#ranges);
    return { share: length === 0 ? null : this.#read / length };
  }

  async close(): Promise<void> {
    await this.#log.close();
  }
}

function messagesOf(
  partition: number,
  batch: StoredBatch,
  from: number,
  until: number,
): CliMessage[] {
  const messages: CliMessage[] = [];
  for (const { offset, key, value, headers } of storedRecords(batch, from)) {
    if (offset >= until) break;
    const rest = { value: () => value, headers: () => headers };
    messages.push(new CliMessage(partition, offset, key, rest));
  }
  return messages;
}
