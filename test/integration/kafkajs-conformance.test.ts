import { afterAll, beforeAll, describe, test } from "bun:test";
import type { Producer } from "kafkajs";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { type SourceHarness, sourceCases } from "../../src/source/conformance.ts";
import type { Admin } from "../../src/source/source.ts";
import { Bench, bootstrap, clock, quiet, unique } from "./kafkajs-harness.ts";

describe.skipIf(bootstrap === "")("kafkajs source, conformance", () => {
  let bench: Bench;
  let admin: Admin;
  let producer: Producer;
  beforeAll(async () => {
    bench = new Bench();
    admin = await bench.admin();
    producer = await bench.producer();
  });
  afterAll(() => bench.close());

  const harness: SourceHarness = {
    factory: kafkajs({
      brokers: [bootstrap],
      consumer: { maxWaitTimeInMs: 50, heartbeatInterval: 100, sessionTimeout: 10_000 },
    }),
    clock,
    logger: quiet,
    stepTimeoutMs: 10_000,
    moveToSecond: "joins",
    newName: () => unique("case"),
    createTopic: (partitions) => bench.topic(partitions),
    committed: (groupId, topic) => admin.committed(groupId, topic),
    async produce(topic, partition, records) {
      const messages = records.map(({ key, value, headers = [], timestamp }) => {
        const byName: Record<string, string[]> = {};
        for (const [name, text] of headers) byName[name] = [...(byName[name] ?? []), text];
        const at = timestamp === undefined ? {} : { timestamp: String(timestamp) };
        return { partition, key, value, headers: byName, ...at };
      });
      await producer.send({ topic, messages });
    },
  };

  for (const { name, run } of sourceCases) test(name, () => run(harness), 20_000);
});
