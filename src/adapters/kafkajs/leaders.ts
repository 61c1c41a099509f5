import type { SinkBatch } from "../../source/source.ts";
import type { ClientPartitioner, ClientPartitionMetadata } from "./client.ts";

/**
 * Learns which broker leads which partition from what kafkajs tells its partitioner.
 *
 * kafkajs sends one request per leader, but answers for all of them together: when one fails, it
 * sends all again, and the slowest holds back the others. A call for each leader keeps them apart.
 */
export class Leaders {
  readonly #topics = new Map<string, readonly ClientPartitionMetadata[]>();

  /** kafkajs's `createPartitioner`: every message names its partition. */
  readonly createPartitioner = (): ClientPartitioner => {
    return ({ topic, partitionMetadata, message }) => {
      this.#topics.set(topic, partitionMetadata);
      return message.partition;
    };
  };

  /** Parts batches by leader; those of unknown leaders stay together. */
  group(batches: readonly SinkBatch[]): readonly (readonly SinkBatch[])[] {
    if (batches.length === 1) return [batches];
    const groups = new Map<number, SinkBatch[]>();
    for (const batch of batches) {
      const leader = this.#leaderOf(batch);
      const group = groups.get(leader);
      if (group === undefined) groups.set(leader, [batch]);
      else group.push(batch);
    }
    return [...groups.values()];
  }

  #leaderOf({ topic, partition }: SinkBatch): number {
    const known = this.#topics.get(topic)?.find((one) => one.partitionId === partition);
    return known?.leader ?? -1;
  }
}
