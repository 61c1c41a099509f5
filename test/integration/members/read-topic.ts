import type { IHeaders, Kafka } from "kafkajs";

const LIMIT_MS = 30_000;

/** A record as text. */
export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  /** All values of a name, in their order. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

/**
 * Reads a topic from its start with kafkajs itself.
 *
 * @param count Records to wait for.
 * @returns By partition, then by offset.
 */
export async function readTopic(
  kafka: Kafka,
  topic: string,
  count: number,
): Promise<readonly ReadRecord[]> {
  const consumer = kafka.consumer({ groupId: `${topic}-read-${Math.random()}` });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const records: ReadRecord[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => reject(new Error(`read ${records.length} of ${count} records of ${topic} in time`)),
    LIMIT_MS,
  );
  if (count === 0) resolve();
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      const { offset, timestamp, key, value, headers } = message;
      records.push({
        partition,
        offset: Number(offset),
        timestamp: Number(timestamp),
        key: key?.toString() ?? null,
        value: value?.toString() ?? null,
        headers: textOf(headers ?? {}),
      });
      if (records.length === count) resolve();
    },
  });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function textOf(headers: IHeaders): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const values = Array.isArray(value) ? value : [value];
      return [name, values.map((one) => one?.toString() ?? "")];
    }),
  );
}
