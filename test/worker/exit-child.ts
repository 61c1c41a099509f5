/** Runs a consumer with a module, closes it, and is done: nothing may keep this process alive then (W5). */
import process from "node:process";
import { createConsumer } from "../../src/consumer.ts";
import { memorySource } from "../../src/testing/memory-source.ts";

const module = process.argv[2]!;
const memory = memorySource({ topics: { t: 1 } });
const consumer = createConsumer({
  source: memory.source,
  groupId: "g",
  fromBeginning: true,
  workers: 2,
  logger: false,
  topics: { t: { module, virtualPartitions: true } },
});
let lastError: string | null = null;
consumer.on("error", ({ error }) => {
  lastError = error.code;
});
const ran = consumer.run().then(
  (report) => ({ report }),
  (error: { code?: string }) => ({ rejected: error.code }),
);
memory.deliver("t", 0, [{ key: "a", value: "1" }]);
consumer.on("processed", () => {
  consumer.close({ drainTimeoutMs: 20 }).catch(() => {});
});
process.stdout.write(`${JSON.stringify({ ran: await ran, lastError })}\n`);
