import { describe, expect, test } from "bun:test";
import { type KafkajsConfig, openClient } from "../../src/adapters/kafkajs/config.ts";
import { loadClient } from "../../src/adapters/kafkajs/load.ts";
import { type ClientLogEntry, logCreator } from "../../src/adapters/kafkajs/logging.ts";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import type { Logger } from "../../src/types.ts";

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function open(config: Partial<KafkajsConfig>, drainTimeoutMs = 10_000): unknown {
  return kafkajs({ brokers: ["b:1"], ...config }).open({
    groupId: "g",
    topics: ["t"],
    member: 0,
    drainTimeoutMs,
    clock: fakeClock(),
    logger: quiet,
  });
}

describe("kafkajs()", () => {
  test.each([
    ["groupId", { groupId: "g" }],
    ["groupInstanceId", { groupInstanceId: "i" }],
    ["partitionAssigners", { partitionAssigners: [] }],
    ["consumer.groupId", { consumer: { groupId: "g" } }],
    ["consumer.groupInstanceId", { consumer: { groupInstanceId: "i" } }],
    ["consumer.partitionAssigners", { consumer: { partitionAssigners: [] } }],
    ["consumer.autoCommit", { consumer: { autoCommit: false } }],
    ["consumer.eachBatch", { consumer: { eachBatch() {} } }],
    ["consumer.fromBeginning", { consumer: { fromBeginning: true } }],
    ["producer.transactionalId", { producer: { transactionalId: "t" } }],
    ["producer.createPartitioner", { producer: { createPartitioner() {} } }],
  ])("throws a TypeError naming %s", (key, config) => {
    const make = () => kafkajs({ brokers: ["b:1"], ...(config as object) });
    expect(make).toThrow(TypeError);
    expect(make).toThrow(`"${key}" may not be set`);
  });

  test("throws a TypeError when parts have the wrong type", () => {
    expect(() => kafkajs({ brokers: "b:1" as never })).toThrow(TypeError);
    expect(() => kafkajs({ brokers: ["b:1"], consumer: 1 as never })).toThrow(TypeError);
    expect(() => kafkajs({ brokers: ["b:1"], Kafka: {} })).toThrow(TypeError);
  });

  test("says that static membership is not there", () => {
    const make = () => kafkajs({ brokers: ["b:1"], groupInstanceId: "i" });
    expect(make).toThrow("kafkajs has no static membership");
  });

  test("R7: open() throws a RangeError when rebalanceTimeout leaves no room for the drain", () => {
    // 10,000 + 3,000 + 100 + 5,000
    expect(() => open({ consumer: { rebalanceTimeout: 18_099 } })).toThrow(RangeError);
    expect(() => open({ consumer: { rebalanceTimeout: 18_099 } })).toThrow("at least 18100");
    expect(() => open({ consumer: { rebalanceTimeout: 18_100 } })).not.toThrow();
    expect(() => open({}, 600_000)).not.toThrow();
    expect(() => open({ consumer: { heartbeatInterval: 30_000 } })).toThrow(RangeError);
  });
});

describe("openClient()", () => {
  class Fake {
    static last: Record<string, unknown> = {};
    constructor(config: Record<string, unknown>) {
      Fake.last = config;
    }
  }
  const Kafka = Fake as never;

  test("passes the user's options through and keeps the parts back", () => {
    const config = { brokers: ["b:1"], ssl: true, clientId: "me", consumer: {}, Kafka: Fake };
    openClient(Kafka, config, { longRetry: true, logger: quiet });
    expect(Fake.last).toMatchObject({ ssl: true, clientId: "me", logLevel: 2 });
    expect(Fake.last).not.toHaveProperty("consumer");
    expect(Fake.last).not.toHaveProperty("Kafka");
    expect(Fake.last.retry).toMatchObject({ retries: Number.POSITIVE_INFINITY });
    openClient(Kafka, { ...config, retry: { retries: 9 } });
    expect(Fake.last).toMatchObject({ retry: { retries: 9, maxRetryTime: 1_000 }, logLevel: 0 });
  });

  test("names no broker and opens no socket once connections are refused", async () => {
    const made: string[] = [];
    const socket = {
      setKeepAlive() {},
      on() {},
      once() {},
      writableEnded: false,
      destroy: () => made.push("destroyed"),
    };
    const socketFactory = ({ host }: { host: string }) => {
      made.push(host);
      return socket;
    };
    const { sockets } = openClient(Kafka, { brokers: async () => ["b:1"], socketFactory });
    expect(await sockets.brokers()).toEqual(["b:1"]);
    const request = { host: "b", port: 1, onConnect() {} };
    sockets.factory(request);
    sockets.refuse();
    expect(await sockets.brokers()).toEqual([]);
    expect(() => sockets.factory(request)).toThrow("stopped");
    sockets.destroy();
    expect(made).toEqual(["b", "destroyed"]);
  });
});

test("loadClient() prefers the injected constructor and finds the installed one", async () => {
  const injected = class {} as never;
  expect(await loadClient(injected)).toBe(injected);
  expect((await loadClient(undefined)).name).toBe("Client");
});

test("logCreator() keeps errors and warnings and turns a rebalance's lines into debug", () => {
  const lines: string[] = [];
  const note =
    (level: string) =>
    (message: string): void =>
      void lines.push(`${level} ${message}`);
  const logger = {
    debug: note("debug"),
    info: note("info"),
    warn: note("warn"),
    error: note("error"),
  };
  let stopped = false;
  const log = logCreator(logger, () => stopped)();
  const entry = (namespace: string, level: number, message: string): ClientLogEntry => ({
    namespace,
    level,
    log: { message, timestamp: "now", logger: "kafkajs", broker: "b:1" },
  });
  log(entry("Connection", 1, "Connection error: refused"));
  log(entry("Connection", 1, "Response Heartbeat(key: 12, version: 3)"));
  log(entry("Runner", 2, "The group is rebalancing, re-joining"));
  log(entry("Consumer", 2, "Careful"));
  log(entry("Consumer", 4, "Starting"));
  stopped = true;
  log(entry("Connection", 1, "Connection error: ended"));
  expect(lines).toEqual([
    "error kafkajs Connection: Connection error: refused",
    "debug kafkajs Connection: Response Heartbeat(key: 12, version: 3)",
    "debug kafkajs Runner: The group is rebalancing, re-joining",
    "warn kafkajs Consumer: Careful",
    "debug kafkajs Consumer: Starting",
    "debug kafkajs Connection: Connection error: ended",
  ]);
});
