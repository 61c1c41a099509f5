/** Leases that go on over a rebalance, and those that must not (R3, R9, O12), on a real broker. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { type Consumer, createConsumer } from "../../src/index.ts";
import type { ConsumerOptions } from "../../src/options.ts";
import { startOffsetOf } from "../../src/start-offset.ts";
import { Bench, bootstrap, Recorder, stop, unique, within } from "./kafkajs-harness.ts";

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

const CLIENT = {
  brokers: [bootstrap],
  consumer: { heartbeatInterval: 100, maxWaitTimeInMs: 50, sessionTimeout: 6_000 },
};

const MESSAGES = 20;

describe.skipIf(bootstrap === "")("leases over kafkajs rebalances", () => {
  let bench: Bench;
  let open: Consumer[] = [];
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(async () => {
    await Promise.all(open.map((consumer) => consumer.close({ drainTimeoutMs: 0 })));
    open = [];
    await bench.close();
  });

  function consumer(options: ConsumerOptions): Consumer {
    const made = createConsumer({ fromBeginning: true, logger: false, ...options });
    open.push(made);
    return made;
  }

  test("R3: a partition that stays goes on: its queue, and a call over the whole join", async () => {
    const topic = await bench.topic(2);
    await bench.fill(topic, 2, MESSAGES);
    const groupId = unique("group");
    const handled: string[] = [];
    const events: string[] = [];
    let polled = 0;
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const member = (): Consumer =>
      consumer({
        source: kafkajs(CLIENT),
        groupId,
        drainTimeoutMs: 200,
        topics: {
          [topic]: {
            eachMessage: async ({ partition, offset }) => {
              await held;
              handled.push(`${partition}@${offset}`);
              if (new Set(handled).size === 2 * MESSAGES) finish();
            },
          },
        },
      });
    const first = member();
    for (const event of ["assigned", "revoked", "lost"] as const) {
      first.on(event, ({ partition }) => events.push(`${event} ${partition}`));
    }
    const filled = new Promise<void>((resolve) => {
      first.on("polled", ({ partition, count }) => {
        if (partition === 0) polled += count;
        if (polled === MESSAGES) resolve();
      });
    });
    const moved = new Promise<void>((resolve) => {
      first.on("revoked", () => resolve());
    });
    await within(first.start(), "first member");
    await within(filled, "messages of partition 0");
    const second = member();
    await within(second.start(), "second member");
    await within(moved, "the moved partition");
    const { queued, inFlight } = first.stats().partitions[0] ?? {};
    expect([queued, inFlight]).toEqual([MESSAGES - 1, 1]);
    release();
    await within(finished, "all messages");
    await first.close();
    await second.close();
    expect(events).toEqual(["assigned 0", "assigned 1", "revoked 1"]);
    expect(polled).toBe(MESSAGES);
    const ofFirst = handled.filter((one) => one.startsWith("0@"));
    expect(ofFirst).toEqual(Array.from({ length: MESSAGES }, (_, offset) => `0@${offset}`));
    // Partition 1: only the call that outlived its lease may come again.
    expect(handled.length - new Set(handled).size).toBeLessThanOrEqual(1);
    const stored = await (await bench.admin()).committed(groupId, topic);
    expect(stored.map(({ offset }) => offset)).toEqual([MESSAGES, MESSAGES]);
  }, 20_000);

  test("R3, R9: members join and leave: what stays goes on, what moves begins where it ended", async () => {
    const topic = await bench.topic(6);
    await bench.fill(topic, 6, 10);
    const group = unique("group");
    const members: { to: Recorder; source: ReturnType<Bench["open"]> }[] = [];
    const join = async (): Promise<void> => {
      const to = new Recorder();
      const source = bench.open(group, [topic]);
      to.revoke = async (leases) => {
        const entries = leases.map((lease) => {
          return { lease, offset: to.next.get(lease) ?? 0, metadata: "" };
        });
        await source.commit(entries, soon());
      };
      await within(source.start(to), "a member");
      members.push({ to, source });
    };
    const at = (index: number): Recorder => (members[index] as { to: Recorder }).to;
    await join();
    await at(0).until(() => at(0).seen.length === 60, "all records");
    await join();
    await at(0).until(() => at(0).log.includes("joined 0,1,2|3,4,5"), "three that stay");
    await join();
    await at(0).until(() => at(0).log.includes("joined 0,1|2"), "two that stay");
    await at(1).until(() => at(1).log.includes("joined 3,4|5"), "two that stay");
    await stop((members[2] as { source: ReturnType<Bench["open"]> }).source);
    // Who gets which depends on the member ids, which the broker makes.
    const free = (index: number): boolean => /^assigned [25]$/.test(at(index).log.at(-1) ?? "");
    await at(0).until(() => free(0), "three again");
    await at(1).until(() => free(1), "three again");
    expect([at(0).log.at(-2), at(1).log.at(-2)]).toEqual(["joined 0,1|", "joined 3,4|"]);
    await bench.fill(topic, 6, 1);
    await at(0).until(() => at(0).seen.length === 63, "new records");
    await at(1).until(() => at(1).seen.length === 3, "new records");
    // Nothing came twice, although every member joined up to four times.
    const names = [0, 1, 2].flatMap((i) =>
      at(i).seen.map(({ partition, offset }) => `${partition}@${offset}`),
    );
    expect([names.length, new Set(names).size]).toEqual([66, 66]);
  }, 20_000);

  test("R3: a partition that somebody else committed meanwhile begins anew", async () => {
    const topic = await bench.topic(2);
    await bench.fill(topic, 2, 10);
    const group = unique("group");
    const first = new Recorder();
    const source = bench.open(group, [topic]);
    await source.start(first);
    await first.until(() => first.seen.length === 20, "all records");
    const lease = first.lease(topic, 0);
    first.revoke = async (leases) => {
      const entries = leases.map((one) => ({ lease: one, offset: 10, metadata: "" }));
      expect(await source.commit(entries, soon())).toEqual(["stored", "stored"]);
      await bench.commitBehind(group, lease, 4);
    };
    await within(bench.open(group, [topic]).start(new Recorder()), "second member");
    await first.until(() => first.log.at(-1) === "assigned 0", "the new lease");
    expect(first.log.at(-2)).toBe("joined |0,1");
    expect(first.lease(topic, 0)).not.toBe(lease);
    await first.until(() => first.seen.length === 26, "records from the other's offset on");
    expect(first.offsets(0).slice(10)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(await source.commit([{ lease, offset: 9, metadata: "" }], soon())).toEqual(["fenced"]);
  }, 20_000);

  for (const position of [10, 2]) {
    test(`O12: a topic made anew with 3 records is read from its start, from ${position}`, async () => {
      const topic = await bench.topic(1);
      await bench.fill(topic, 1, position);
      const to = new Recorder();
      const options = { fromBeginning: false, onOutOfRange: "earliest" } as const;
      to.start = (assigned) => startOffsetOf(assigned, options)?.offset ?? -1;
      const group = unique("group");
      const admin = await bench.admin();
      const source = bench.open(group, [topic]);
      await source.start(to);
      const lease = to.lease(topic, 0);
      source.seek(lease, 0);
      await to.until(() => to.seen.length === position, "all records");
      await source.commit([{ lease, offset: position, metadata: "" }], soon());
      // Paused, so that the new topic has its records before anybody looks.
      source.pause(lease);
      await bench.recreate(topic, 1);
      await bench.fill(topic, 1, 3);
      expect((await admin.committed(group, topic))[0]?.offset).toBeNull();
      if (position === 10) {
        source.resume(lease);
        await to.until(() => to.seen.length === position + 3, "the new records");
        expect(to.log.slice(2)).toEqual(["lost 0", "assigned 0"]);
        expect(to.info.get(to.lease(topic, 0))?.committed?.offset).toBe(10);
      } else {
        // Inside the new log: only a join tells, by the offset that is gone.
        const second = bench.open(group, [topic]);
        await within(second.start(new Recorder()), "second member");
        await to.until(() => to.seen.length === position + 3, "the new records");
        expect(to.log.slice(2)).toEqual(["revoking 0 true", "revoked", "joined |0", "assigned 0"]);
      }
      expect(to.offsets(0).slice(position)).toEqual([0, 1, 2]);
    }, 20_000);
  }
});
