/**
 * Handles a topic of a Kafka broker in parallel, in key order; stops on SIGINT or SIGTERM after draining.
 *
 *     KAFKA_BOOTSTRAP=127.0.0.1:9092 TOPIC=orders node examples/kafka.ts
 */
import process from "node:process";
import { kafkajs } from "../src/adapters/kafkajs.ts";
import { createConsumer } from "../src/index.ts";

const consumer = createConsumer({
  source: kafkajs({ brokers: [process.env.KAFKA_BOOTSTRAP ?? "127.0.0.1:9092"] }),
  groupId: "headrace-example",
  concurrency: 100,
  fromBeginning: true,
  topics: {
    [process.env.TOPIC ?? "orders"]: {
      eachMessage: async (message, { virtualPartition }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        console.log(
          `#${message.partition} ${message.offset} on virtual partition ${virtualPartition}`,
        );
      },
      virtualPartitions: { maxPartitions: 50, distribution: "balanced" },
    },
  },
});

consumer.on("error", ({ error }) => console.error(error.message));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => void consumer.close());

const { drained, abandoned } = await consumer.run();
console.log(`Closed: ${drained} messages finished while closing, ${abandoned} given up`);
