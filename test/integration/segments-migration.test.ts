import { afterAll, describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { type Consumer, createConsumer } from "../../src/index.ts";
import { collapseSegments, distributeSegments } from "../../src/segments/index.ts";
import { readPosition } from "../../src/segments/position.ts";
import type { Admin } from "../../src/source/source.ts";
import type { Message, MessageContext } from "../../src/types.ts";
import { Bench, bootstrap, unique } from "./kafkajs-harness.ts";

const TIMEOUT_MS = 60_000;
const STEP_MS = 15_000;
const PARTITIONS = 2;
const KEYS = 24;
const COUNT = 3;
const BATCH = 40;
const BATCH_EVERY_MS = 20;

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + STEP_MS;
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Writes messages at a steady rate, keys in turn. */
class Load {
  readonly #write: (from: number) => Promise<void>;
  #running = false;
  #ended: Promise<void> = Promise.resolve();
  /** Messages that were acknowledged. */
  written = 0;

  constructor(write: (from: number) => Promise<void>) {
    this.#write = write;
  }

  start(): void {
    this.#running = true;
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      await this.#write(this.written);
      this.written += BATCH;
      await new Promise((resolve) => setTimeout(resolve, BATCH_EVERY_MS));
    }
  }
}

/** What handlers finish, and the keys that they do not get through with. */
class Work {
  readonly finished = new Map<string, number>();
  readonly outOfOrder: string[] = [];
  readonly #last = new Map<string, number>();
  stuckKeys: ReadonlySet<string> = new Set();
  /** Messages that a handler is stuck with now. */
  stuck = 0;

  /** Of all partitions. */
  get count(): number {
    return this.finished.size;
  }

  readonly eachMessage = async (message: Message, context: MessageContext): Promise<void> => {
    const { partition, offset } = message;
    const key = `${partition}/${message.keyText()}`;
    if (this.stuckKeys.has(message.keyText()!)) await this.#hang(context.signal);
    else await new Promise((resolve) => setTimeout(resolve, offset % 3));
    const name = `${partition}#${offset}`;
    this.finished.set(name, (this.finished.get(name) ?? 0) + 1);
    if ((this.#last.get(key) ?? -1) >= offset) this.outOfOrder.push(name);
    this.#last.set(key, offset);
  };

  async #hang(signal: AbortSignal): Promise<void> {
    this.stuck += 1;
    try {
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    } finally {
      this.stuck -= 1;
    }
  }
}

describe.skipIf(bootstrap === "")("parallel segments, there and back", () => {
  const bench = new Bench();
  const errors: unknown[] = [];
  const consumers: Consumer[] = [];
  let admin: Admin;
  let load: Load | undefined;
  afterAll(async () => {
    await load?.stop();
    await Promise.all(consumers.map((consumer) => consumer.close()));
    await bench.close();
  });

  const source = kafkajs({
    brokers: [bootstrap],
    consumer: { maxWaitTimeInMs: 50, heartbeatInterval: 200, sessionTimeout: 10_000 },
  });

  function consumerOf(topic: string, groupId: string, work: Work, segment?: number): Consumer {
    const consumer = createConsumer({
      source,
      groupId,
      fromBeginning: true,
      concurrency: 40,
      commitIntervalMs: 100,
      drainTimeoutMs: 400,
      ...(segment === undefined
        ? {}
        : { parallelSegments: { count: COUNT, partitioner: keyOf, run: [segment] } }),
      topics: {
        [topic]: {
          eachMessage: work.eachMessage,
          virtualPartitions: { distribution: "per-key", maxPartitions: 40 },
        },
      },
    });
    consumer.on("error", (error) => errors.push(error));
    consumers.push(consumer);
    return consumer;
  }

  const keyOf = (message: Message): string | null => message.keyText();

  /** Of each partition: the committed offset, done offsets above it, and where reading went to. */
  async function positionsOf(
    groupId: string,
    topic: string,
  ): Promise<{ offset: number; above: number; end: number; logEnd: number }[]> {
    const bounds = await admin.logBounds(topic);
    const stored = await admin.committed(groupId, topic);
    return stored.map(({ partition, offset, metadata }) => {
      const { logEnd } = bounds[partition]!;
      const { completed } = readPosition({ offset: offset ?? 0, metadata }, logEnd);
      const end = Math.max(offset ?? 0, completed.end);
      return { offset: offset ?? 0, above: completed.count, end, logEnd };
    });
  }

  /** Every partition of the group has unfinished messages below finished ones. */
  async function expectGaps(groupId: string, topic: string): Promise<void> {
    for (const { above } of await positionsOf(groupId, topic)) expect(above).toBeGreaterThan(0);
  }

  test(
    "a group is split and joined again under load: nothing is lost, nothing handled twice",
    async () => {
      admin = await bench.admin();
      const topic = await bench.topic(PARTITIONS);
      const groupId = unique("group");
      const producer = await bench.producer();
      load = new Load(async (from) => {
        const messages = Array.from({ length: BATCH }, (_, at) => {
          const number = Math.floor((from + at) / PARTITIONS);
          return { partition: (from + at) % PARTITIONS, key: `k${number % KEYS}`, value: "v" };
        });
        await producer.send({ topic, messages });
      });
      const work = new Work();
      const segments = Array.from({ length: COUNT }, (_, at) => `${groupId}-parallel-${at}`);
      const moved = { source, groupId, topics: [topic], count: COUNT };

      // The group itself, which does not get through with one key.
      work.stuckKeys = new Set(["k3"]);
      load.start();
      const plain = consumerOf(topic, groupId, work);
      await plain.start();
      await until("both partitions are stuck", () => work.stuck === PARTITIONS);
      await until("much is done behind it", () => work.count >= 600);
      await plain.close();
      await expectGaps(groupId, topic);

      const distributed = await distributeSegments(moved);
      expect(distributed.offsets.length).toBe(COUNT * PARTITIONS);
      for (const segment of segments) await expectGaps(segment, topic);

      // Three segments, that get through with it, and not with others.
      work.stuckKeys = new Set(["k5", "k11"]);
      const before = work.count;
      const split = segments.map((_, at) => consumerOf(topic, groupId, work, at));
      await Promise.all(split.map((consumer) => consumer.start()));
      await until("both keys are stuck", () => work.stuck === 2 * PARTITIONS);
      await until("much is done behind them", () => work.count >= before + 900);
      // What one segment has done above where another one has read would be handled again.
      await load.stop();
      await until("all segments have read everything", async () => {
        const all = await Promise.all(segments.map((segment) => positionsOf(segment, topic)));
        // A map ends with what is done: messages of a stuck key may lie behind it.
        return all.flat().every(({ end, logEnd }) => {
          const behind = Array.from({ length: logEnd - end }, (_, at) => (end + at) % KEYS);
          return behind.every((key) => work.stuckKeys.has(`k${key}`));
        });
      });
      await Promise.all(split.map((consumer) => consumer.close()));

      const differ = await collapseSegments(moved).catch((error: Error) => error.message);
      expect(differ).toContain("all segments must be at one offset without force");
      await collapseSegments({ ...moved, force: true });
      await expectGaps(groupId, topic);

      // The group again, which gets through with everything.
      work.stuckKeys = new Set();
      load.start();
      const again = consumerOf(topic, groupId, work);
      await again.start();
      const after = work.count;
      await until("much is done", () => work.count >= after + 600);
      await load.stop();
      const { written } = load;
      await until("everything is done", () => work.count >= written);
      await again.close();

      expect(work.count).toBe(written);
      expect([...work.finished].filter(([, times]) => times !== 1)).toEqual([]);
      expect(work.outOfOrder).toEqual([]);
      expect(errors).toEqual([]);
      for (const { offset, logEnd } of await positionsOf(groupId, topic)) {
        expect(offset).toBe(logEnd);
      }
    },
    TIMEOUT_MS,
  );
});
