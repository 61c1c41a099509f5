import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import type { Lease } from "../../src/source/source.ts";
import {
  Bench,
  bootstrap,
  clock,
  quiet,
  Recorder,
  stop,
  unique,
  within,
} from "./kafkajs-harness.ts";

const soon = (): AbortSignal => AbortSignal.timeout(5_000);
const ascending = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, index) => from + index);

describe.skipIf(bootstrap === "")("kafkajs source on a broker", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.close());

  test("start() delivers every record of every partition once, in order", async () => {
    const topic = await bench.topic(3);
    await bench.fill(topic, 3, 500);
    const to = new Recorder();
    const source = bench.open(unique("group"), [topic]);
    await source.start(to);
    await to.until(() => to.seen.length >= 1_500, "1500 records");
    for (const partition of [0, 1, 2]) {
      expect(to.offsets(partition)).toEqual(ascending(500));
      const lease = to.lease(topic, partition);
      expect(to.info.get(lease)).toMatchObject({
        committed: null,
        groupKnowsTopic: false,
        logStart: 0,
        logEnd: 500,
      });
      expect(to.next.get(lease)).toBe(500);
    }
    expect(to.seen[7]?.key).toBe("k7");
    expect(to.seen[7]?.value).toBe("v7");
    expect(to.batches.every(({ highWatermark }) => highWatermark === 500)).toBe(true);
    expect(to.batches.every(({ records }) => records.offsetDeltas === null)).toBe(true);
    expect(to.log).toEqual(["joined |", "assigned 0,1,2"]);
  });

  test("start() takes the start offsets that assigned() answers", async () => {
    const topic = await bench.topic(2);
    await bench.fill(topic, 2, 20);
    const to = new Recorder();
    to.start = ({ lease }) => (lease.partition === 0 ? 15 : 0);
    await bench.open(unique("group"), [topic]).start(to);
    await to.until(() => to.seen.length >= 25, "25 records");
    expect(to.offsets(0)).toEqual(ascending(5, 15));
    expect(to.offsets(1)).toEqual(ascending(20));
  });

  test("F1: a fetch waits while all of its partitions have plenty, and for none else", async () => {
    const topic = await bench.topic(2);
    await bench.fill(topic, 2, 5);
    const to = new Recorder();
    let need = (): void => {};
    const plenty = new Promise<void>((resolve) => {
      need = resolve;
    });
    let untilNeeded: (lease: Lease) => Promise<void> | undefined = () => undefined;
    const asked = new Promise<void>((resolve) => {
      untilNeeded = ({ partition }) => {
        if (partition === 1) resolve();
        return plenty;
      };
    });
    const source = bench.open(unique("group"), [topic]);
    await source.start(Object.assign(to, { untilNeeded: (lease: Lease) => untilNeeded(lease) }));
    await within(asked, "question about the last partition");
    // Far longer than a fetch takes.
    await bench.fill(topic, 2, 5);
    await bench.fill(topic, 2, 5);
    expect(to.seen).toEqual([]);
    need();
    await to.until(() => to.seen.length === 30, "30 records");
    untilNeeded = ({ partition }) => (partition === 0 ? new Promise(() => {}) : undefined);
    await bench.fill(topic, 2, 5);
    await to.until(() => to.seen.length === 40, "40 records");
  });

  test("pause() stops deliveries, resume() goes on where they stopped, seek() moves", async () => {
    const topic = await bench.topic(2);
    const to = new Recorder();
    const source = bench.open(unique("group"), [topic]);
    await source.start(to);
    await bench.fill(topic, 2, 5);
    await to.until(() => to.seen.length === 10, "10 records");
    const lease = to.lease(topic, 0);
    source.pause(lease);
    source.pause(lease);
    await bench.fill(topic, 2, 5);
    await to.until(() => to.offsets(1).length === 10, "records of the other partition");
    expect(to.offsets(0)).toEqual(ascending(5));
    source.resume(lease);
    await to.until(() => to.offsets(0).length === 10, "the paused records");
    expect(to.offsets(0)).toEqual(ascending(10));
    source.seek(lease, 8);
    await to.until(() => to.offsets(0).length === 12, "the records sought");
    expect(to.offsets(0)).toEqual([...ascending(10), 8, 9]);
  });

  test("pause() from within assigned() holds the partition back", async () => {
    const topic = await bench.topic(2);
    await bench.fill(topic, 2, 5);
    const to = new Recorder();
    const source = bench.open(unique("group"), [topic]);
    to.start = ({ lease }) => {
      if (lease.partition === 0) source.pause(lease);
      return 0;
    };
    await source.start(to);
    await to.until(() => to.offsets(1).length === 5, "partition 1");
    expect(to.offsets(0)).toEqual([]);
    source.resume(to.lease(topic, 0));
    await to.until(() => to.offsets(0).length === 5, "partition 0");
  });

  test("commit() stores offset and metadata; the next member reads both", async () => {
    const topic = await bench.topic(2);
    await bench.fill(topic, 2, 10);
    const group = unique("group");
    const first = new Recorder();
    const source = bench.open(group, [topic]);
    await source.start(first);
    const metadata = "é\u0000\u4e2d".repeat(1_000);
    const entry = { lease: first.lease(topic, 0), offset: 4, metadata };
    expect(await source.commit([entry], soon())).toEqual(["stored"]);
    await stop(source);
    expect(await source.commit([entry], soon())).toEqual(["fenced"]);
    const second = new Recorder();
    await bench.open(group, [topic]).start(second);
    const info = (partition: number) => second.info.get(second.lease(topic, partition));
    expect(info(0)).toMatchObject({ committed: { offset: 4, metadata }, groupKnowsTopic: false });
    expect(info(1)).toMatchObject({ committed: null, groupKnowsTopic: true });
    await second.until(() => second.seen.length === 16, "the rest");
    expect(second.offsets(0)).toEqual(ascending(6, 4));
    const stored = await (await bench.admin()).committed(group, topic);
    expect(stored[0]).toEqual({ partition: 0, offset: 4, metadata });
    expect(stored[1]).toEqual({ partition: 1, offset: null, metadata: "" });
  });

  test("commit() answers too-large for one partition and stores the others", async () => {
    const topic = await bench.topic(3);
    const group = unique("group");
    const to = new Recorder();
    const source = bench.open(group, [topic]);
    await source.start(to);
    const lengths = [4_096, 4_097, 10];
    const entries = lengths.map((length, partition) => ({
      lease: to.lease(topic, partition),
      offset: 7,
      metadata: "x".repeat(length),
    }));
    expect(await source.commit(entries, soon())).toEqual(["stored", "too-large", "stored"]);
    const stored = await (await bench.admin()).committed(group, topic);
    expect(stored.map(({ offset }) => offset)).toEqual([7, null, 7]);
  });

  test("R2: the hook is awaited, its commits are stored, the next owner starts there", async () => {
    const topic = await bench.topic(2);
    await bench.fill(topic, 2, 10);
    const group = unique("group");
    const first = new Recorder();
    const source = bench.open(group, [topic]);
    await source.start(first);
    await first.until(() => first.seen.length === 20, "all records");
    const second = new Recorder();
    let assignedEarly = false;
    first.revoke = async (leases) => {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      assignedEarly = second.log.length > 0;
      const entries = leases.map((lease) => ({ lease, offset: 6, metadata: "in the hook" }));
      expect(await source.commit(entries, soon())).toEqual(["stored", "stored"]);
    };
    const other = bench.open(group, [topic]);
    await within(other.start(second), "second member");
    await first.until(() => first.log.includes("joined 0|1"), "the new join");
    expect(assignedEarly).toBe(false);
    expect(first.log.slice(2)).toEqual(["revoking 0,1 true", "revoked", "joined 0|1"]);
    const partition = second.leases.values().next().value?.partition as number;
    const committed = second.info.get(second.lease(topic, partition))?.committed;
    expect(committed).toEqual({ offset: 6, metadata: "in the hook" });
    await second.until(() => second.seen.length === 4, "the rest");
    expect(second.offsets(partition)).toEqual([6, 7, 8, 9]);
    first.revoke = async () => {};
    await stop(other);
    await first.until(() => first.log.at(-1) === "assigned 1", "both again");
    expect(first.log.at(-2)).toBe("joined 0|");
  });

  test("R5: a stale lease's commit is fenced and leaves the stored offset alone", async () => {
    const topic = await bench.topic(2);
    const group = unique("group");
    const first = new Recorder();
    const source = bench.open(group, [topic]);
    await source.start(first);
    const stale = first.lease(topic, 1);
    const second = new Recorder();
    await bench.open(group, [topic]).start(second);
    await first.until(() => first.log.includes("joined 0|1"), "the new join");
    expect(await source.commit([{ lease: stale, offset: 3, metadata: "" }], soon())).toEqual([
      "fenced",
    ]);
    // The broker refuses it too, when the lease passes for live.
    Object.assign(stale, { state: "live" });
    expect(await source.commit([{ lease: stale, offset: 3, metadata: "" }], soon())).toEqual([
      "fenced",
    ]);
    const stored = await (await bench.admin()).committed(group, topic);
    expect(stored.map(({ offset }) => offset)).toEqual([null, null]);
  });

  test("R1: a hook longer than the session timeout keeps the member", async () => {
    const topic = await bench.topic(1);
    const group = unique("group");
    const first = new Recorder();
    const settings = { consumer: { sessionTimeout: 6_000, rebalanceTimeout: 30_000 } };
    const source = bench.open(group, [topic], settings);
    await source.start(first);
    const lease = first.lease(topic, 0) as unknown as { memberId: string; generation: number };
    const { memberId, generation } = lease;
    first.revoke = async (leases) => {
      await new Promise((resolve) => setTimeout(resolve, 6_700));
      const [outcome] = await source.commit(
        leases.map((one) => ({ lease: one, offset: 0, metadata: "late" })),
        soon(),
      );
      expect(outcome).toBe("stored");
    };
    const second = new Recorder();
    await within(bench.open(group, [topic], settings).start(second), "second member", 15_000);
    await first.until(() => first.log.at(-1) === "joined 0|", "the new join");
    expect(first.log).not.toContain("lost 0");
    expect(second.leases.size).toBe(0);
    expect([lease.memberId, lease.generation]).toEqual([memberId, generation + 1]);
  }, 25_000);

  test("O3: markers are passed, aborted records are passed and not delivered", async () => {
    const topic = await bench.topic(1);
    const producer = await bench.producer({ transactionalId: unique("tx") });
    const send = async (values: string[], end: "commit" | "abort"): Promise<void> => {
      const transaction = await producer.transaction();
      const messages = values.map((value) => ({ partition: 0, key: "\0\0\0\0", value }));
      await transaction.send({ topic, messages });
      await transaction[end]();
    };
    await send(["a", "b"], "commit");
    await send(["x", "y", "z"], "abort");
    await send(["c"], "commit");
    await send(["w"], "abort");
    const to = new Recorder();
    await bench.open(unique("group"), [topic]).start(to);
    const lease = to.lease(topic, 0);
    expect(to.info.get(lease)?.logEnd).toBe(11);
    await to.until(() => to.next.get(lease) === 11, "the log end");
    expect(to.seen.map(({ value }) => value)).toEqual(["a", "b", "c"]);
    expect(to.offsets(0)).toEqual([0, 1, 7]);
    await send(["v"], "abort");
    await to.until(() => to.next.get(lease) === 13, "the marker");
    expect(to.log.at(-1)).toBe("advanced 0 13");
  });

  test("O12: a position outside the log loses the lease and starts a new one", async () => {
    const topic = await bench.topic(1);
    await bench.fill(topic, 1, 10);
    const group = unique("group");
    const to = new Recorder();
    const source = bench.open(group, [topic]);
    await source.start(to);
    await to.until(() => to.seen.length === 10, "10 records");
    const lease = to.lease(topic, 0);
    const entry = { lease, offset: 5, metadata: "kept" };
    expect(await source.commit([entry], soon())).toEqual(["stored"]);
    source.seek(lease, 1_000);
    await to.until(() => to.seen.length === 15, "the new lease's records");
    expect(to.log.slice(2)).toEqual(["lost 0", "assigned 0"]);
    expect(to.lease(topic, 0)).not.toBe(lease);
    expect(to.info.get(to.lease(topic, 0))?.committed).toEqual({ offset: 5, metadata: "kept" });
    expect(await source.commit([entry], soon())).toEqual(["fenced"]);
  });

  test("R2: an expelled member loses its leases and comes back as a new one", async () => {
    const topic = await bench.topic(1);
    await bench.fill(topic, 1, 3);
    const group = unique("group");
    const to = new Recorder();
    const source = bench.open(group, [topic]);
    await source.start(to);
    await to.until(() => to.seen.length === 3, "3 records");
    const lease = to.lease(topic, 0);
    await bench.expel(group, (lease as unknown as { memberId: string }).memberId);
    await to.until(() => to.seen.length === 6, "the records again");
    expect(to.log).toContain("lost 0");
    expect(to.log.filter((line) => line.startsWith("joined"))).toEqual(["joined |", "joined |"]);
    expect(to.lease(topic, 0)).not.toBe(lease);
    expect(await source.commit([{ lease, offset: 1, metadata: "" }], soon())).toEqual(["fenced"]);
    expect(to.errors).toEqual([]);
  });

  test("a plain kafkajs member shares the group", async () => {
    const topic = await bench.topic(4);
    await bench.fill(topic, 4, 5);
    const group = unique("group");
    const to = new Recorder();
    to.start = () => 5;
    await bench.open(group, [topic]).start(to);
    const consumer = bench.kafka.consumer({
      groupId: group,
      heartbeatInterval: 100,
      maxWaitTimeInMs: 50,
    });
    const seen = new Set<number>();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const all = new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ partition }) => {
          if (seen.add(partition).size === 2) resolve();
        },
      });
    });
    await within(all, "messages of both partitions of the plain member");
    await to.until(() => to.log.at(-1) === "joined 0,1|2,3", "half of the partitions");
    expect([...seen].sort()).toEqual([2, 3]);
    await consumer.disconnect();
    await to.until(() => to.log.at(-1) === "assigned 2,3", "all partitions again");
    expect(to.log.at(-2)).toBe("joined 0,1|");
  });

  test("an outage shorter than the session timeout ends no lease", async () => {
    const topic = await bench.topic(1);
    const relay = await Relay.open(bootstrap);
    const to = new Recorder();
    const source = bench.open(unique("group"), [topic], {
      socketFactory: ({ onConnect }: { onConnect: () => void }) =>
        connect({ host: "127.0.0.1", port: relay.port }, onConnect),
    });
    await source.start(to);
    const lease = to.lease(topic, 0);
    relay.cut();
    await bench.fill(topic, 1, 5);
    const during = await source.commit(
      [{ lease, offset: 0, metadata: "" }],
      AbortSignal.timeout(1_000),
    );
    expect(during).toEqual(["retry"]);
    relay.mend();
    await to.until(() => to.seen.length === 5, "the records after the outage");
    expect(await source.commit([{ lease, offset: 5, metadata: "" }], soon())).toEqual(["stored"]);
    expect(to.log).toEqual(["joined |", "assigned 0"]);
  });

  test("R8: start() rejects when a topic is missing, naming it", async () => {
    const topic = await bench.topic(1);
    const missing = unique("missing");
    const source = bench.open(unique("group"), [topic, missing]);
    const error = await within(
      source.start(new Recorder()).catch((e) => e),
      "rejection",
    );
    expect(error).toMatchObject({ code: "HEADRACE_SOURCE" });
    expect(error.message).toBe(`Cannot start as all topics must exist: received "${missing}"`);
  });

  test("stop() settles with its signal while the broker is away, and stays stopped", async () => {
    const topic = await bench.topic(1);
    const proxy = await Relay.open(bootstrap);
    const to = new Recorder();
    const group = unique("group");
    const source = bench.open(group, [topic], {
      socketFactory: ({ onConnect }: { onConnect: () => void }) =>
        connect({ host: "127.0.0.1", port: proxy.port }, onConnect),
    });
    await source.start(to);
    const lease = to.lease(topic, 0);
    proxy.silence();
    const began = performance.now();
    const pending = source.commit([{ lease, offset: 0, metadata: "" }], AbortSignal.timeout(200));
    expect(await pending).toEqual(["retry"]);
    await source.stop({ leave: true, signal: AbortSignal.timeout(300) });
    expect(performance.now() - began).toBeLessThan(2_000);
    await within(proxy.idle(), "end of all connections");
    expect(to.log).toEqual(["joined |", "assigned 0"]);
  });
});

describe("kafkajs source without a broker", () => {
  test("R8: start() rejects in bounded time when no broker answers, naming it", async () => {
    const source = kafkajs({ brokers: ["127.0.0.1:1"], admin: { retry: { retries: 1 } } }).open({
      groupId: "group",
      topics: ["topic"],
      member: 0,
      drainTimeoutMs: 1_000,
      clock,
      logger: quiet,
    });
    const error = await within(
      source.start(new Recorder()).catch((e) => e),
      "rejection",
    );
    expect(error).toMatchObject({ code: "HEADRACE_SOURCE", retriable: true });
    expect(error.message).toContain("Cannot start as a broker of 127.0.0.1:1 must answer");
    await source.stop({ leave: true, signal: AbortSignal.timeout(1_000) });
  });
});

/** Passes bytes on to a broker until it is told to be silent. */
class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #silent = false;
  #broken = false;

  static async open(target: string): Promise<Relay> {
    const proxy = new Relay(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    open.push(proxy);
    return proxy;
  }

  constructor(target: string) {
    const [host, port] = target.split(":");
    this.#server = createServer((inner) => {
      if (this.#broken) return void inner.destroy();
      const outer = connect({ host: host as string, port: Number(port) });
      this.#sockets.add(inner);
      inner.on("data", (data) => this.#silent || outer.write(data));
      outer.on("data", (data) => this.#silent || inner.write(data));
      inner
        .on("error", () => {})
        .on("close", () => {
          this.#sockets.delete(inner);
          outer.destroy();
        });
      outer.on("error", () => {}).on("close", () => inner.destroy());
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Settles once no connection is open. */
  async idle(): Promise<void> {
    while (this.#sockets.size > 0) {
      await Promise.all([...this.#sockets].map((socket) => once(socket, "close")));
    }
  }

  silence(): void {
    this.#silent = true;
  }

  /** Ends all connections, and every new one at once. */
  cut(): void {
    this.#broken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#broken = false;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

const open: Relay[] = [];
afterAll(() => {
  for (const proxy of open) proxy.close();
});
