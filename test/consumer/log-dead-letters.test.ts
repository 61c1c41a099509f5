import { afterAll, describe, expect, test } from "bun:test";
import { type Log, log, openLog } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/consumer.ts";
import type { Message, MessageContext } from "../../src/types.ts";
import { numbered, removeTemporary, temporaryDirectory } from "../log/temporary.ts";
import { TOPIC } from "./rig.ts";

afterAll(removeTemporary);

const DEAD = "orders.dead";

/** A log with four records; `use` gets it open. */
async function withLog(use: (handle: Log) => Promise<void>): Promise<void> {
  const handle = await openLog(temporaryDirectory());
  try {
    await handle.createTopic(TOPIC, 1);
    await handle.append(TOPIC, 0, numbered(0, 4));
    await use(handle);
  } finally {
    await handle.close();
  }
}

/** Runs a handler until it has had `count` messages; gives their offsets, headers as text. */
async function handle(source: Log, topic: string, count: number, mark?: readonly number[]) {
  const got: { offset: number; source: string | null; text: string | null }[] = [];
  let all = (): void => {};
  const complete = new Promise<void>((resolve) => {
    all = resolve;
  });
  const consumer = createConsumer({
    source: log(source),
    groupId: "g",
    fromBeginning: true,
    topics: {
      [topic]: {
        acknowledge: "manual",
        virtualPartitions: { distribution: "per-key" as const, partitioner: (m) => m.offset },
        eachMessage: (message: Message, context: MessageContext) => {
          const from = message.headers.text("headrace-source-offset");
          got.push({ offset: message.offset, source: from, text: message.text() });
          if (mark === undefined || mark.includes(message.offset)) context.markAsConsumed();
          if (got.length === count) all();
        },
      },
    },
  });
  await consumer.start();
  await complete;
  await consumer.close();
  return got;
}

describe("dead letters over the embedded log", () => {
  test("Q4, L1: the dead letter topic is made; the record is there with its headers, and the offset moves on", async () => {
    await withLog(async (opened) => {
      const consumer = createConsumer({
        source: log(opened),
        groupId: "poison",
        fromBeginning: true,
        topics: {
          [TOPIC]: {
            retry: { backoffMs: 1 },
            deadLetterQueue: { topic: DEAD, maxRetries: 1 },
            eachMessage: (message: Message) => {
              if (message.offset === 2) throw new Error("poison");
            },
          },
        },
      });
      const dead = new Promise((resolve) => consumer.on("deadLettered", resolve));
      await consumer.start();
      const topics = await opened.topics();
      expect(topics.find(({ topic }) => topic === DEAD)?.partitions).toBe(1);
      expect(await dead).toEqual({ topic: TOPIC, partition: 0, offset: 2, target: DEAD });
      await consumer.close();
      const [stored] = await opened.committed("poison", TOPIC);
      expect(stored?.offset).toBeGreaterThanOrEqual(3);
      expect(await handle(opened, DEAD, 1)).toEqual([{ offset: 0, source: "2", text: "v2" }]);
    });
  });

  test("O5: the completed map is read over raw batches too", async () => {
    await withLog(async (opened) => {
      const first = await handle(opened, TOPIC, 4, [1, 2]);
      expect(first.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
      const again = await handle(opened, TOPIC, 2);
      expect(again.map(({ offset, text }) => [offset, text])).toEqual([
        [0, "v0"],
        [3, "v3"],
      ]);
      const [stored] = await opened.committed("g", TOPIC);
      expect(stored?.offset).toBe(4);
    });
  });
});
