/**
 * kafkajs's stock assignment under its own name, so that plain kafkajs members can share the group.
 */
import { Buffer } from "node:buffer";
import type { ClientAssigner, ClientCluster } from "./client.ts";

const NAME = "RoundRobinAssigner";
const VERSION = 0;

const encoder = new TextEncoder();

/**
 * Writes Kafka's embedded consumer protocol: big-endian integers, strings and arrays with their
 * length before them.
 */
class ProtocolWriter {
  #bytes: number[] = [];

  int16(value: number): this {
    this.#bytes.push((value >> 8) & 0xff, value & 0xff);
    return this;
  }

  int32(value: number): this {
    this.#bytes.push((value >>> 24) & 0xff, (value >>> 16) & 0xff);
    return this.int16(value & 0xffff);
  }

  string(value: string): this {
    const bytes = encoder.encode(value);
    this.int16(bytes.length);
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes);
  }
}

/** ConsumerProtocolSubscription v0: version, topics, user data (none). */
function encodeSubscription(topics: readonly string[]): Buffer {
  const writer = new ProtocolWriter().int16(VERSION).int32(topics.length);
  for (const topic of topics) writer.string(topic);
  return writer.int32(0).finish();
}

/** ConsumerProtocolAssignment v0: version, partitions by topic, user data (none). */
function encodeAssignment(partitions: ReadonlyMap<string, readonly number[]>): Buffer {
  const writer = new ProtocolWriter().int16(VERSION).int32(partitions.size);
  for (const [topic, numbers] of partitions) {
    writer.string(topic).int32(numbers.length);
    for (const number of numbers) writer.int32(number);
  }
  return writer.int32(0).finish();
}

/**
 * Deals the partitions of all topics to the members, in member id order, one each in turn.
 *
 * The same result as kafkajs's own `roundRobin`, which cannot be borrowed when the client is
 * injected.
 */
export function roundRobin(cluster: ClientCluster): ClientAssigner {
  return {
    name: NAME,
    version: VERSION,
    async assign({ members, topics }) {
      const memberIds = members.map(({ memberId }) => memberId).sort();
      const shares = new Map<string, Map<string, number[]>>();
      let dealt = 0;
      for (const topic of topics) {
        for (const { partitionId } of cluster.findTopicPartitionMetadata(topic)) {
          const memberId = memberIds[dealt++ % memberIds.length] as string;
          const share = shares.get(memberId) ?? new Map<string, number[]>();
          shares.set(memberId, share);
          const partitions = share.get(topic);
          if (partitions === undefined) share.set(topic, [partitionId]);
          else partitions.push(partitionId);
        }
      }
      return [...shares].map(([memberId, share]) => ({
        memberId,
        memberAssignment: encodeAssignment(share),
      }));
    },
    protocol: ({ topics }) => ({ name: NAME, metadata: encodeSubscription(topics) }),
  };
}
