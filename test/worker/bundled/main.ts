/** A program with a worker file of its own, for bundlers: prints what its handlers say. */
import { Worker } from "node:worker_threads";
import { createConsumer } from "../../../src/index.ts";
import { memorySource } from "../../../src/testing/memory-source.ts";

const memory = memorySource({ topics: { t: 1 } });
const consumer = createConsumer({
  source: memory.source,
  groupId: "bundled",
  workers: 1,
  fromBeginning: true,
  logger: false,
  topics: {
    t: {
      module: () => new Worker(new URL("./handler.worker.js", import.meta.url)),
      onError: "isolate",
      deadLetterQueue: { topic: false, maxRetries: 0 },
    },
  },
});
consumer.on("failed", ({ error }) => console.log(error.message));
consumer.on("skipped", ({ offset }) => {
  if (offset === 1) consumer.close().catch(console.error);
});
memory.deliver("t", 0, [{ value: "one" }, { value: "two" }]);
await consumer.run();
