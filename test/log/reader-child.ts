/**
 * A consumer with virtual partitions over a log that another process writes. Says in lines what
 * happens: `assigned OFFSET`, `start OFFSET KEY`, `end OFFSET KEY`, `stored OFFSET`,
 * `other EVENT JSON`.
 *
 *     reader-child.ts DIRECTORY TOPIC GROUP
 */
import process from "node:process";
import { log } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/consumer.ts";
import { say } from "./say.ts";

const [directory, topic, groupId] = process.argv.slice(2);

const consumer = createConsumer({
  source: log(directory!),
  groupId: groupId!,
  fromBeginning: true,
  concurrency: 16,
  commitIntervalMs: 10,
  topics: {
    [topic!]: {
      virtualPartitions: { distribution: "balanced" as const },
      eachMessage: async (message) => {
        const what = `${message.offset} ${message.keyText()}`;
        say(`start ${what}`);
        // Some longer than others, so that lanes overtake each other.
        const turns = message.offset % 4;
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
        say(`end ${what}`);
      },
    },
  },
});
consumer.on("assigned", ({ offset }) => say(`assigned ${offset}`));
consumer.on("committed", ({ offset }) => say(`stored ${offset}`));
for (const event of ["lost", "revoked", "offsetReset", "error"] as const) {
  consumer.on(event, (payload) => say(`other ${event} ${JSON.stringify(payload)}`));
}
process.stdin.once("end", () => void consumer.close()).resume();
await consumer.run();
