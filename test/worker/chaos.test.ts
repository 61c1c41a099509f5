import { describe, expect, test } from "bun:test";
import { Worker } from "node:worker_threads";
import { createConsumer } from "../../src/consumer.ts";
import type { ConsumerOptions, TopicOptions } from "../../src/options.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import { ChaosBoard, type ChaosData, keyOf, mix } from "./chaos-plan.ts";

const TIMEOUT_MS = 60_000;

interface Chaos {
  readonly form: ChaosData["form"];
  readonly count: number;
  /** Threads that the test ends itself, at random. */
  readonly kills: number;
  readonly topic?: Partial<TopicOptions>;
}

const CHAOS: [string, Chaos][] = [
  ["eachMessage, isolate", { form: "eachMessage", count: 10_000, kills: 12 }],
  [
    "eachMessage, per-key, collapse",
    {
      form: "eachMessage",
      count: 3000,
      kills: 4,
      topic: { onError: "collapse", virtualPartitions: { distribution: "per-key" } },
    },
  ],
  ["eachBatch, isolate", { form: "eachBatch", count: 3000, kills: 4, topic: { maxMessages: 5 } }],
  ["consumer, isolate", { form: "consumer", count: 3000, kills: 4, topic: { maxMessages: 5 } }],
];

/** Settles once a condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function run({ form, count, kills, topic }: Chaos, seed: number): Promise<ChaosBoard> {
  const board = new SharedArrayBuffer(ChaosBoard.bytesFor(count));
  const data: ChaosData = { form, seed, count, keys: 40, board };
  const here = new ChaosBoard(data);
  const threads: Worker[] = [];
  const spawn = (): Worker => {
    const url = new URL("./chaos-thread.ts", import.meta.url);
    const thread = new Worker(url, { workerData: data });
    // Deno gives an unlistened error to the process.
    thread.on("error", () => {});
    threads.push(thread);
    return thread;
  };
  const memory = memorySource({ topics: { t: 1 }, maxBatchRecords: 300 });
  const consumer = createConsumer({
    source: memory.source,
    groupId: `chaos-${form}-${seed}`,
    fromBeginning: true,
    workers: 2,
    concurrency: 12,
    handlerTimeoutMs: 150,
    drainTimeoutMs: 100,
    commitIntervalMs: 10,
    logger: false,
    topics: {
      t: {
        module: spawn,
        virtualPartitions: { maxPartitions: 16, distribution: "balanced" },
        onError: "isolate",
        retry: { backoffMs: 1, maxBackoffMs: 1 },
        ...topic,
      } as TopicOptions,
    },
  } satisfies ConsumerOptions);
  await consumer.start();
  const fatal: unknown[] = [];
  consumer.on("error", ({ error, fatal: isFatal }) => {
    if (isFatal) fatal.push(error);
  });
  const records = Array.from({ length: count }, (_, offset) => ({
    key: `k${keyOf(data, offset)}`,
    value: String(offset),
  }));
  memory.deliver("t", 0, records);
  for (let kill = 1; kill <= kills; kill++) {
    await until(() => here.done >= (count * kill) / (kills + 1) || fatal.length > 0);
    // One of the last two: those that live.
    await threads.at(-1 - (mix(seed, kill) % 2))!.terminate();
  }
  const stored = (): number => memory.committed(`chaos-${form}-${seed}`, "t", 0)?.offset ?? 0;
  await until(() => stored() === count || fatal.length > 0);
  await consumer.close();
  expect(fatal).toEqual([]);
  expect(memory.listenerErrors()).toEqual([]);
  return here;
}

describe("W3: threads that are killed, handlers that throw, exit, crash, hang and loop", () => {
  const seed = Number(process.env.HEADRACE_CHAOS_SEED ?? Date.now() % 1_000_000);
  test.each(CHAOS)(
    `lose nothing and break no order: %s, seed ${seed}`,
    async (_name, chaos) => {
      const board = await run(chaos, seed);
      const lost: number[] = [];
      for (let offset = 0; offset < chaos.count; offset++) {
        if (board.ends(offset) === 0) lost.push(offset);
      }
      expect(lost).toEqual([]);
      expect(board.orderBreaks).toBe(0);
      let again = 0;
      for (let offset = 0; offset < chaos.count; offset++) again += board.ends(offset) - 1;
      // Calls that had ended in a thread which died before it could say so.
      expect(again).toBeLessThan(chaos.count / 10);
    },
    TIMEOUT_MS,
  );
});
