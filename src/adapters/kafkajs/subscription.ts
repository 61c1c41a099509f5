/** What a member subscribes to: ConsumerProtocolSubscription of Kafka's consumer protocol. */
import { ProtocolReader } from "./protocol-reader.ts";
import { ProtocolWriter } from "./protocol-writer.ts";

/** The version that kafkajs writes. Later ones only add fields at the end. */
const VERSION = 0;

/** Topics, and bytes that the protocol leaves to the members. */
export interface Subscription {
  readonly topics: readonly string[];
  readonly userData: Uint8Array;
}

/** Version 0: version, topics, user data. */
export function encodeSubscription({ topics, userData }: Subscription): Uint8Array {
  const writer = new ProtocolWriter().int16(VERSION).int32(topics.length);
  for (const topic of topics) writer.string(topic);
  return writer.bytes(userData).finish();
}

/** Any version; null when it cannot be read. */
export function decodeSubscription(metadata: Uint8Array): Subscription | null {
  const reader = new ProtocolReader(metadata);
  try {
    reader.int16();
    return { topics: reader.array(() => reader.string()), userData: reader.bytes() };
  } catch {
    // kafkajs's own assigner does not look into it either: such a member works.
    return null;
  }
}
