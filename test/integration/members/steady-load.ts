import { type Kafka, Partitioners, type Producer } from "kafkajs";

const KEYS = 300;
const BATCH = 100;
/** Between two batches: a little below 2,000 messages a second. */
const PAUSE_MS = 50;

/** Produces with keys k0, k1, … in turns until it is stopped. */
export class SteadyLoad {
  readonly #producer: Producer;
  readonly #topic: string;
  readonly #ended: Promise<void>;
  #stopped = false;

  constructor(producer: Producer, topic: string) {
    this.#producer = producer;
    this.#topic = topic;
    this.#ended = this.#run();
    this.#ended.catch(() => {}); // stop() reports it
  }

  static async start(kafka: Kafka, topic: string): Promise<SteadyLoad> {
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    return new SteadyLoad(producer, topic);
  }

  /** Settles when everything that was sent is acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    for (let next = 0; !this.#stopped; ) {
      const messages = Array.from({ length: BATCH }, () => {
        const number = next++;
        return { key: `k${number % KEYS}`, value: `${number}` };
      });
      await this.#producer.send({ topic: this.#topic, messages });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await this.#producer.disconnect();
  }
}
