/**
 * Handles orders of which some can never be handled, then reads what became of those.
 *
 * Needs nothing but a directory.
 *
 *     node examples/dead-letters.ts
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { log, openLog } from "../src/adapters/log.ts";
import { createConsumer, createProducer, json } from "../src/index.ts";

interface Order {
  readonly amount: number;
}

const ORDERS = 200;
const directory = await mkdtemp(join(tmpdir(), "headrace-example-"));
const data = await openLog(directory, { topics: { orders: { partitions: 1 } } });

const producer = createProducer({ sink: log(data) });
await producer.produceMany(
  Array.from({ length: ORDERS }, (_, order) => ({
    topic: "orders",
    key: `customer-${order % 20}`,
    // Every 50th is no JSON.
    value: order % 50 === 49 ? "amount: 7" : JSON.stringify({ amount: order }),
  })),
);
await producer.close();

let total = 0;
const consumer = createConsumer({
  source: log(data),
  groupId: "billing",
  fromBeginning: true,
  concurrency: 20,
  topics: {
    orders: {
      deserializer: json<Order>(),
      eachMessage: async (message) => {
        total += message.payload.amount;
      },
      virtualPartitions: true,
      retry: { backoffMs: 10 },
      deadLetterQueue: { topic: "orders.dead", maxRetries: 2, independent: true },
    },
  },
});
consumer.on("deadLettered", ({ offset, target }) => console.log(`offset ${offset} to ${target}`));
consumer.on("committed", ({ offset }) => {
  if (offset === ORDERS) void consumer.close();
});
await consumer.run();
console.log(`billed ${total}`);

let read = 0;
const reader = createConsumer({
  source: log(data),
  groupId: "reader",
  fromBeginning: true,
  topics: {
    "orders.dead": {
      eachMessage: (message) => {
        const header = (name: string): string | null => message.headers.text(`headrace-${name}`);
        const place = `${header("source-topic")} ${header("source-offset")}`;
        const failure = `${header("attempts")} attempts, ${header("error-name")}`;
        console.log(`${place}, ${message.keyText()}, "${message.text()}": ${failure}`);
        read++;
        if (read === 4) void reader.close();
      },
    },
  },
});
await reader.run();

await data.close();
await rm(directory, { recursive: true });
