import { type Log, storedRecords } from "../../adapters/log.ts";
import type { Screen } from "../io.ts";
import { type RecordFormat, recordLines } from "./record-text.ts";

/** Bytes of the log that are read and printed at a time. */
const CHUNK_BYTES: number = 1 << 20;

/** What is printed, where, and how. */
export interface PrintPlan {
  readonly log: Log;
  readonly topic: string;
  readonly partition: number;
  /** First offset. */
  readonly from: number;
  /** Ends before this offset. */
  readonly until: number;
  /** Most messages. */
  readonly maxMessages: number;
  readonly format: RecordFormat;
  readonly out: Screen;
  readonly signal: AbortSignal;
  /** Called with the number of messages printed since the last call. */
  readonly onPrinted: (messages: number) => void;
  /** Called with a line for whoever looks on: retention took messages away before they were read. */
  readonly say: (line: string) => void;
}

/** Where printing ended. */
export interface Printed {
  readonly messages: number;
  /** The next offset to print. */
  readonly nextOffset: number;
  /** The reader of the output has gone. */
  readonly readerGone: boolean;
}

/**
 * Prints messages of one partition, in offset order, as fast as they are taken.
 *
 * @throws {LogError | CorruptLogError} When the log cannot be read.
 */
export async function printMessages(plan: PrintPlan): Promise<Printed> {
  const { log, topic, partition, until, maxMessages, format, out, signal } = plan;
  let nextOffset = plan.from;
  let messages = 0;
  while (nextOffset < until && messages < maxMessages && !signal.aborted) {
    nextOffset = await behindRemoved(plan, nextOffset);
    const batches = await log.read(topic, partition, nextOffset, CHUNK_BYTES);
    if (batches.length === 0) break;
    for (const batch of batches) {
      const end = Math.min(until, nextOffset + maxMessages - messages);
      const records = takeBelow(storedRecords(batch, nextOffset), end);
      const stop = Math.min(end, batch.baseOffset + batch.count);
      if (stop <= nextOffset) break;
      out.write(recordLines(topic, partition, records, format));
      plan.onPrinted(stop - nextOffset);
      messages += stop - nextOffset;
      nextOffset = stop;
      if (!(await out.drained())) return { messages, nextOffset, readerGone: true };
    }
  }
  return { messages, nextOffset, readerGone: false };
}

/** The offset itself, or the log's start when retention has overtaken it. */
async function behindRemoved(plan: PrintPlan, offset: number): Promise<number> {
  const { log, topic, partition, say } = plan;
  const { logStart } = await log.bounds(topic, partition);
  if (offset >= logStart) return offset;
  say(
    `${topic}#${partition}: retention has removed offsets ${offset} to ${logStart - 1} meanwhile`,
  );
  return logStart;
}

function* takeBelow<T extends { readonly offset: number }>(
  records: Iterable<T>,
  end: number,
): Generator<T, void, undefined> {
  for (const record of records) {
    if (record.offset >= end) return;
    yield record;
  }
}
