import type { Partitioning, ProducerRecord } from "../types.ts";
import { show } from "../validate.ts";

/**
 * The partition of a record: its own, or the answer of its partitioning or the producer's.
 *
 * @throws {RangeError} When it is no integer in [0, partitionCount); and what a partitioning throws.
 */
export function choosePartition(
  record: ProducerRecord,
  fallback: Partitioning,
  partitionCount: number,
): number {
  const { partition, partitioning = fallback, topic } = record;
  const chosen = partition ?? partitioning.calculatePartitionId(topic, record, partitionCount);
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < partitionCount) return chosen;
  const name = partition === undefined ? "calculatePartitionId's answer" : "partition";
  const rule = `${name} must be an integer in [0, ${partitionCount})`;
  throw new RangeError(`${rule}: received ${show(chosen)}`);
}
