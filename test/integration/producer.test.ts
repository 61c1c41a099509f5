/** The producer on a broker: where keys go, its variants, and what the broker refuses. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { ClosedError, ProduceError } from "../../src/errors.ts";
import { createProducer, type Producer } from "../../src/produce/producer.ts";
import type { ProducerOptions } from "../../src/produce/producer-options.ts";
import { withAdmin } from "../kafka/admin.ts";
import { Bench, bootstrap, Recorder, unique } from "./kafkajs-harness.ts";

const KEYS = 10_000;
const PARTITIONS = 12;

describe.skipIf(bootstrap === "")("producer on a broker", () => {
  let bench: Bench;
  const producers: Producer[] = [];
  const producer = (options: Partial<ProducerOptions> = {}): Producer => {
    const sink = kafkajs({ brokers: [bootstrap] });
    const made = createProducer({ sink, logger: false, ...options });
    producers.push(made);
    return made;
  };
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(async () => {
    await Promise.all(producers.splice(0).map((one) => one.close()));
    await bench.close();
  });

  test("10,000 random keys lie where kafkajs's own producer puts them", async () => {
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (state >>> 8) % below;
    };
    const keys = Array.from({ length: KEYS }, (_, i) => {
      const text = `${i}`.padEnd(1 + random(40), "äé漢-xyz".slice(random(5)));
      return random(2) === 0 ? text : Buffer.from(text);
    });
    const [ours, theirs] = [await bench.topic(PARTITIONS), await bench.topic(PARTITIONS)];
    const plain = await bench.producer();
    const messages = keys.map((key, i) => ({ key, value: String(i) }));
    for (let start = 0; start < KEYS; start += 1000) {
      await plain.send({ topic: theirs, messages: messages.slice(start, start + 1000) });
    }
    const placed = await producer().produceMany(
      messages.map((message) => ({ topic: ours, ...message })),
    );
    const to = new Recorder();
    await bench.open(unique("group"), [theirs]).start(to);
    await to.until(() => to.seen.length === KEYS, "all records");
    const differences = to.seen.filter(
      ({ value, partition }) => placed[Number(value)]?.partition !== partition,
    );
    expect(differences).toEqual([]);
    expect(new Set(placed.map(({ partition }) => partition)).size).toBe(PARTITIONS);
  });

  test("variants share the order of the calls, whatever they are acknowledged by", async () => {
    const topic = await bench.topic(1);
    const base = producer();
    const variants = [
      base,
      base.variant({ acks: 1, compression: "gzip" }),
      base.variant({ idempotent: true }),
      base.variant({ acks: 0 }),
    ];
    const offsets: (number | undefined)[] = [];
    const calls = Array.from({ length: 40 }, async (_, i) => {
      const by = variants[i % variants.length]!;
      offsets[i] = (await by.produce({ topic, value: String(i) })).offset;
    });
    await Promise.all(calls);
    await base.produce({ topic, value: "40" });
    const to = new Recorder();
    await bench.open(unique("group"), [topic]).start(to);
    await to.until(() => to.seen.length === 41, "all records");
    expect(to.seen.map(({ value }) => value)).toEqual(Array.from({ length: 41 }, (_, i) => `${i}`));
    expect(offsets.map((offset, i) => offset ?? i)).toEqual(
      Array.from({ length: 40 }, (_, i) => i),
    );
    expect(offsets.filter((offset) => offset === undefined).length).toBe(10);
  });

  test("a record that is too large fails alone, and its neighbours are stored", async () => {
    const topic = await bench.topic(1);
    const configEntries = [{ name: "max.message.bytes", value: "2000" }];
    const resources = [{ type: 2, name: topic, configEntries }];
    await withAdmin(bench.kafka, (admin) => admin.alterConfigs({ validateOnly: false, resources }));
    for (const idempotent of [false, true]) {
      const by = producer({ idempotent });
      const sizes = [10, 10, 5000, 10, 10];
      const answers = await Promise.allSettled(
        sizes.map((size) => by.produce({ topic, value: "x".repeat(size) })),
      );
      expect(answers.map(({ status }) => status[0])).toEqual(["f", "f", "r", "f", "f"]);
      const { reason } = answers[2] as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(ProduceError);
      expect(reason.message).toContain(`${topic}#0`);
      expect(reason.retriable).toBe(false);
    }
    const to = new Recorder();
    await bench.open(unique("group"), [topic]).start(to);
    await to.until(() => to.seen.length >= 8, "all small records");
    expect(to.offsets(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("a missing topic, a partition out of range and a closed producer are one clear error", async () => {
    const topic = await bench.topic(2);
    const by = producer();
    const missing = unique("missing");
    const failed = async (record: { topic: string; partition?: number }): Promise<Error> =>
      by.produce({ ...record, value: "v" }).then(
        () => new Error("it was stored"),
        (error) => error,
      );
    expect((await failed({ topic: missing })).message).toContain(missing);
    expect((await failed({ topic, partition: 2 })).message).toContain("[0, 2): received 2");
    expect(await failed({ topic: "no/name" })).toBeInstanceOf(ProduceError);
    await by.produce({ topic, value: "v" });
    await by.close();
    expect(await failed({ topic })).toBeInstanceOf(ClosedError);
  });
});
