/**
 * Writes to an embedded log and handles it in parallel, in key order; needs nothing but a directory.
 *
 *     node examples/embedded-log.ts
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { log, openLog } from "../src/adapters/log.ts";
import { createConsumer, createProducer } from "../src/index.ts";

const directory = await mkdtemp(join(tmpdir(), "headrace-example-"));
const data = await openLog(directory, { topics: { orders: { partitions: 1 } } });

const producer = createProducer({ sink: log(data) });
await producer.produceMany(
  Array.from({ length: 1000 }, (_, order) => ({
    topic: "orders",
    key: `customer-${order % 40}`,
    value: JSON.stringify({ order }),
  })),
);
await producer.close();

let handled = 0;
const consumer = createConsumer({
  source: log(data),
  groupId: "example",
  fromBeginning: true,
  concurrency: 20,
  topics: {
    orders: {
      eachMessage: async (message) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        handled++;
        if (message.offset % 200 === 0) console.log(message.keyText(), message.text());
        // Never awaited in a handler: close() waits for the handlers.
        if (handled === 1000) void consumer.close();
      },
      virtualPartitions: { distribution: "balanced" },
    },
  },
});
const startedAt = performance.now();
await consumer.run();
console.log(`${handled} orders of 5 ms each in ${Math.round(performance.now() - startedAt)} ms`);

await data.close();
await rm(directory, { recursive: true });
