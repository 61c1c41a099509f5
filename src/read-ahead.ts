import type { ResolvedTopic } from "./resolve-topic.ts";

/** Calls for each slot, those that run included: so many are plenty. */
const PLENTY_CALLS = 2;
/** As many reads as are plenty, where the next one takes a while. */
const PLENTY_READS = 4;

/** Whose messages are read. */
export interface Reading {
  readonly topic: ResolvedTopic;
  /** `ofBatches`: calls get several messages. */
  readonly handler: { readonly ofBatches: boolean };
  /** `isBusy`: calls wait where they are to run, everywhere. */
  readonly processor: { readonly isBusy: boolean };
  /** Handler calls of the consumer that may run at once. */
  readonly slots: { readonly concurrency: number };
}

/**
 * How many messages of a lease are plenty, now; infinity where the budget alone says when to stop.
 *
 * While all worker threads have calls that wait for them, more messages would only wait as well, and be gone from the
 * processor's cache by their turn. A few reads last until the next one is there wherever reading is faster than handling;
 * where it is not, they do not come together.
 *
 * @param readMessages What the source brings with one read; 0 when it has all the moment it reads.
 */
export function plentyOf(
  { topic, handler, processor, slots }: Reading,
  readMessages: number,
): number {
  if (!processor.isBusy) return Number.POSITIVE_INFINITY;
  const callMessages = handler.ofBatches ? topic.maxMessages : 1;
  const calls = PLENTY_CALLS * Math.min(topic.maxPartitions, slots.concurrency);
  return Math.max(calls * callMessages, PLENTY_READS * readMessages);
}
