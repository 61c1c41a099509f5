/**
 * What the broker knows about partitions at assignment: committed offsets with metadata, and the
 * log's bounds.
 */
import type { AssignedLease, CommittedOffset } from "../../source/source.ts";
import type { ClientBroker, ClientCluster } from "./client.ts";
import type { KafkajsLease } from "./lease.ts";

const EARLIEST = -2;
const LATEST = -1;
/** The true log end: with "read committed" the broker would name the last stable offset. */
const READ_UNCOMMITTED = 0;

/** topic → partition → value. */
type ByPartition<V> = Map<string, Map<number, V>>;

function put<V>(values: ByPartition<V>, topic: string, partition: number, value: V): void {
  const partitions = values.get(topic) ?? new Map<number, V>();
  values.set(topic, partitions);
  partitions.set(partition, value);
}

/**
 * Stored offsets of all partitions of the topics; those without one, or below 0, are absent (rule
 * O10).
 */
async function readCommitted(
  groupId: string,
  cluster: ClientCluster,
  coordinator: ClientBroker,
  topics: readonly string[],
): Promise<ByPartition<CommittedOffset>> {
  const { responses } = await coordinator.offsetFetch({
    groupId,
    topics: topics.map((topic) => ({
      topic,
      partitions: cluster
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId }) => ({ partition: partitionId })),
    })),
  });
  const committed: ByPartition<CommittedOffset> = new Map();
  for (const { topic, partitions } of responses) {
    for (const { partition, offset, metadata } of partitions) {
      if (Number(offset) < 0) continue;
      put(committed, topic, partition, { offset: Number(offset), metadata: metadata ?? "" });
    }
  }
  return committed;
}

/** Earliest or latest offsets, asked from each leader at once. */
async function readBounds(
  cluster: ClientCluster,
  leases: readonly KafkajsLease[],
  timestamp: number,
): Promise<ByPartition<number>> {
  const byLeader = new Map<string, Map<string, number[]>>();
  for (const topic of new Set(leases.map((lease) => lease.topic))) {
    const partitions = leases.filter((lease) => lease.topic === topic).map((l) => l.partition);
    const leaders = cluster.findLeaderForPartitions(topic, partitions);
    for (const [nodeId, led] of Object.entries(leaders)) {
      const topics = byLeader.get(nodeId) ?? new Map<string, number[]>();
      byLeader.set(nodeId, topics.set(topic, led));
    }
  }
  const bounds: ByPartition<number> = new Map();
  const requests = [...byLeader].map(async ([nodeId, topics]) => {
    const broker = await cluster.findBroker({ nodeId });
    const { responses } = await broker.listOffsets({
      isolationLevel: READ_UNCOMMITTED,
      topics: [...topics].map(([topic, led]) => ({
        topic,
        partitions: led.map((partition) => ({ partition, timestamp })),
      })),
    });
    for (const { topic, partitions } of responses) {
      for (const { partition, offset } of partitions) put(bounds, topic, partition, Number(offset));
    }
  });
  await Promise.all(requests);
  return bounds;
}

function boundOf(bounds: ByPartition<number>, { topic, partition }: KafkajsLease): number {
  const offset = bounds.get(topic)?.get(partition);
  if (offset === undefined) throw new Error(`no leader is known for ${topic}[${partition}]`);
  return offset;
}

/**
 * Reads all that the core needs to choose start offsets. One round, no retry.
 *
 * Every partition of the topics is asked for, so that one that was added later is told from a new
 * group (O10).
 */
export async function readAssigned(
  groupId: string,
  cluster: ClientCluster,
  coordinator: ClientBroker,
  leases: readonly KafkajsLease[],
): Promise<AssignedLease[]> {
  const topics = [...new Set(leases.map((lease) => lease.topic))];
  const [committed, starts, ends] = await Promise.all([
    readCommitted(groupId, cluster, coordinator, topics),
    readBounds(cluster, leases, EARLIEST),
    readBounds(cluster, leases, LATEST),
  ]);
  return leases.map((lease) => {
    const ofTopic = committed.get(lease.topic);
    const own = ofTopic?.get(lease.partition) ?? null;
    return {
      lease,
      committed: own,
      groupKnowsTopic: (ofTopic?.size ?? 0) > (own === null ? 0 : 1),
      logStart: boundOf(starts, lease),
      logEnd: boundOf(ends, lease),
    };
  });
}
