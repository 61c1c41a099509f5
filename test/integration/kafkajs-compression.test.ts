/** Every codec both ways: what we write Kafka's own code can read, and what that writes we can. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { createProducer } from "../../src/produce/producer.ts";
import type { Compression } from "../../src/source/source.ts";
import { withAdmin } from "../kafka/admin.ts";
import { Bench, bootstrap, Recorder, unique } from "./kafkajs-harness.ts";

const RECORDS = 200;
/** kafkajs's ConfigResourceTypes.TOPIC, which Node does not see in a CommonJS module. */
const TOPIC = 2;
const codecs: Exclude<Compression, "none">[] = ["gzip", "snappy", "lz4", "zstd"];

describe.skipIf(bootstrap === "")("compression on a broker", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.close());

  /** Makes the broker compress a topic's batches itself, with Kafka's Java code. */
  async function compressAt(topic: string, compression: Compression): Promise<void> {
    const configEntries = [{ name: "compression.type", value: compression }];
    const resources = [{ type: TOPIC, name: topic, configEntries }];
    await withAdmin(bench.kafka, (admin) => admin.alterConfigs({ validateOnly: false, resources }));
  }

  for (const compression of codecs) {
    test(`${compression}: read by Kafka, and read back, whoever has compressed`, async () => {
      const ours = await bench.topic(1);
      const theirs = await bench.topic(1);
      const both = await bench.topic(1);
      await compressAt(theirs, compression);
      // The broker inflates what we have compressed and compresses it in another way.
      await compressAt(both, compression === "gzip" ? "lz4" : "gzip");
      const producer = createProducer({ sink: kafkajs({ brokers: [bootstrap] }) });
      const values = Array.from({ length: RECORDS }, (_, i) => `value ${i} `.repeat(1 + (i % 60)));
      const records = (topic: string) => values.map((value) => ({ topic, key: "k", value }));
      const compressed = producer.variant({ compression });
      const stored = await compressed.produceMany([...records(ours), ...records(both)]);
      expect(stored.length).toBe(2 * RECORDS);
      await producer.produceMany(records(theirs));
      await producer.close();
      const to = new Recorder();
      await bench.open(unique("group"), [ours, theirs, both]).start(to);
      await to.until(() => to.seen.length === 3 * RECORDS, "all records");
      for (const topic of [ours, theirs, both]) {
        const read = to.seen.filter(({ lease }) => lease.topic === topic);
        expect(read.map(({ value }) => value)).toEqual(values);
      }
    });
  }
});
