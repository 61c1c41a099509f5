/**
 * Where records go under each partitioning, what a hot key does to it, and what a new partition count moves.
 *
 * Needs nothing but a directory.
 *
 *     node examples/partitioning.ts
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { log, openLog } from "../src/adapters/log.ts";
import {
  balanced,
  createProducer,
  messagesKey,
  type Partitioning,
  type ProducerRecord,
  priority,
  salted,
  weighted,
} from "../src/index.ts";

const PARTITIONS = 6;
const RECORDS = 6000;
const directory = await mkdtemp(join(tmpdir(), "headrace-example-"));
const topics = { orders: { partitions: PARTITIONS } };
const data = await openLog(directory, { topics });
const producer = createProducer({ sink: log(data) });

/** Half of all orders are those of one customer. */
const orders = Array.from({ length: RECORDS }, (_, order): ProducerRecord => {
  return {
    topic: "orders",
    key: order % 2 === 0 ? "customer-0" : `customer-${order % 300}`,
    value: `order ${order}`,
    headers: { priority: order % 10 === 0 ? "high" : "normal" },
  };
});

/** Produces all orders and prints how many of them each partition got. */
async function show(name: string, partitioning: Partitioning): Promise<void> {
  const counts = new Array<number>(PARTITIONS).fill(0);
  const records = orders.map((order) => ({ ...order, partitioning }));
  for (const { partition } of await producer.produceMany(records)) counts[partition]! += 1;
  console.log(name.padEnd(12), counts.map((count) => String(count).padStart(5)).join(""));
}

await show("messagesKey", messagesKey());
await show("salted", salted({ salts: 6, hot: (key) => key === "customer-0" }));
await show("balanced", balanced());
await show("weighted", weighted({ 0: 5, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1 }));
await show("priority", priority({ header: "priority", high: [0], others: [1, 2, 3, 4, 5] }));
// One's own: by the number of the order, a thousand in a row to each partition.
await show("your own", {
  calculatePartitionId: (_topic, { value }, count) =>
    Math.floor(Number(String(value).slice("order ".length)) / 1000) % count,
});

const byKey = messagesKey();
let moved = 0;
for (let customer = 0; customer < 1000; customer++) {
  const record = { topic: "orders", key: `customer-${customer}`, value: null };
  const [before, after] = [6, 8].map((n) => byKey.calculatePartitionId("orders", record, n));
  if (before !== after) moved += 1;
}
console.log(`6 partitions become 8: ${moved} of 1000 keys move`);

await producer.close();
await data.close();
await rm(directory, { recursive: true });
