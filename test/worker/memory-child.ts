/** A consumer whose handler takes more memory than its thread may have, at its first attempt. */
import process from "node:process";
import { Worker } from "node:worker_threads";
import { createConsumer } from "../../src/consumer.ts";
import { memorySource } from "../../src/testing/memory-source.ts";

const module = (): Worker =>
  new Worker(new URL("./memory-thread.ts", import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 48 },
  });
const memory = memorySource({ topics: { t: 1 } });
const consumer = createConsumer({
  source: memory.source,
  groupId: "g",
  fromBeginning: true,
  workers: 1,
  logger: false,
  topics: { t: { module, retry: { backoffMs: 1, maxBackoffMs: 1 } } },
});
const failed: unknown[] = [];
consumer.on("failed", ({ attempt, error }) => void failed.push([attempt, error.code]));
consumer.on("processed", () => void consumer.close());
const ran = consumer.run();
memory.deliver("t", 0, [{ key: "a", value: "1" }]);
process.stdout.write(`${JSON.stringify({ report: await ran, failed })}\n`);
