/** How far kafkajs reads ahead of worker threads. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { mostPolled } from "../worker/most-polled.ts";
import { Bench, bootstrap } from "./kafkajs-harness.ts";

const COUNT = 2000;
const SENT_TOGETHER = 40;
/** What is sent together is more than a fetch asks for; all is less than the consumer's budget. */
const VALUE: string = "v".repeat(2000);
const CONSUMER = { maxBytesPerPartition: 64 * 1024 };

describe.skipIf(bootstrap === "")("reading ahead of worker threads, on a broker", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.close());

  test("F1: while all threads have calls that wait for them, no more is fetched than is plenty", async () => {
    const topic = await bench.topic(1);
    const producer = await bench.producer();
    for (let next = 0; next < COUNT; next += SENT_TOGETHER) {
      const messages = Array.from({ length: SENT_TOGETHER }, (_, index) => ({
        key: `k${(next + index) % 200}`,
        value: VALUE,
      }));
      await producer.send({ topic, messages });
    }
    const source = kafkajs({ brokers: [bootstrap], consumer: CONSUMER });
    expect(await mostPolled(source, topic, COUNT, "holds-thread.ts")).toBeLessThan(COUNT / 2);
  });
});
