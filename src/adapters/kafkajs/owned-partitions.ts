/**
 * What a member owns, as it tells the leader of its group (rule R9): the user data of its
 * subscription.
 *
 * ```
 * int32  magic       "hrOP"
 * int16  version     1
 * int32  generation  in which the partitions were assigned
 * array  (string topic, array (int32 partition))
 * ```
 *
 * Another magic is another program's user data, another version a later format: both say nothing.
 * Bytes behind the array are ignored, so that fields can be added without a new version.
 */
import { ProtocolReader } from "./protocol-reader.ts";
import { ProtocolWriter } from "./protocol-writer.ts";

const MAGIC = 0x68724f50;
const VERSION = 1;

/** Partitions by topic, and the generation that gave them. */
export interface OwnedPartitions {
  readonly generation: number;
  readonly topics: ReadonlyMap<string, readonly number[]>;
}

/** No bytes at all when nothing is owned: the same as a plain kafkajs member sends. */
export function encodeOwned({ generation, topics }: OwnedPartitions): Uint8Array {
  if (topics.size === 0) return new Uint8Array(0);
  const writer = new ProtocolWriter().int32(MAGIC).int16(VERSION).int32(generation);
  return writer.partitionsByTopic(topics).finish();
}

/** null for what is not ours, or damaged: then the member owns nothing that is known of. */
export function decodeOwned(userData: Uint8Array): OwnedPartitions | null {
  const reader = new ProtocolReader(userData);
  try {
    if (reader.int32() !== MAGIC || reader.int16() !== VERSION) return null;
    const generation = reader.int32();
    const int32 = (): number => reader.int32();
    const topics = reader.array(() => [reader.string(), reader.array(int32)] as const);
    return { generation, topics: new Map(topics) };
  } catch {
    // Anybody may have written it, and an error here would stop the whole group.
    return null;
  }
}
