import type { Partitioning } from "../types.ts";
import { Validator } from "../validate.ts";

const check = new Validator("produce to one partition");

/**
 * Every record to one partition.
 *
 * @throws {TypeError | RangeError} When the partition is no integer >= 0. One that the topic lacks fails the record.
 */
export function partitionId(partition: number): Partitioning {
  if (partition === undefined) throw check.typeError("partitionId takes a number", partition);
  const id = check.integer("partition", partition, 0, 0, 0x7fffffff);
  return { calculatePartitionId: () => id };
}
