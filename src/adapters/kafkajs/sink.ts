/** Produces over kafkajs: explicit partitions, acknowledged by all replicas. */
import { Buffer } from "node:buffer";
import { ClosedError, ProduceError } from "../../errors.ts";
import type { Sink, SinkBatch, SinkOutcome, SinkRecord } from "../../source/source.ts";
import { KafkajsAdmin } from "./admin.ts";
import type { ClientConstructor, ClientProducer, ClientProducerMessage } from "./client.ts";
import { describeBrokers, type KafkajsConfig, openClient } from "./config.ts";
import { errorType, isRetriable, sourceError } from "./errors.ts";
import { loadClient } from "./load.ts";
import type { Sockets } from "./sockets.ts";

const ALL_REPLICAS = -1;

/** Errors that may be about one partition of the request only. */
const ONE_PARTITION_TYPES: ReadonlySet<string> = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "INVALID_TOPIC_EXCEPTION",
  "TOPIC_AUTHORIZATION_FAILED",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
]);

/** kafkajs writes `Buffer`s only; the bytes are shared, not copied. */
function buffer(bytes: Uint8Array | null): Buffer | null {
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function headersOf(record: SinkRecord): Record<string, Uint8Array | Uint8Array[]> {
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

function messagesOf({ partition, records }: SinkBatch): ClientProducerMessage[] {
  return records.map((record) => ({
    partition,
    key: buffer(record.key),
    value: buffer(record.value),
    headers: headersOf(record),
    timestamp: String(record.timestamp),
  }));
}

function produceError(error: unknown, { topic, partition }: SinkBatch): ProduceError {
  const said = sourceError(`Cannot produce as ${topic}[${partition}] must take the batch`, error);
  return new ProduceError(said.message, { retriable: isRetriable(error), cause: error });
}

export class KafkajsSink implements Sink {
  readonly #config: KafkajsConfig;
  readonly #admin: KafkajsAdmin;
  #client: ClientProducer | null = null;
  #sockets: Sockets | null = null;

  constructor(config: KafkajsConfig) {
    this.#config = config;
    this.#admin = new KafkajsAdmin(config);
  }

  async open(): Promise<void> {
    if (this.#client !== null) return;
    await this.#admin.open();
    const Kafka = await loadClient(this.#config.Kafka as ClientConstructor | undefined);
    const { client, sockets } = openClient(Kafka, this.#config);
    const producer = client.producer({
      ...this.#config.producer,
      // Every record names its partition; without this kafkajs warns about its default.
      createPartitioner:
        () =>
        ({ message }: { message: ClientProducerMessage }): number =>
          message.partition,
    });
    try {
      await producer.connect();
    } catch (error) {
      sockets.destroy();
      await this.#admin.close();
      const brokers = describeBrokers(this.#config);
      throw sourceError(`Cannot connect as a broker of ${brokers} must answer`, error);
    }
    this.#client = producer;
    this.#sockets = sockets;
  }

  async partitionCount(topic: string): Promise<number> {
    const count = (await this.#admin.partitionCounts([topic])).get(topic);
    if (count !== undefined) return count;
    throw new ProduceError(`Cannot produce as the topic must exist: received "${topic}"`);
  }

  /**
   * One request per broker. kafkajs names one error for all of it: where that may be about one
   * partition, the batches are sent again one by one, so what the broker had taken already is then
   * there twice.
   */
  async send(batches: readonly SinkBatch[]): Promise<readonly SinkOutcome[]> {
    const producer = this.#client;
    if (producer === null) {
      throw new ClosedError("Cannot produce as the sink must be open: received send()");
    }
    try {
      return await this.#sendAll(producer, batches);
    } catch (error) {
      if (batches.length === 1 || !ONE_PARTITION_TYPES.has(errorType(error))) {
        return batches.map((batch) => ({ error: produceError(error, batch) }));
      }
    }
    const outcomes: SinkOutcome[] = [];
    for (const batch of batches) {
      try {
        outcomes.push(...(await this.#sendAll(producer, [batch])));
      } catch (error) {
        outcomes.push({ error: produceError(error, batch) });
      }
    }
    return outcomes;
  }

  async #sendAll(
    producer: ClientProducer,
    batches: readonly SinkBatch[],
  ): Promise<{ baseOffset: number | undefined }[]> {
    const topics = new Map<string, ClientProducerMessage[]>();
    for (const batch of batches) {
      const messages = topics.get(batch.topic) ?? [];
      topics.set(batch.topic, messages);
      for (const message of messagesOf(batch)) messages.push(message);
    }
    const answers = await producer.sendBatch({
      acks: ALL_REPLICAS,
      topicMessages: [...topics].map(([topic, messages]) => ({ topic, messages })),
    });
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

  async close(): Promise<void> {
    const producer = this.#client;
    this.#client = null;
    this.#sockets?.refuse();
    // Every record was acknowledged or reported before; a failed goodbye changes nothing.
    await producer?.disconnect().catch(() => {});
    this.#sockets?.destroy();
    await this.#admin.close();
  }
}
