/** A connection that ends in the middle of a response, as it does when a broker is killed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { type Consumer, createConsumer } from "../../src/index.ts";
import { BrokerProxy } from "./broker-proxy.ts";
import { bootstrap, unique } from "./consumer-harness.ts";
import { CrashBench } from "./members/crash-bench.ts";

const MESSAGES = 400;
const VALUE_BYTES = 4096;
/** A chunk of so many bytes can only be part of a fetch response. */
const LARGE_BYTES = 10_000;
const WAIT_MS = 20_000;
const LIMIT_MS = 60_000;

/** Stands between client and broker; cuts one connection inside a large response. */
class CuttingProxy extends BrokerProxy {
  cuts = 0;

  protected relay(client: Socket, broker: Socket): void {
    client.on("data", (chunk) => broker.write(chunk));
    broker.on("data", (chunk: Uint8Array) => {
      if (this.cuts > 0 || chunk.length < LARGE_BYTES) return void client.write(chunk);
      this.cuts++;
      client.end(chunk.subarray(0, chunk.length - 1000));
      broker.pause();
    });
  }
}

describe.skipIf(bootstrap === "")("a connection that ends in the middle of a response", () => {
  const proxy = new CuttingProxy();
  let bench: CrashBench;
  let consumer: Consumer | undefined;
  beforeAll(async () => {
    await proxy.listen();
    bench = await CrashBench.open("cut", bootstrap, 1);
    await bench.fill(MESSAGES, 10, VALUE_BYTES);
  }, LIMIT_MS);
  afterAll(async () => {
    await consumer?.close({ drainTimeoutMs: 0 });
    await bench.close();
    proxy.close();
  }, LIMIT_MS);

  test(
    "what was read of it does not spoil the next connection",
    async () => {
      const seen = new Set<number>();
      const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
      consumer = createConsumer({
        source: kafkajs({
          brokers: bootstrap.split(","),
          socketFactory: proxy.socketFactory,
          consumer: { maxWaitTimeInMs: 50, heartbeatInterval: 500 },
        }),
        groupId: unique("cut"),
        fromBeginning: true,
        logger: false,
        topics: {
          [bench.topic]: {
            eachMessage: ({ offset }) => {
              seen.add(offset);
              if (seen.size === MESSAGES) finish();
            },
          },
        },
      });
      await consumer.start();
      const timer = setTimeout(finish, WAIT_MS);
      await finished;
      clearTimeout(timer);
      expect([proxy.cuts, seen.size]).toEqual([1, MESSAGES]);
    },
    LIMIT_MS,
  );
});
