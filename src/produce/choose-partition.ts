import type { Partitioning } from "../types.ts";
import { show } from "../validate.ts";
import type { EncodedRecord } from "./encode-record.ts";
import { KeyPartitioning } from "./messages-key.ts";

/**
 * The partition of a record: its own, or the answer of its partitioning or the producer's.
 *
 * @throws {RangeError} When it is no integer in [0, partitionCount); and what a partitioning throws.
 */
export function choosePartition(
  { given, sink }: EncodedRecord,
  fallback: Partitioning,
  partitionCount: number,
): number {
  const { partition, partitioning = fallback, topic } = given;
  if (partition !== undefined) return inRange("partition", partition, partitionCount);
  const chosen = KeyPartitioning.is(partitioning)
    ? partitioning.partitionOfKey(topic, sink.key, partitionCount)
    : partitioning.calculatePartitionId(topic, given, partitionCount);
  return inRange("calculatePartitionId's answer", chosen, partitionCount);
}

function inRange(name: string, chosen: number, partitionCount: number): number {
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < partitionCount) return chosen;
  const rule = `${name} must be an integer in [0, ${partitionCount})`;
  throw new RangeError(`${rule}: received ${show(chosen)}`);
}
