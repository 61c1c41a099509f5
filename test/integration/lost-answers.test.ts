/** Batches that the broker stores, whose answers never arrive. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { ProduceError } from "../../src/errors.ts";
import { createProducer, type Producer } from "../../src/produce/producer.ts";
import type { ProducerOptions } from "../../src/produce/producer-options.ts";
import { BrokerProxy } from "./broker-proxy.ts";
import { Bench, bootstrap, Recorder, unique } from "./kafkajs-harness.ts";

const PRODUCE = 0;
/** Where a request has its kind: behind its length. */
const API_KEY_AT = 4;
/** kafkajs sends twice by itself before it gives up. */
const RETRY = { retries: 1, initialRetryTime: 20, maxRetryTime: 50 };

/** Stands between client and broker; ends the connection in place of answers to produce requests. */
class LosingProxy extends BrokerProxy {
  /** How many answers are still to be lost. */
  losing = 0;

  protected relay(client: Socket, broker: Socket, end: () => void): void {
    let produced = false;
    client.on("data", (chunk: Buffer) => {
      if (chunk.readInt16BE(API_KEY_AT) === PRODUCE) produced = true;
      broker.write(chunk);
    });
    broker.on("data", (chunk: Buffer) => {
      if (!produced || this.losing === 0) return void client.write(chunk);
      this.losing -= 1;
      end();
    });
  }
}

describe.skipIf(bootstrap === "")("answers that are lost", () => {
  const proxy = new LosingProxy();
  let bench: Bench;
  let producer: Producer | undefined;
  beforeAll(() => proxy.listen());
  afterAll(() => proxy.close());
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(async () => {
    await producer?.close();
    await bench.close();
  });

  function open(options: Partial<ProducerOptions>): Producer {
    const { socketFactory } = proxy;
    const sink = kafkajs({ brokers: [bootstrap], socketFactory, producer: { retry: RETRY } });
    producer = createProducer({ sink, logger: false, ...options });
    return producer;
  }

  /** What the topic has, in order, when it ends with `last`. */
  async function read(topic: string, last: string): Promise<(string | null)[]> {
    const to = new Recorder();
    await bench.open(unique("group"), [topic]).start(to);
    await to.until(() => to.seen.at(-1)?.value === last, `"${last}"`);
    return to.seen.map(({ value }) => value);
  }

  test("without idempotence the batch is there as often as it was sent, in its place", async () => {
    const topic = await bench.topic(1);
    const by = open({});
    await by.produce({ topic, value: "first" });
    proxy.losing = 3;
    await Promise.all(["lost", "next"].map((value) => by.produce({ topic, value })));
    await by.produce({ topic, value: "last" });
    const pair = ["lost", "next"];
    expect(await read(topic, "last")).toEqual([
      "first",
      ...pair,
      ...pair,
      ...pair,
      ...pair,
      "last",
    ]);
    expect(by.stats()).toMatchObject({ retries: 1, delivered: 4, failed: 0 });
  });

  test("with idempotence it is there once, and the offset is right", async () => {
    const topic = await bench.topic(1);
    const by = open({ idempotent: true });
    await by.produce({ topic, value: "first" });
    proxy.losing = 3;
    const stored = await Promise.all(["lost", "next"].map((value) => by.produce({ topic, value })));
    expect(stored.map(({ offset }) => offset)).toEqual([1, 2]);
    expect((await by.produce({ topic, value: "last" })).offset).toBe(3);
    expect(await read(topic, "last")).toEqual(["first", "lost", "next", "last"]);
    expect(by.stats().retries).toBe(1);
  });

  test("with idempotence a batch that is given up does not swallow the next one", async () => {
    const topic = await bench.topic(1);
    const by = open({ idempotent: true, deliveryTimeoutMs: 0 });
    await by.produce({ topic, value: "first" });
    proxy.losing = 2;
    const error = await by.produce({ topic, value: "given up" }).catch((one) => one);
    expect(error).toBeInstanceOf(ProduceError);
    expect(error.retriable).toBe(true);
    // It has taken the same number; the broker would call it stored without looking at it.
    expect((await by.produce({ topic, value: "next" })).offset).toBe(2);
    await by.produce({ topic, value: "last" });
    expect(await read(topic, "last")).toEqual(["first", "given up", "next", "last"]);
  });
});
