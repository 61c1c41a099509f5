import { describe, expect, test } from "bun:test";
import type { ClientProducer } from "../../src/adapters/kafkajs/client.ts";
import { ExactProducers } from "../../src/adapters/kafkajs/exact-producers.ts";
import type { SinkBatch } from "../../src/source/source.ts";

/** Clients by number, and which of them have said goodbye. */
function setUp() {
  const gone: number[] = [];
  const clients: ClientProducer[] = [];
  let refusal: Error | null = null;
  const producers = new ExactProducers(async () => {
    if (refusal !== null) throw refusal;
    const number = clients.length;
    const client: ClientProducer = {
      connect: async () => {},
      disconnect: async () => void gone.push(number),
      sendBatch: async () => [],
    };
    clients.push(client);
    return client;
  });
  const start = async (batch: SinkBatch) => {
    const { client, end } = await producers.start(batch);
    return { number: clients.indexOf(client), end };
  };
  const refuse = (error: Error | null): void => {
    refusal = error;
  };
  return { producers, clients, gone, start, refuse };
}

const batch = (partition: number): SinkBatch => ({ topic: "t", partition, records: [] });

describe("ExactProducers", () => {
  test("one client serves all batches as long as their outcomes are known", async () => {
    const { start, clients } = setUp();
    for (const outcome of ["stored", "refused", "stored"] as const) {
      (await start(batch(0))).end(outcome);
      (await start(batch(1))).end(outcome);
    }
    expect(clients.length).toBe(1);
  });

  test("a batch with an unknown outcome is sent again over its client", async () => {
    const { start, clients } = setUp();
    const one = batch(0);
    (await start(one)).end("unknown");
    const again = await start(one);
    expect(again.number).toBe(0);
    again.end("stored");
    (await start(batch(0))).end("stored");
    expect(clients.length).toBe(1);
  });

  test("after a batch that was given up the partition goes on with a new client", async () => {
    const { start, gone } = setUp();
    (await start(batch(0))).end("unknown");
    expect((await start(batch(0))).number).toBe(1);
    expect((await start(batch(1))).number).toBe(1);
    expect(gone).toEqual([0]);
  });

  test("a refusal after an unknown outcome leaves it unknown", async () => {
    const { start } = setUp();
    const one = batch(0);
    (await start(one)).end("unknown");
    (await start(one)).end("refused");
    expect((await start(batch(0))).number).toBe(1);
  });

  test("a replaced client lives until the uncertain batches of other partitions are stored", async () => {
    const { start, gone } = setUp();
    const [given, other] = [batch(0), batch(1)];
    (await start(given)).end("unknown");
    (await start(other)).end("unknown");
    const running = await start(batch(2));
    expect((await start(batch(0))).number).toBe(1);
    const again = await start(other);
    expect(again.number).toBe(0);
    again.end("stored");
    expect(gone).toEqual([]);
    running.end("stored");
    expect(gone).toEqual([0]);
    expect((await start(batch(1))).number).toBe(1);
  });

  test("two partitions that give up over the same client get one new client", async () => {
    const { start, clients } = setUp();
    for (const partition of [0, 1]) (await start(batch(partition))).end("unknown");
    const next = await Promise.all([start(batch(0)), start(batch(1))]);
    expect(next.map(({ number }) => number)).toEqual([1, 1]);
    expect(clients.length).toBe(2);
  });

  test("rejects when no client can be made, and tries again for the next batch", async () => {
    const { start, refuse, clients } = setUp();
    (await start(batch(0))).end("unknown");
    refuse(new Error("no broker"));
    const one = batch(0);
    await expect(start(one)).rejects.toThrow("no broker");
    await expect(start(one)).rejects.toThrow("no broker");
    refuse(null);
    expect((await start(one)).number).toBe(1);
    expect(clients.length).toBe(2);
  });

  test("close() ends every client", async () => {
    const { producers, start, gone } = setUp();
    (await start(batch(0))).end("unknown");
    (await start(batch(1))).end("unknown");
    (await start(batch(0))).end("stored");
    await producers.close();
    expect(gone.sort()).toEqual([0, 1]);
  });
});
