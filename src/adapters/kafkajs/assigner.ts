/** The partition assigner that kafkajs is given (rule R9). */
import type { TopicPartition } from "../../types.ts";
import type { ClientAssigner, ClientCluster } from "./client.ts";
import { type GroupMember, keepInPlace } from "./keep-in-place.ts";
import { decodeOwned, encodeOwned, type OwnedPartitions } from "./owned-partitions.ts";
import { ProtocolWriter } from "./protocol-writer.ts";
import { decodeSubscription, encodeSubscription } from "./subscription.ts";

/** kafkajs's own name, so that plain kafkajs members can share the group. */
const NAME = "RoundRobinAssigner";
const VERSION = 0;

function memberOf(memberId: string, metadata: Uint8Array | undefined): GroupMember {
  const subscription = metadata === undefined ? null : decodeSubscription(metadata);
  if (subscription === null) return { memberId, topics: null, owned: null };
  const { topics, userData } = subscription;
  return { memberId, topics: new Set(topics), owned: decodeOwned(userData) };
}

/** ConsumerProtocolAssignment v0: version, partitions by topic, user data (none). */
function encodeAssignment(partitions: readonly TopicPartition[]): Uint8Array {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const numbers = byTopic.get(topic) ?? [];
    byTopic.set(topic, numbers);
    numbers.push(partition);
  }
  return new ProtocolWriter().int16(VERSION).partitionsByTopic(byTopic).int32(0).finish();
}

/**
 * Tells the leader what this member owns, and as the leader leaves partitions where they are.
 *
 * Where no member reports anything and all subscribe to the same topics, the answer is that of
 * kafkajs's own `roundRobin`, byte by byte. A member never gets a topic that it does not subscribe
 * to. As with kafkajs's, only the leader's topics are dealt.
 *
 * @param owned Asked at each join, after the drain.
 */
export function assigner(cluster: ClientCluster, owned: () => OwnedPartitions): ClientAssigner {
  return {
    name: NAME,
    version: VERSION,
    async assign({ members, topics }) {
      const known = members
        .map(({ memberId, memberMetadata }) => memberOf(memberId, memberMetadata))
        .sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
      const partitions = topics.flatMap((topic) =>
        cluster
          .findTopicPartitionMetadata(topic)
          .map(({ partitionId }) => ({ topic, partition: partitionId })),
      );
      return [...keepInPlace(known, partitions)]
        .filter(([, dealt]) => dealt.length > 0)
        .map(([memberId, dealt]) => ({ memberId, memberAssignment: encodeAssignment(dealt) }));
    },
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: encodeSubscription({ topics, userData: encodeOwned(owned()) }),
    }),
  };
}
