import { describe, expect, test } from "bun:test";
import type { ClientBroker, ClientCluster } from "../../src/adapters/kafkajs/client.ts";
import type { KafkajsLease } from "../../src/adapters/kafkajs/lease.ts";
import { type LeasesHost, MemberLeases } from "../../src/adapters/kafkajs/member-leases.ts";
import type {
  AssignedLease,
  CommittedOffset,
  Lease,
  SourceListener,
} from "../../src/source/source.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

const PARTITIONS = 4;
const LOG_END = 100;
const DRAIN_MS = 5_000;

const list = (leases: readonly Lease[]): string => leases.map((one) => one.partition).join();

/** Leases over a broker that is a map of stored offsets; `log` has what listener and client hear. */
class Bench {
  readonly clock = fakeClock();
  readonly log: string[] = [];
  readonly stored = new Map<number, CommittedOffset>();
  readonly member = { memberId: "m", generation: 0 };
  readonly leases: MemberLeases;
  lastAssigned: readonly AssignedLease[] = [];
  /** Reading offsets waits for it. */
  reading: Promise<void> = Promise.resolve();
  revoking: () => Promise<void> = async () => {};
  stopping = false;

  constructor() {
    this.leases = new MemberLeases(this.#host());
  }

  #host(): LeasesHost {
    const bench = this;
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const broker = {
      offsetFetch: async () => {
        await this.reading;
        const partitions = all.map((partition) => {
          const { offset, metadata } = this.stored.get(partition) ?? { offset: -1, metadata: "" };
          return { partition, offset: String(offset), metadata };
        });
        return { responses: [{ topic: "t", partitions }] };
      },
      listOffsets: async ({ topics }: { topics: { partitions: { timestamp: number }[] }[] }) => {
        const end = topics[0]?.partitions[0]?.timestamp === -1 ? LOG_END : 0;
        const partitions = all.map((partition) => ({ partition, offset: String(end) }));
        return { responses: [{ topic: "t", partitions }] };
      },
    } as unknown as ClientBroker;
    const cluster = {
      findTopicPartitionMetadata: () => all.map((partitionId) => ({ partitionId })),
      findLeaderForPartitions: (_: string, partitions: number[]) => ({ 1: partitions }),
      findBroker: async () => broker,
    } as unknown as ClientCluster;
    const { clock, log, member } = this;
    return {
      clock,
      membership: {
        groupId: "g",
        get memberId() {
          return member.memberId;
        },
        get generation() {
          return member.generation;
        },
        cluster,
        coordinator: broker,
        arm() {},
        disarm() {},
        refind: async () => {},
      },
      get stopping() {
        return bench.stopping;
      },
      consumer: {
        pause: (to) => void log.push(`pause ${to.map((one) => one.partitions)}`),
        resume: (to) => void log.push(`resume ${to.map((one) => one.partitions)}`),
        seek: ({ partition, offset }) => void log.push(`seek ${partition} to ${offset}`),
      },
      tell: (_, act) => act(this.#listener()),
      fail: (error) => void log.push(error.message),
      assigned: () => {},
    };
  }

  #listener(): SourceListener {
    return {
      assigned: (leases) => {
        this.lastAssigned = leases;
        this.log.push(`assigned ${list(leases.map(({ lease }) => lease))}`);
        return leases.map(({ committed }) => committed?.offset ?? 0);
      },
      revoking: (leases) => {
        this.log.push(`revoking ${list(leases)}`);
        return this.revoking();
      },
      joined: (kept, ended) => void this.log.push(`joined ${list(kept)}|${list(ended)}`),
      lost: (leases) => void this.log.push(`lost ${list(leases)}`),
      deliver() {},
      advanced() {},
      failed() {},
    };
  }

  lease(partition: number): KafkajsLease {
    return this.leases.table.get("t", partition) as KafkajsLease;
  }

  /** A join that gives these partitions, `generations` after the one before. */
  async join(partitions: number[], generations = 1): Promise<string[]> {
    this.member.generation += generations;
    this.leases.joined(partitions.length === 0 ? {} : { t: partitions });
    await this.clock.advance(0);
    return this.log.splice(0);
  }

  /** What kafkajs does at a rebalance, up to the join. */
  async drain(): Promise<string[]> {
    const drained = this.leases.drain(DRAIN_MS);
    await this.clock.advance(2_000);
    await drained;
    return this.log.splice(0);
  }

  store(partition: number, offset: number, metadata = ""): void {
    this.lease(partition).sending({ offset, metadata });
    this.lease(partition).acknowledged({ offset, metadata });
    this.stored.set(partition, { offset, metadata });
  }
}

describe("MemberLeases", () => {
  test("R3: a lease that comes back untouched goes on where it was", async () => {
    const bench = new Bench();
    expect(await bench.join([0, 1])).toEqual([
      "pause 0,1",
      "joined |",
      "assigned 0,1",
      "seek 0 to 0",
      "resume 0",
      "seek 1 to 0",
      "resume 1",
    ]);
    const [kept, ended] = [bench.lease(0), bench.lease(1)];
    bench.store(0, 7, "map");
    kept.position = 30;
    expect(await bench.drain()).toEqual(["revoking 0,1"]);
    expect([kept.state, bench.leases.table.owned()]).toEqual([
      "suspended",
      { generation: 1, topics: new Map([["t", [0, 1]]]) },
    ]);
    expect(await bench.join([2, 0])).toEqual([
      "pause 0,2",
      "joined 0|1",
      "seek 0 to 30",
      "resume 0",
      "assigned 2",
      "seek 2 to 0",
      "resume 2",
    ]);
    expect([bench.lease(0), kept.state, kept.generation]).toEqual([kept, "live", 2]);
    expect(ended.state).toBe("ended");
  });

  test("R3: a lease without a commit goes on when there is none, twice in a row", async () => {
    const bench = new Bench();
    await bench.join([3]);
    for (let i = 0; i < 2; i++) {
      await bench.drain();
      expect(await bench.join([3])).toContain("joined 3|");
    }
    expect(bench.lease(3).generation).toBe(3);
  });

  test("R3: a paused lease goes on paused", async () => {
    const bench = new Bench();
    await bench.join([0]);
    bench.lease(0).paused = true;
    await bench.drain();
    expect(await bench.join([0])).toEqual(["pause 0", "joined 0|", "seek 0 to 0"]);
  });

  const refused: [string, (bench: Bench) => void][] = [
    ["somebody else's offset", ({ stored }) => void stored.set(0, { offset: 8, metadata: "" })],
    ["another metadata", ({ stored }) => void stored.set(0, { offset: 7, metadata: "x" })],
    ["no offset any more", ({ stored }) => void stored.delete(0)],
  ];
  for (const [what, change] of refused) {
    test(`R3: a lease ends when the broker has ${what}`, async () => {
      const bench = new Bench();
      await bench.join([0, 1]);
      bench.store(0, 7);
      const before = bench.lease(0);
      await bench.drain();
      change(bench);
      const log = await bench.join([0, 1]);
      expect(log.slice(0, 5)).toEqual([
        "pause 0,1",
        "joined 1|0",
        "seek 1 to 0",
        "resume 1",
        "assigned 0",
      ]);
      expect([before.state, bench.lease(0).state]).toEqual(["ended", "live"]);
    });
  }

  test("R3: a generation in between ends all leases", async () => {
    const bench = new Bench();
    await bench.join([0]);
    await bench.drain();
    expect(await bench.join([0], 2)).toContain("joined |0");
  });

  test("R3: another member id loses all leases before anything is read", async () => {
    const bench = new Bench();
    await bench.join([0, 1]);
    await bench.drain();
    bench.member.memberId = "n";
    const log = await bench.join([0]);
    expect(log.slice(0, 4)).toEqual(["pause 0", "lost 0,1", "joined |", "assigned 0"]);
  });

  test("R3: a join that gives nothing ends all leases", async () => {
    const bench = new Bench();
    await bench.join([0, 1]);
    await bench.drain();
    expect(await bench.join([])).toEqual(["pause ", "joined |0,1"]);
  });

  test("R3: a drain waits for the answer of the join before, then drains what goes on", async () => {
    const bench = new Bench();
    await bench.join([0]);
    await bench.drain();
    let read = (): void => {};
    bench.reading = new Promise((resolve) => {
      read = resolve;
    });
    expect(await bench.join([0, 1])).toEqual(["pause 0,1"]);
    const drained = bench.leases.drain(DRAIN_MS);
    await bench.clock.advance(500);
    expect(bench.log).toEqual([]);
    read();
    await drained;
    const heard = bench.log.filter((line) => !/seek|resume/.test(line));
    expect(heard).toEqual(["joined 0|", "assigned 1", "revoking 0,1"]);
  });

  test("R3: a drain gives the answer up after a second, and nothing opens in the join", async () => {
    const bench = new Bench();
    await bench.join([0, 2]);
    await bench.drain();
    let read = (): void => {};
    bench.reading = new Promise((resolve) => {
      read = resolve;
    });
    await bench.join([0, 1]);
    expect(await bench.drain()).toEqual(["joined |2,0"]);
    read();
    await bench.clock.advance(0);
    expect(bench.log).toEqual([]);
    // R9: the partitions are still told as ours.
    expect(bench.leases.table.owned().topics.get("t")).toEqual([0, 1]);
    expect(await bench.join([0, 1])).toContain("assigned 0,1");
  });

  test("R2: the member is lost while its join has no answer", async () => {
    const bench = new Bench();
    await bench.join([0, 1]);
    await bench.drain();
    bench.reading = new Promise(() => {});
    await bench.join([0]);
    bench.leases.loseAll();
    expect(bench.log).toEqual(["lost 1,0"]);
    expect(bench.leases.table.owned().topics.size).toBe(0);
  });

  test("O12: a lease lost to a position outside the log does not start inside a join", async () => {
    const bench = new Bench();
    await bench.join([0, 1]);
    let read = (): void => {};
    bench.reading = new Promise((resolve) => {
      read = resolve;
    });
    bench.leases.outOfRange("t", 0);
    bench.leases.outOfRange("t", 0);
    expect(bench.log.splice(0)).toEqual(["pause 0", "lost 0", "pause 0"]);
    expect(await bench.drain()).toEqual(["revoking 1"]);
    read();
    await bench.clock.advance(0);
    expect(bench.log).toEqual([]);
    const log = await bench.join([0, 1]);
    expect(log.filter((line) => /joined|assigned/.test(line))).toEqual(["joined 1|", "assigned 0"]);
  });

  test("O12: an offset that is gone makes no new group of it", async () => {
    const bench = new Bench();
    await bench.join([0, 1]);
    for (const [partition, position] of [
      [0, LOG_END + 1],
      [1, LOG_END],
    ] as const) {
      bench.store(partition, 7);
      bench.lease(partition).position = position;
    }
    await bench.drain();
    bench.stored.clear();
    await bench.join([0, 1, 2]);
    const seen = bench.lastAssigned.map(({ lease, committed, groupKnowsTopic }) => {
      return [lease.partition, committed, groupKnowsTopic];
    });
    expect(seen).toEqual([
      [0, { offset: LOG_END + 1, metadata: "" }, false],
      [1, null, true],
      [2, null, false],
    ]);
  });

  test("O12: after a position outside the log what the broker has stored counts first", async () => {
    const bench = new Bench();
    await bench.join([0, 1]);
    bench.store(0, 7, "map");
    for (const partition of [0, 1]) {
      bench.lease(partition).position = LOG_END + 1;
      bench.leases.outOfRange("t", partition);
      await bench.clock.advance(0);
      const { committed } = bench.lastAssigned[0] as AssignedLease;
      const outside = { offset: LOG_END + 1, metadata: "" };
      expect(committed).toEqual(partition === 0 ? { offset: 7, metadata: "map" } : outside);
    }
  });

  test("R2: the drain ends at its deadline, whatever the listener does", async () => {
    const bench = new Bench();
    await bench.join([0]);
    bench.revoking = () => new Promise(() => {});
    const drained = bench.leases.drain(DRAIN_MS);
    await bench.clock.advance(DRAIN_MS);
    await drained;
    expect(bench.lease(0).state).toBe("suspended");
  });
});
