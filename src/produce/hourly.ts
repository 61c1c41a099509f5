import type { Partitioning } from "../types.ts";

const MS_PER_HOUR = 3_600_000;

/**
 * By the hour of the day, 0 to 23 in UTC, modulo the number of partitions: the records of an hour lie together.
 *
 * The hour is that of the record's timestamp, or of now. One partition takes everything at a time, and beyond 24
 * partitions the rest stays empty.
 */
export function hourly(): Partitioning {
  return {
    calculatePartitionId: (_topic, { timestamp = Date.now() }, partitionCount) =>
      (Math.floor(timestamp / MS_PER_HOUR) % 24) % partitionCount,
  };
}
