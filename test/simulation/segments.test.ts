/**
 * All segments of a group together, over the memory source and a fake clock: random deliveries, durations, failures,
 * rebalances, seeks of time, and processes that close and start again with other segments. Each message is handled
 * well by one segment, once, in the order of its key, and every offset reaches the end.
 *
 *   HEADRACE_SIM_SEED=n        only this seed
 *   HEADRACE_SIM_SEGMENTS=n    this many seeds
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import { byKey } from "../../src/group/partitioners.ts";
import type { ConsumerOptions, ParallelSegmentsOptions, TopicOptions } from "../../src/options.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message, MessageContext } from "../../src/types.ts";
import { Random } from "./random.ts";

const TOPIC = "orders";
const PARTITIONS = 2;
const STEPS = 25;
const DISTRIBUTIONS = ["consistent", "balanced", "per-key"] as const;
const oneSeed = process.env.HEADRACE_SIM_SEED;
const SEEDS = Number(process.env.HEADRACE_SIM_SEGMENTS ?? 20);
const seeds =
  oneSeed === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(oneSeed)];

/** As in simulation.test.ts: leases come and go, and a kernel for each would take most of the time. */
const { Instance } = WebAssembly;
class NoRoom {
  constructor() {
    throw new RangeError("No room for a kernel in this test");
  }
}
beforeAll(() => {
  Object.assign(WebAssembly, { Instance: NoRoom });
});
afterAll(() => {
  Object.assign(WebAssembly, { Instance });
});

class Together {
  readonly random: Random;
  readonly clock = fakeClock();
  readonly memory = memorySource({ topics: { [TOPIC]: PARTITIONS }, maxBatchRecords: 7 });
  readonly count: number;
  readonly #seed: number;
  readonly #rule: Pick<ParallelSegmentsOptions, "partitioner" | "reducer" | "onPartitionerError">;
  readonly #failureRate: number;
  #consumers: Consumer[] = [];
  /** By "partition@offset". */
  readonly #done = new Set<string>();
  readonly #segmentOf = new Map<string, number>();
  readonly #lastOfKey = new Map<string, number>();
  readonly #running = new Set<string>();
  handled = 0;
  readonly problems: string[] = [];

  constructor(seed: number) {
    this.#seed = seed;
    this.random = new Random(seed);
    this.count = this.random.integer(2, 5);
    this.#failureRate = this.random.pick([0, 0, 0.05, 0.2]);
    const own = {
      partitioner: (message: Message) => {
        if (message.offset % 13 === 5) throw new Error("planned");
        return message.keyText();
      },
      reducer: (key: unknown, count: number) => String(key).length % count,
    };
    // A lookup that fails now and then.
    const lookup = {
      partitioner: (message: Message) => {
        if (message.offset % 7 === 3 && this.random.chance(0.5)) throw new Error("planned");
        return message.keyText();
      },
      onPartitionerError: "stop" as const,
    };
    this.#rule = this.random.pick([{ partitioner: byKey() }, own, lookup]);
  }

  async #handle(message: Message, { segment, attempt }: MessageContext): Promise<void> {
    const { partition, offset } = message;
    const name = `${partition}@${offset}`;
    const key = `${partition} ${message.keyText()}`;
    const mark = `${segment!.index} ${key}`;
    const say = (what: string): void => void this.problems.push(`${name}: ${what}`);
    if (this.#done.has(name)) say("handled again");
    if (this.#running.has(mark)) say("beside another one of its key");
    if ((this.#lastOfKey.get(mark) ?? -1) > offset) say("after a later one of its key");
    const before = this.#segmentOf.get(name) ?? segment!.index;
    if (before !== segment!.index) say(`by segment ${segment!.index}, before by ${before}`);
    this.#segmentOf.set(name, segment!.index);
    this.#running.add(mark);
    const ms = this.random.integer(0, 20);
    if (ms > 0) await new Promise<void>((resolve) => void this.clock.setTimer(resolve, ms));
    this.#running.delete(mark);
    if (attempt < 4 && this.random.chance(this.#failureRate)) throw new Error("planned");
    this.#lastOfKey.set(mark, offset);
    this.#done.add(name);
    this.handled++;
  }

  /** Shares the segments among some processes. */
  async start(): Promise<void> {
    const groups = Array.from({ length: this.random.integer(1, 3) }, () => [] as number[]);
    for (let index = 0; index < this.count; index++) this.random.pick(groups).push(index);
    const virtualPartitions = { distribution: this.random.pick(DISTRIBUTIONS), maxPartitions: 4 };
    const topic: TopicOptions = {
      eachMessage: (message, context) => this.#handle(message, context),
      retry: { backoffMs: 5, maxBackoffMs: 20 },
      onError: this.random.pick(["collapse", "isolate"]),
      ...(this.random.chance(0.7) && { virtualPartitions }),
    };
    const started: Promise<void>[] = [];
    for (const run of groups.filter((group) => group.length > 0)) {
      const consumer = createConsumer({
        source: this.memory.source,
        groupId: `together-${this.#seed}`,
        clock: this.clock,
        logger: false,
        fromBeginning: true,
        concurrency: 6,
        maxInFlightMessages: 200,
        commitIntervalMs: this.random.pick([10, 50, 1000]),
        parallelSegments: { count: this.count, ...this.#rule, run },
        topics: { [TOPIC]: topic },
      } as ConsumerOptions);
      this.#consumers.push(consumer);
      started.push(consumer.start());
    }
    await this.clock.advance(0);
    await Promise.all(started);
  }

  async close(): Promise<void> {
    const closed = Promise.all(this.#consumers.map((consumer) => consumer.close()));
    this.#consumers = [];
    await this.clock.advance(1000);
    await closed;
  }

  async step(): Promise<void> {
    const { random, memory, clock } = this;
    const partition = random.integer(0, PARTITIONS - 1);
    await random.weighted<() => Promise<void>>([
      [
        6,
        async () => {
          const records = Array.from({ length: random.integer(1, 30) }, () => ({
            key: random.chance(0.1) ? null : "k".repeat(random.skewed(12)),
          }));
          memory.deliver(TOPIC, partition, records);
        },
      ],
      [1, async () => memory.skip(TOPIC, partition, random.integer(1, 5))],
      [6, () => clock.advance(random.integer(0, 60))],
      [
        1,
        async () => {
          await this.close();
          await this.start();
        },
      ],
      [1, async () => void memory.step(TOPIC, partition, { late: true })],
      [1, async () => memory.failNextCommit("retry", random.integer(1, 3))],
      [
        1,
        async () => {
          const where = [{ topic: TOPIC, partition }];
          const moved = memory.revoke(where, { keep: where });
          await clock.advance(500);
          await moved;
        },
      ],
    ])();
    await clock.advance(0);
  }

  /** What is stored for every segment, and where the log ends. */
  offsets(partition: number): unknown[] {
    return Array.from({ length: this.count }, (_, index) => {
      const group = `together-${this.#seed}-parallel-${index}`;
      return this.memory.committed(group, TOPIC, partition)?.offset;
    });
  }
}

test.each(seeds)("seed %j: segments share all messages out", async (seed) => {
  const world = new Together(seed);
  await world.start();
  for (let step = 0; step < STEPS; step++) await world.step();
  await world.clock.advance(10_000);
  await world.close();
  expect(world.problems).toEqual([]);
  let records = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const all = world.memory.records(TOPIC, partition);
    records += all.length;
    const ends = new Set(world.offsets(partition));
    expect(ends.size).toBe(1);
    expect([...ends][0]).toBeGreaterThanOrEqual((all.at(-1)?.offset ?? -1) + 1);
  }
  expect(world.handled).toBe(records);
  expect(world.memory.listenerErrors()).toEqual([]);
});
