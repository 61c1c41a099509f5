import type { ResolvedTopic } from "./resolve-topic.ts";
import type { Source } from "./source/source.ts";

/** Calls for each slot, those that run included: so many are plenty. */
const PLENTY_CALLS = 2;

/** Whose messages are read. */
export interface Reading {
  readonly source: Pick<Source, "can">;
  readonly topic: ResolvedTopic;
  /** Calls get several messages. */
  readonly ofBatches: boolean;
  /** `isBusy`: calls wait where they are to run, everywhere. */
  readonly processor: { readonly isBusy: boolean };
  /** Handler calls of the consumer that may run at once. */
  readonly slots: { readonly concurrency: number };
}

/**
 * How many messages of a lease are plenty, now; infinity where the budget alone says when to stop.
 *
 * While all worker threads have calls that wait for them, more messages would only wait as well, and be gone from the
 * processor's cache by their turn. That is worth something only where they can be read the moment they are needed.
 */
export function plentyOf({ source, topic, ofBatches, processor, slots }: Reading): number {
  if (source.can.readsAtOnce !== true || !processor.isBusy) return Number.POSITIVE_INFINITY;
  const callMessages = ofBatches ? topic.maxMessages : 1;
  return PLENTY_CALLS * Math.min(topic.maxPartitions, slots.concurrency) * callMessages;
}
