/** The ways to do the same work that benches compare. Each answers its seconds, from the first call to the last end. */
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { createConsumer } from "../../src/index.ts";
import type { VirtualPartitionsOptions } from "../../src/options.ts";
import { checkedHandler, RunChecker, type Work } from "./check.ts";
import { client, newGroup } from "./kafka.ts";

/** One cell of a bench. */
export interface Cell {
  readonly bootstrap: string;
  readonly topic: string;
  readonly count: number;
  /** Distinct keys; 0: every record has its own. */
  readonly keys: number;
  readonly partitions: number;
  readonly concurrency: number;
  readonly work: Work;
}

/** No Kafka: a bare pool of promises with the same handler, keys in order. The handler's own limit. */
export async function pool(cell: Cell): Promise<number> {
  const check = new RunChecker(cell.count, cell.keys);
  const handle = checkedHandler(check, cell.work);
  const lanes = Array.from({ length: cell.keys }, (_, key) =>
    Array.from(
      { length: Math.ceil((cell.count - key) / cell.keys) },
      (_, i) => key + i * cell.keys,
    ),
  );
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < lanes.length) {
      const lane = lanes[next++]!;
      for (const offset of lane) {
        const pending = handle(offset % cell.keys, offset, 0);
        if (pending !== undefined) await pending;
      }
    }
  };
  await Promise.all(Array.from({ length: cell.concurrency }, worker));
  return check.seconds;
}

/**
 * The same pool fed in log order, as a consumer is: a message whose key is busy waits, and goes first when it is free.
 * Without Kafka, and knowing everything from the start: what log order itself allows.
 */
export async function poolInLogOrder(cell: Cell): Promise<number> {
  const check = new RunChecker(cell.count, cell.keys);
  const handle = checkedHandler(check, cell.work);
  const waiting = new Map<number, number[]>();
  let next = 0;
  const one = async (first: number): Promise<void> => {
    const key = first % cell.keys;
    waiting.set(key, []);
    for (let offset: number | undefined = first; offset !== undefined; ) {
      const pending = handle(key, offset, 0);
      if (pending !== undefined) await pending;
      offset = waiting.get(key)!.shift();
    }
    waiting.delete(key);
  };
  const worker = async (): Promise<void> => {
    while (next < cell.count) {
      const offset = next++;
      const queue = waiting.get(offset % cell.keys);
      if (queue === undefined) await one(offset);
      else queue.push(offset);
    }
  };
  await Promise.all(Array.from({ length: cell.concurrency }, worker));
  return check.seconds;
}

/** The careful home-made answer: kafkajs, grouped by key, keys in parallel, waits for the batch. */
export async function kafkajsByKey(cell: Cell): Promise<number> {
  const check = new RunChecker(cell.count, cell.keys);
  const handle = checkedHandler(check, cell.work);
  // Partitions run side by side: together they have the cell's concurrency.
  const atOnce = Math.floor(cell.concurrency / cell.partitions);
  const consumer = client(cell.bootstrap).consumer({ groupId: newGroup(), maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic: cell.topic, fromBeginning: true });
  const finished = new Promise<void>((resolve, reject) => {
    consumer.on("consumer.crash", ({ payload }) => reject(payload.error));
    consumer
      .run({
        autoCommit: false,
        partitionsConsumedConcurrently: cell.partitions,
        eachBatch: async ({ batch, heartbeat }) => {
          const groups = new Map<number, number[]>();
          for (const message of batch.messages) {
            const key = RunChecker.keyNumber(message.key!);
            const group = groups.get(key);
            if (group === undefined) groups.set(key, [Number(message.offset)]);
            else group.push(Number(message.offset));
          }
          const all = [...groups];
          let next = 0;
          const worker = async (): Promise<void> => {
            while (next < all.length) {
              const [key, offsets] = all[next++]!;
              for (const offset of offsets) {
                const pending = handle(key, offset, batch.partition);
                if (pending !== undefined) await pending;
              }
            }
          };
          await Promise.all(Array.from({ length: atOnce }, worker));
          await heartbeat();
          const { topic, partition } = batch;
          const offset = String(Number(batch.lastOffset()) + 1);
          await consumer.commitOffsets([{ topic, partition, offset }]);
          if (check.finished) resolve();
        },
      })
      .catch(reject);
  });
  await finished;
  await consumer.disconnect();
  return check.seconds;
}

/** headrace over kafkajs. */
export async function headrace(
  cell: Cell,
  virtualPartitions: Pick<VirtualPartitionsOptions, "distribution">,
): Promise<number> {
  const check = new RunChecker(cell.count, cell.keys);
  const handle = checkedHandler(check, cell.work);
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const consumer = createConsumer({
    source: kafkajs({ brokers: [cell.bootstrap] }),
    groupId: newGroup(),
    concurrency: cell.concurrency,
    fromBeginning: true,
    maxInFlightMessages: Math.max(10_000, cell.concurrency * 4),
    topics: {
      [cell.topic]: {
        eachMessage: (message) => {
          const key = RunChecker.keyNumber(message.key!);
          const pending = handle(key, message.offset, message.partition);
          if (pending === undefined) {
            if (check.finished) finish();
            return undefined;
          }
          return pending.then(() => {
            if (check.finished) finish();
          });
        },
        virtualPartitions: { ...virtualPartitions, maxPartitions: cell.concurrency },
      },
    },
  });
  await Promise.race([finished, consumer.run()]);
  const { uncommitted } = await consumer.close();
  if (uncommitted.length > 0) throw new Error("Cannot use this run as its last commit failed");
  return check.seconds;
}
