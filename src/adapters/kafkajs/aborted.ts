/** Hides the records of aborted transactions, the way Kafka defines it. */
import type { FetchedMessage, FetchedPartition, FetchResponse } from "./client.ts";

/** Type field of a control record's key: bytes 2 and 3, after the version. */
function isAbortMarker({ isControlRecord, key }: FetchedMessage): boolean {
  return (
    isControlRecord === true && key !== null && key.length >= 4 && key[2] === 0 && key[3] === 0
  );
}

function hideInPartition(partition: FetchedPartition): void {
  const aborted = partition.abortedTransactions ?? [];
  const waiting = aborted
    .map(({ producerId, firstOffset }) => ({ producerId, first: Number(firstOffset) }))
    .sort((a, b) => a.first - b.first);
  const open = new Set<string>();
  let next = 0;
  for (const message of partition.messages) {
    const offset = Number(message.offset);
    for (; next < waiting.length && (waiting[next]?.first as number) <= offset; next++) {
      open.add(waiting[next]?.producerId as string);
    }
    const context = message.batchContext;
    if (context === undefined) continue;
    if (isAbortMarker(message)) open.delete(context.producerId);
    else if (context.inTransaction && open.has(context.producerId)) message.isControlRecord = true;
  }
  partition.abortedTransactions = [];
}

/**
 * Marks aborted records in a raw fetch response as control records, which kafkajs skips and counts
 * as read.
 *
 * kafkajs's own filter takes any record with a key of four zero bytes for the end of the aborted
 * transaction and delivers the rest of it; here only control records end one. Costs nothing without
 * aborted transactions.
 */
export function hideAborted(response: FetchResponse): void {
  for (const { partitions } of response.responses) {
    for (const partition of partitions) {
      if (partition.abortedTransactions?.length) hideInPartition(partition);
    }
  }
}
