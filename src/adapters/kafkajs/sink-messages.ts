/** Batches as kafkajs's producer takes them, and what it answers. */
import { Buffer } from "node:buffer";
import type { SinkBatch, SinkRecord } from "../../source/source.ts";
import type { ClientProducerMessage, ClientRecordMetadata } from "./client.ts";

const NO_HEADERS: ClientProducerMessage["headers"] = Object.freeze(Object.create(null));

/** kafkajs writes `Buffer`s only; the bytes are shared, not copied. */
function buffer(bytes: Uint8Array | null): Buffer | null {
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function headersOf(record: SinkRecord): ClientProducerMessage["headers"] {
  if (record.headers.length === 0) return NO_HEADERS;
  const headers: Record<string, Uint8Array | Uint8Array[]> = Object.create(null);
  for (const [name, value] of record.headers) {
    const bytes = buffer(value) as Buffer;
    const before = headers[name];
    if (before === undefined) headers[name] = bytes;
    else if (Array.isArray(before)) before.push(bytes);
    else headers[name] = [before, bytes];
  }
  return headers;
}

/** Messages of one topic as `sendBatch` takes them. */
interface TopicMessages {
  readonly topic: string;
  readonly messages: ClientProducerMessage[];
}

/**
 * Messages by topic, in the order of the batches.
 *
 * @param grouped The client is kafkajs itself: see {@link groupByPartition}.
 */
export function topicMessages(batches: readonly SinkBatch[], grouped: boolean): TopicMessages[] {
  const topics = new Map<string, ClientProducerMessage[]>();
  for (const { topic, partition, records } of batches) {
    const messages = topics.get(topic) ?? [];
    topics.set(topic, messages);
    for (const record of records) {
      messages.push({
        partition,
        key: buffer(record.key),
        value: buffer(record.value),
        headers: headersOf(record),
        timestamp: String(record.timestamp),
      });
    }
  }
  if (grouped) for (const messages of topics.values()) groupByPartition(messages);
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}

/** What kafkajs hands to `reduce`, and gets from it: messages by partition. */
type Groups = Record<string, ClientProducerMessage[]>;
type AddToGroups = (groups: Groups, message: ClientProducerMessage) => Groups;

/**
 * Gives an array of messages a `reduce` of its own.
 *
 * kafkajs 2.2 groups the messages of a topic by `messages.reduce(…)`, and copies the whole group for
 * every message: a million copies for a batch of 1400. Here its function is called once for each
 * partition, which says where that partition's messages go, and they go there all together.
 */
function groupByPartition(messages: ClientProducerMessage[]): void {
  const reduce = (add: AddToGroups, initial: Groups): Groups => {
    const own = new Map<number, ClientProducerMessage[]>();
    for (const message of messages) {
      const same = own.get(message.partition);
      if (same === undefined) own.set(message.partition, [message]);
      else same.push(message);
    }
    const groups = { ...initial };
    for (const same of own.values()) {
      for (const name of Object.keys(add({}, same[0]!))) groups[name] = same;
    }
    return groups;
  };
  Object.defineProperty(messages, "reduce", { value: reduce });
}

/** Where each batch begins, in the order of the batches; undefined where nothing was acknowledged. */
export function baseOffsets(
  batches: readonly SinkBatch[],
  answers: readonly ClientRecordMetadata[],
): { baseOffset: number | undefined }[] {
  const bases = new Map<string, number>();
  for (const { topicName, partition, baseOffset } of answers) {
    if (baseOffset !== undefined) bases.set(`${partition} ${topicName}`, Number(baseOffset));
  }
  return batches.map(({ topic, partition, records }) => {
    const name = `${partition} ${topic}`;
    const baseOffset = bases.get(name);
    // Batches of one partition were written one after the other.
    if (baseOffset !== undefined) bases.set(name, baseOffset + records.length);
    return { baseOffset };
  });
}
