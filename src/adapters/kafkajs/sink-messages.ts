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

/** Messages by topic, in the order of the batches. */
export function topicMessages(
  batches: readonly SinkBatch[],
): { topic: string; messages: ClientProducerMessage[] }[] {
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
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
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
