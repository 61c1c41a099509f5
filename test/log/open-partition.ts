import { logClock } from "../../src/log/log-clock.ts";
import { LogEventHub } from "../../src/log/log-events.ts";
import { type LogOptions, resolveLogOptions } from "../../src/log/log-options.ts";
import { PartitionLog, type PartitionPlace } from "../../src/log/partition-log.ts";
import { Writer } from "../../src/log/writer.ts";
import type { Clock } from "../../src/types.ts";

/** What a test wants to be otherwise. */
export interface PartitionWish {
  readonly writerEpoch?: number;
  readonly options?: LogOptions;
  readonly clock?: Clock;
  readonly events?: LogEventHub;
}

/** A place for partition 0 of topic "t", as a topic of a log would give it. */
export function partitionPlace(directory: string, wish: PartitionWish = {}): PartitionPlace {
  const options = resolveLogOptions(wish.options);
  const { writerEpoch = 1, clock = logClock, events = new LogEventHub() } = wish;
  const writer = new Writer({ writerEpoch, options, clock, events, wrote: () => {} });
  const facts = { epoch: 1, options: options.topicDefaults };
  return { directory, topic: "t", partition: 0, facts, writer };
}

/** Opens a partition by itself, without a log around it. The caller closes it. */
export function openPartition(directory: string, wish?: PartitionWish): PartitionLog {
  return new PartitionLog(partitionPlace(directory, wish));
}
