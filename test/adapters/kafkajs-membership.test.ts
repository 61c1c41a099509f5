import { describe, expect, test } from "bun:test";
import type { ClientBroker, ClientCluster } from "../../src/adapters/kafkajs/client.ts";
import { Membership } from "../../src/adapters/kafkajs/membership.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

function setUp() {
  const log: string[] = [];
  const clock = fakeClock();
  let heartbeat: () => Promise<unknown> = async () => {};
  let fetch: () => Promise<unknown> = async () => ({ responses: [] });
  const broker = {
    joinGroup: async () => ({ memberId: "m", generationId: 3 }),
    leaveGroup: async () => void log.push("left"),
    heartbeat: (request: { memberId: string; groupGenerationId: number }) => {
      log.push(`beat ${request.memberId} ${request.groupGenerationId}`);
      return heartbeat();
    },
    fetch: () => fetch(),
    offsetFetch: async () => ({ responses: [] }),
  } as unknown as ClientBroker;
  const cluster = {
    findBroker: async () => broker,
    async findGroupCoordinator(this: ClientCluster) {
      log.push("find");
      return this.findBroker({ nodeId: "1" });
    },
    refreshMetadata: async () => {},
    refreshMetadataIfNecessary: async () => {},
    getNodeIds: () => nodeIds,
    removeBroker: () => void nodeIds.pop(),
    findTopicPartitionMetadata: () => [],
  } as unknown as ClientCluster;
  const nodeIds = ["1", "2"];
  let endDrain = (): void => {};
  let rest: Promise<void> | undefined;
  const membership = new Membership("g", 1_000, clock, {
    drain: () => {
      log.push("drain");
      return new Promise<void>((resolve) => {
        endDrain = resolve;
      });
    },
    owned: () => ({ generation: 3, topics: new Map() }),
    fetchBytes: () => 70_000,
    untilNeeded: () => {
      log.push("asks");
      return rest;
    },
    fetched: (response) => void log.push(`brought ${JSON.stringify(response.responses)}`),
    expelled: () => void log.push("expelled"),
    outOfRange: (topic, partition) => void log.push(`out of range ${topic} ${partition}`),
  });
  membership.assigner({ cluster });
  const join = async (): Promise<ClientBroker> => {
    const coordinator = await cluster.findGroupCoordinator({ groupId: "g" });
    await coordinator.joinGroup({});
    log.push("joined");
    return coordinator;
  };
  return {
    clock,
    cluster,
    membership,
    nodeIds,
    log,
    join,
    endDrain: () => endDrain(),
    answerHeartbeats: (answer: typeof heartbeat) => {
      heartbeat = answer;
    },
    restWith: (promise: Promise<void>) => {
      rest = promise;
    },
    answerFetches: (answer: typeof fetch) => {
      fetch = answer;
    },
  };
}

const failing = (fields: object) => async (): Promise<never> => {
  throw Object.assign(new Error("refused"), fields);
};

describe("Membership", () => {
  test("drains once per join, beating meanwhile, and lets retries pass", async () => {
    const { membership, log, join, clock, endDrain, answerHeartbeats } = setUp();
    await join();
    expect(membership).toMatchObject({ memberId: "m", generation: 3 });
    membership.arm();
    answerHeartbeats(failing({ type: "REBALANCE_IN_PROGRESS" }));
    const joining = join();
    await clock.advance(2_500);
    endDrain();
    await joining;
    await join();
    await clock.advance(5_000);
    expect(log).toEqual(
      ["find,joined,beat m 3,drain,beat m 3,beat m 3,find,joined,find,joined"].join().split(","),
    );
    expect(clock.pendingTimers()).toBe(0);
  });

  test("gives a drain up when the broker has thrown the member out", async () => {
    const { membership, log, join, clock, answerHeartbeats } = setUp();
    await join();
    membership.arm();
    answerHeartbeats(failing({ type: "UNKNOWN_MEMBER_ID" }));
    const joining = join();
    await clock.advance(0);
    await joining;
    expect(log).toEqual("find,joined,beat m 3,drain,expelled,find,joined".split(","));
  });

  test("refuses to join once it is stopped, and leaves only when it should", async () => {
    const { membership, log, join } = setUp();
    const coordinator = await join();
    membership.stop(true);
    await coordinator.leaveGroup({});
    await expect(join()).rejects.toThrow("stopped");
    expect(log).toEqual(["find", "joined"]);
    membership.stop(false);
    await coordinator.leaveGroup({});
    expect(log.at(-1)).toBe("left");
  });

  test("O11: answers an empty fetch and reports a position outside the log", async () => {
    const { log, join, answerFetches } = setUp();
    const coordinator = await join();
    const position = { name: "KafkaJSOffsetOutOfRange", topic: "t", partition: 4 };
    answerFetches(failing(position));
    expect(await coordinator.fetch({})).toEqual({ responses: [] });
    expect(log.at(-1)).toBe("out of range t 4");
    answerFetches(failing({ name: "KafkaJSConnectionError" }));
    await expect(coordinator.fetch({})).rejects.toThrow("refused");
  });

  test("waits before it lets kafkajs fetch again from a connection that was closed", async () => {
    const { clock, join, answerFetches } = setUp();
    const coordinator = await join();
    answerFetches(failing({ name: "KafkaJSConnectionClosedError" }));
    let failed = false;
    const fetched = coordinator.fetch({}).catch(() => {
      failed = true;
    });
    await clock.advance(150);
    expect(failed).toBe(false);
    await clock.advance(100);
    await fetched;
    expect(failed).toBe(true);
  });

  test("keeps the last broker, for kafkajs crashes without one", () => {
    const { cluster, nodeIds } = setUp();
    const address = { host: "b", port: 1 };
    cluster.removeBroker(address);
    cluster.removeBroker(address);
    expect(nodeIds).toEqual(["1"]);
  });

  test("has no cluster when the client hands none over", () => {
    const clock = fakeClock();
    const owned = () => ({ generation: -1, topics: new Map() });
    const membership = new Membership("g", 1_000, clock, {
      drain: async () => {},
      owned,
      fetchBytes: () => 70_000,
      untilNeeded: () => undefined,
      fetched() {},
      expelled() {},
      outOfRange() {},
    });
    membership.assigner({ cluster: {} as ClientCluster });
    expect(membership.cluster).toBeNull();
  });

  test("F1: a fetch asks for no more of a partition than its share of the budget", async () => {
    const { cluster } = setUp();
    const broker = await cluster.findBroker({ nodeId: "1" });
    const partitions = [
      { partition: 0, maxBytes: 1_048_576 },
      { partition: 1, maxBytes: 10_000 },
    ];
    await broker.fetch({ topics: [{ topic: "t", partitions }] });
    expect(partitions.map(({ maxBytes }) => maxBytes)).toEqual([70_000, 10_000]);
  });

  test("F1: nothing is fetched before a partition needs it", async () => {
    const { cluster, log, restWith, answerFetches } = setUp();
    let need = (): void => {};
    restWith(
      new Promise((resolve) => {
        need = resolve;
      }),
    );
    answerFetches(async () => {
      log.push("fetches");
      return { responses: ["records"] };
    });
    const broker = await cluster.findBroker({ nodeId: "1" });
    const fetched = broker.fetch({}).catch((error: unknown) => error);
    await Promise.resolve();
    expect(log).toEqual(["asks"]);
    need();
    await fetched;
    expect(log.slice(0, 2)).toEqual(["asks", "fetches"]);
  });

  test("kafkajs is not left with an empty remainder, which it would join with the next response", async () => {
    const { cluster, answerFetches } = setUp();
    const broker = await cluster.findBroker({ nodeId: "1" });
    const [empty, begun] = [new Uint8Array(0), new Uint8Array(3)];
    const pool = [{ chunks: [empty] }, { chunks: [begun] }, { chunks: [] }, {}];
    Object.assign(broker, { connectionPool: { pool } });
    let seen: unknown;
    answerFetches(async () => {
      seen = structuredClone(pool);
      return { responses: [] };
    });
    await broker.fetch({});
    expect(seen).toEqual([{ chunks: [] }, { chunks: [begun] }, { chunks: [] }, {}]);
  });
});
