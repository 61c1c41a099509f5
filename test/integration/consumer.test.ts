/** The whole consumer over kafkajs on a real broker: completeness, key order, rebalances, long handlers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { type Consumer, createConsumer } from "../../src/index.ts";
import type { ConsumerOptions } from "../../src/options.ts";
import type { Lease, Source, SourceFactory } from "../../src/source/source.ts";
import { bootstrap, TestTopics, unique } from "./consumer-harness.ts";

/** Short times, so that members notice one another quickly. */
const CLIENT = {
  brokers: [bootstrap],
  consumer: { heartbeatInterval: 100, maxWaitTimeInMs: 50, sessionTimeout: 6000 },
};

/** What handlers saw, over all members of a group in this process. */
class Ledger {
  readonly #count: number;
  readonly #seen = new Map<string, number>();
  readonly #last = new Map<string, number>();
  readonly #running = new Set<string>();
  readonly finished: Promise<void>;
  #finish: () => void = () => {};
  orderBreaks = 0;

  constructor(count: number) {
    this.#count = count;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  start(partition: number, key: string, offset: number): void {
    const lane = `${partition}/${key}`;
    const again = this.#seen.has(`${partition}@${offset}`);
    // What was handled under an ended lease may come again; it may never overtake or overlap.
    if (this.#running.has(lane)) this.orderBreaks++;
    if (!again && (this.#last.get(lane) ?? -1) > offset) this.orderBreaks++;
    this.#running.add(lane);
    this.#last.set(lane, Math.max(offset, this.#last.get(lane) ?? -1));
  }

  end(partition: number, key: string, offset: number): void {
    this.#running.delete(`${partition}/${key}`);
    const name = `${partition}@${offset}`;
    this.#seen.set(name, (this.#seen.get(name) ?? 0) + 1);
    if (this.#seen.size === this.#count) this.#finish();
  }

  get distinct(): number {
    return this.#seen.size;
  }
  get repeated(): number {
    return [...this.#seen.values()].filter((times) => times > 1).length;
  }
}

/** Watches what a source is asked to commit: nothing for a lease that has ended (R5). */
function watched(factory: SourceFactory, stale: string[]): SourceFactory {
  return {
    open(group) {
      const source = factory.open(group);
      const live = new Set<Lease>();
      const proxy: Source = {
        can: source.can,
        start: (listener) =>
          source.start({
            ...listener,
            assigned: (leases) => {
              for (const { lease } of leases) live.add(lease);
              return listener.assigned(leases);
            },
            joined: (kept, ended) => {
              for (const lease of ended) live.delete(lease);
              listener.joined(kept, ended);
            },
            lost: (leases) => {
              for (const lease of leases) live.delete(lease);
              listener.lost(leases);
            },
          }),
        stop: (how) => source.stop(how),
        pause: (lease) => source.pause(lease),
        resume: (lease) => source.resume(lease),
        seek: (lease, offset) => source.seek(lease, offset),
        commit: (entries, signal) => {
          for (const { lease } of entries) {
            if (!live.has(lease)) stale.push(`${lease.topic}#${lease.partition}`);
          }
          return source.commit(entries, signal);
        },
      };
      return proxy;
    },
  };
}

describe.skipIf(bootstrap === "")("consumer over kafkajs on a real broker", () => {
  const topics = new TestTopics();
  const open: Consumer[] = [];
  beforeAll(() => topics.connect());
  afterAll(async () => {
    await Promise.all(open.map((consumer) => consumer.close({ drainTimeoutMs: 0 })));
    await topics.disconnect();
  });

  function consumer(options: ConsumerOptions): Consumer {
    const made = createConsumer({ fromBeginning: true, logger: false, ...options });
    open.push(made);
    return made;
  }

  test.each(["consistent", "balanced", "per-key"] as const)(
    "20,000 messages of one partition, %s: none lost, none twice, in key order",
    async (distribution) => {
      const count = 20_000;
      const topic = await topics.create(1);
      await topics.fill(topic, count, 500);
      const groupId = unique("main");
      const ledger = new Ledger(count);
      const subject = consumer({
        source: kafkajs(CLIENT),
        groupId,
        concurrency: 100,
        topics: {
          [topic]: {
            eachMessage: (message) => {
              const { partition, offset } = message;
              const key = message.keyText()!;
              ledger.start(partition, key, offset);
              if (offset % 6 === 0) return ledger.end(partition, key, offset);
              return new Promise<void>((resolve) => {
                setTimeout(() => {
                  ledger.end(partition, key, offset);
                  resolve();
                }, offset % 6);
              });
            },
            virtualPartitions: { distribution },
          },
        },
      });
      await subject.start();
      await ledger.finished;
      const report = await subject.close();
      expect(report).toEqual({ drained: report.drained, abandoned: 0, uncommitted: [] });
      expect([ledger.distinct, ledger.repeated, ledger.orderBreaks]).toEqual([count, 0, 0]);
      expect(await topics.committed(groupId, topic)).toEqual([count]);
    },
    30_000,
  );

  test("R2, R5: a member joins and leaves: none lost, key order across members, no stale commit", async () => {
    const count = 2000;
    const topic = await topics.create(4);
    const groupId = unique("rolling");
    const ledger = new Ledger(count);
    const stale: string[] = [];
    const member = (): Consumer =>
      consumer({
        source: watched(kafkajs(CLIENT), stale),
        groupId,
        concurrency: 20,
        commitIntervalMs: 50,
        topics: {
          [topic]: {
            eachMessage: async (message) => {
              const { partition, offset } = message;
              const key = message.keyText()!;
              ledger.start(partition, key, offset);
              await new Promise((resolve) => setTimeout(resolve, 10 + (offset % 20)));
              ledger.end(partition, key, offset);
            },
            virtualPartitions: { distribution: "per-key" },
          },
        },
      });
    const first = member();
    await first.start();
    await topics.fill(topic, count, 100);
    const second = member();
    await second.start();
    await until(() => ledger.distinct > count / 3);
    expect(second.stats().processed).toBeGreaterThan(0);
    await second.close();
    await ledger.finished;
    await first.close();
    expect([ledger.distinct, ledger.orderBreaks, stale.length]).toEqual([count, 0, 0]);
    const committed = await topics.committed(groupId, topic);
    expect(committed.reduce((sum, offset) => sum + offset, 0)).toBe(count);
  }, 60_000);

  test("R11: a handler that seeks in the middle of a fetch gets nothing of the rest of it", async () => {
    const topic = await topics.create(1);
    await topics.fill(topic, 3000, 10);
    const seen: number[] = [];
    let finish: () => void = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const errors: string[] = [];
    const subject = consumer({
      source: kafkajs(CLIENT),
      groupId: unique("seek"),
      topics: {
        [topic]: {
          eachMessage: ({ offset }) => {
            if (seen.length < 500 || offset >= 2990) seen.push(offset);
            if (offset === 100 && seen.length === 101) {
              subject.seek({ topic, partition: 0 }, 2990).catch((error) => errors.push(`${error}`));
            }
            if (offset === 2999) finish();
          },
        },
      },
    });
    subject.on("error", ({ error }) => errors.push(error.message));
    await subject.start();
    await finished;
    await subject.close();
    const expected = [
      ...Array.from({ length: 101 }, (_, offset) => offset),
      ...Array.from({ length: 10 }, (_, i) => 2990 + i),
    ];
    expect([seen, errors]).toEqual([expected, []]);
  }, 20_000);

  test("R1: a handler that runs longer than the session timeout keeps its partition", async () => {
    const topic = await topics.create(1);
    await topics.fill(topic, 3, 3);
    const ledger = new Ledger(3);
    const events: string[] = [];
    const sessionTimeout = Number(process.env.KAFKA_MIN_SESSION_TIMEOUT_MS ?? 6000);
    const subject = consumer({
      source: kafkajs({ ...CLIENT, consumer: { ...CLIENT.consumer, sessionTimeout } }),
      groupId: unique("long"),
      topics: {
        [topic]: {
          eachMessage: async (message) => {
            const { partition, offset } = message;
            ledger.start(partition, message.keyText()!, offset);
            await new Promise((resolve) => setTimeout(resolve, sessionTimeout + 1000));
            ledger.end(partition, message.keyText()!, offset);
          },
          virtualPartitions: true,
        },
      },
    });
    for (const event of ["revoked", "lost"] as const) subject.on(event, () => events.push(event));
    await subject.start();
    await ledger.finished;
    const report = await subject.close();
    expect([ledger.repeated, events, report.uncommitted]).toEqual([0, [], []]);
  }, 30_000);
});

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!done()) {
    if (performance.now() > deadline) throw new Error("did not happen within 30 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
