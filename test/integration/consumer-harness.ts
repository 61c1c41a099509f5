/** Topics with random names on the broker that KAFKA_BOOTSTRAP names. */
import { type Admin, Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import { newTopic } from "../kafka/admin.ts";

export const bootstrap: string = process.env.KAFKA_BOOTSTRAP ?? "";

export function unique(name: string): string {
  return `headrace-${name}-${Math.random().toString(36).slice(2, 10)}`;
}

/** Creates topics, fills them, reads what groups committed. */
export class TestTopics {
  readonly #admin: Admin;
  readonly #producer: Producer;

  constructor() {
    const kafka = new Kafka({ brokers: [bootstrap || "unused:1"], logLevel: logLevel.NOTHING });
    this.#admin = kafka.admin();
    this.#producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  }

  async connect(): Promise<void> {
    await Promise.all([this.#admin.connect(), this.#producer.connect()]);
  }

  async disconnect(): Promise<void> {
    await Promise.all([this.#admin.disconnect(), this.#producer.disconnect()]);
  }

  async create(numPartitions: number): Promise<string> {
    const topic = unique("topic");
    await newTopic(this.#admin, topic, numPartitions);
    return topic;
  }

  /** Keys k0, k1, … in turns; the value is the record's number. */
  async fill(topic: string, count: number, keys: number): Promise<void> {
    for (let next = 0; next < count; ) {
      const size = Math.min(2000, count - next);
      const messages = Array.from({ length: size }, () => {
        const number = next++;
        return { key: `k${number % keys}`, value: `${number}` };
      });
      await this.#producer.send({ topic, messages });
    }
  }

  /** Log ends by partition. */
  async ends(topic: string): Promise<number[]> {
    const bounds = await this.#admin.fetchTopicOffsets(topic);
    return bounds.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
  }

  /** Committed offsets by partition; -1 where there is none. */
  async committed(groupId: string, topic: string): Promise<number[]> {
    const [found] = await this.#admin.fetchOffsets({ groupId, topics: [topic] });
    const partitions = [...(found?.partitions ?? [])].sort((a, b) => a.partition - b.partition);
    return partitions.map(({ offset }) => Number(offset));
  }
}
