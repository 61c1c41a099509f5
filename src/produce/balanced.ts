import type { Partitioning } from "../types.ts";
import { RoundRobin } from "./round-robin.ts";

/** Round robin over a topic's partitions, whatever the key: even load, no order among records of a key. */
export function balanced(): Partitioning {
  const turns = new RoundRobin();
  return {
    calculatePartitionId: (topic, _record, partitionCount) => turns.next(topic, partitionCount),
  };
}
