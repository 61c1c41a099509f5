/**
 * What headrace adds to kafkajs when handlers do nothing (B2): 200,000 messages, one partition, real broker.
 *
 *   node bench/overhead.ts [--json] [--rounds N] [--keys N]     --keys 0 (default): every message has its own key
 *
 * The baseline is a bare `eachBatch` loop that reads key and offset. Both run in this process, in turns; after them
 * one run of each is profiled and the difference shown by stage, in nanoseconds per message.
 */
import { parseArgs } from "node:util";
import { kafkajs } from "../src/adapters/kafkajs.ts";
import { createConsumer } from "../src/index.ts";
import type { VirtualPartitionsOptions } from "../src/options.ts";
import { client, fillTopic, newGroup, withBroker } from "./support/kafka.ts";
import { median, report, takeTurns } from "./support/rounds.ts";
import { profileStages } from "./support/stage-profile.ts";

const COUNT = 200_000;
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "9" },
    keys: { type: "string", default: "0" },
  },
});

/** Reads key and offset of each message; complete and in offset order per key or the run is void. */
class Reader {
  #firstMs = 0;
  #lastMs = 0;
  #done = 0;
  #sum = 0;
  #keyBytes = 0;
  finish: () => void = () => {};
  readonly finished: Promise<void> = new Promise((resolve) => {
    this.finish = resolve;
  });

  read(key: Uint8Array | null, offset: number): void {
    if (this.#firstMs === 0) this.#firstMs = performance.now();
    this.#keyBytes += key!.length;
    this.#sum += offset;
    if (++this.#done < COUNT) return;
    this.#lastMs = performance.now();
    this.finish();
  }

  get seconds(): number {
    if (this.#done !== COUNT || this.#sum !== (COUNT * (COUNT - 1)) / 2 || this.#keyBytes === 0) {
      throw new Error(`Cannot use this run as it must be complete: ${this.#done} of ${COUNT}`);
    }
    return (this.#lastMs - this.#firstMs) / 1000;
  }
}

async function bare(bootstrap: string, topic: string): Promise<number> {
  const reader = new Reader();
  const consumer = client(bootstrap).consumer({ groupId: newGroup(), maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) reader.read(message.key, Number(message.offset));
    },
  });
  await reader.finished;
  await consumer.disconnect();
  return reader.seconds;
}

async function headrace(
  bootstrap: string,
  topic: string,
  distribution: NonNullable<VirtualPartitionsOptions["distribution"]>,
): Promise<number> {
  const reader = new Reader();
  const consumer = createConsumer({
    source: kafkajs({ brokers: [bootstrap] }),
    groupId: newGroup(),
    concurrency: 100,
    fromBeginning: true,
    topics: {
      [topic]: {
        eachMessage: (message) => reader.read(message.key, message.offset),
        virtualPartitions: { distribution },
      },
    },
  });
  await Promise.race([reader.finished, consumer.run()]);
  await consumer.close();
  return reader.seconds;
}

await withBroker(async (bootstrap) => {
  const keys = Number(values.keys);
  const topic = await fillTopic(bootstrap, "overhead", { count: COUNT, keys, bytes: 100 });
  const rounds = await takeTurns("overhead", Number(values.rounds), {
    "kafkajs eachBatch": () => bare(bootstrap, topic),
    "headrace per-key": () => headrace(bootstrap, topic, "per-key"),
    "headrace consistent": () => headrace(bootstrap, topic, "consistent"),
    "headrace balanced": () => headrace(bootstrap, topic, "balanced"),
  });
  report("overhead", COUNT, rounds, "kafkajs eachBatch", values.json);
  const nsOf = (name: string): number => (median(rounds[name]!) * 1e9) / COUNT;
  const baseNs = nsOf("kafkajs eachBatch");
  for (const distribution of ["per-key", "consistent", "balanced"] as const) {
    const addedNs = Math.round(nsOf(`headrace ${distribution}`) - baseNs);
    const times = await profileStages(() => headrace(bootstrap, topic, distribution));
    const stages = [...times]
      .filter(([stage]) => stage !== "idle")
      .map(([stage, ms]) => [stage, Math.round((ms * 1e6) / COUNT)] as const)
      .filter(([, ns]) => ns > 0)
      .sort((a, b) => b[1] - a[1]);
    if (values.json) {
      const stageNs = Object.fromEntries(stages);
      console.log(JSON.stringify({ cell: "overhead", distribution, addedNs, stageNs }));
    } else {
      const list = stages.map(([stage, ns]) => `${stage} ${ns}`).join(", ");
      console.log(
        `\n${distribution}: ${addedNs} ns/message added; profiled run, ns/message:\n  ${list}`,
      );
    }
  }
});
process.exit(0);
