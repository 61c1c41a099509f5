import { describe, expect, test } from "bun:test";
import type { VirtualPartitionsOptions } from "../../src/options.ts";
import type { Batch, Message, MessageContext, PartitionKey } from "../../src/types.ts";
import { randomOf, SEEDS } from "../wasm/random.ts";
import { Calls, keys, range, TOPIC, withRig } from "./rig.ts";

type Distribution = NonNullable<VirtualPartitionsOptions["distribution"]>;
const DISTRIBUTIONS: Distribution[] = ["consistent", "balanced", "per-key"];

describe("distribution", () => {
  test("D1: consistent keeps a key on its virtual partition, batch after batch", async () => {
    const places = new Map<string, Set<number>>();
    const topic = {
      eachMessage: (message: Message, context: MessageContext) => {
        const key = message.keyText() ?? "";
        places.set(key, (places.get(key) ?? new Set()).add(context.virtualPartition));
      },
      virtualPartitions: { maxPartitions: 7 },
    };
    await withRig({ topic }, async ({ send }) => {
      for (let i = 0; i < 5; i++) await send([...keys(40), ...keys(20)]);
      expect(places.size).toBe(40);
      for (const set of places.values()) expect(set.size).toBe(1);
      const used = new Set([...places.values()].flatMap((set) => [...set]));
      expect(used.size).toBeGreaterThan(4);
      expect(Math.max(...used)).toBeLessThan(7);
    });
  });

  test("D1: a custom reducer is called for every message and its answer is used as it is", async () => {
    const asked: string[] = [];
    const places: [number, number][] = [];
    const topic = {
      eachMessage: (message: Message, context: MessageContext) => {
        places.push([message.offset, context.virtualPartition]);
      },
      virtualPartitions: {
        maxPartitions: 5,
        reducer: (key: PartitionKey, max: number) => {
          asked.push(new TextDecoder().decode(key as Uint8Array));
          expect(max).toBe(5);
          return Number(asked.at(-1)) % max;
        },
      },
    };
    await withRig({ topic }, async ({ send }) => {
      await send(["3", "3", "9", "0"]);
      expect(asked).toEqual(["3", "3", "9", "0"]);
      places.sort((a, b) => a[0] - b[0]);
      expect(places.map(([, place]) => place)).toEqual([3, 3, 4, 0]);
    });
  });

  test("D2: balanced takes the largest key first, to the least loaded, ties to the lowest", async () => {
    const places = new Map<number, number>();
    const topic = {
      eachMessage: (message: Message, context: MessageContext) => {
        places.set(message.offset, context.virtualPartition);
      },
      virtualPartitions: { maxPartitions: 3, distribution: "balanced" as const },
    };
    await withRig({ topic }, async ({ send }) => {
      // a: 1, b: 3, c: 2, d: 2, e: 1. Largest first: b -> 0, c -> 1, d -> 2, a -> 1 (2 = 2), e -> 2.
      await send(["a", "b", "c", "b", "d", "c", "b", "d", "e"]);
      const placeOf = range(9).map((offset) => places.get(offset));
      expect(placeOf).toEqual([1, 0, 1, 0, 2, 1, 0, 2, 2]);
    });
  });

  test("D2: a key with messages in flight or queued stays where it is; others avoid the load", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 2, distribution: "balanced" as const },
    };
    await withRig({ topic }, async ({ send, pass }) => {
      await send(["a", "a", "a", "b"]);
      expect(calls.at(0).context.virtualPartition).toBe(0);
      expect(calls.at(3).context.virtualPartition).toBe(1);
      await send(["c", "c", "a"]);
      calls.finish(3);
      await pass();
      expect(calls.at(4).context.virtualPartition).toBe(1);
      const order: number[] = [];
      while (calls.running.length > 0) {
        for (const call of [...calls.running]) {
          if (call.context.virtualPartition === 0) order.push(...call.offsets);
          call.finish();
        }
        await pass();
      }
      expect(order).toEqual([0, 1, 2, 6]);
    });
  });

  test("D2: a key with nothing in flight is placed anew", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 2, distribution: "balanced" as const },
    };
    await withRig({ topic }, async ({ send, pass }) => {
      await send(["a"]);
      expect(calls.at(0).context.virtualPartition).toBe(0);
      calls.finish(0);
      await pass();
      await send(["b", "b"]);
      expect(calls.at(1).context.virtualPartition).toBe(0);
      await send(["a"]);
      expect(calls.at(3).context.virtualPartition).toBe(1);
      calls.finishAll();
      await pass();
      calls.finishAll();
      await pass(100);
    });
  });

  test("D2: a lane that waits for a retry takes no new key", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      onError: "isolate" as const,
      retry: { backoffMs: 1000, jitter: 0 },
      virtualPartitions: { maxPartitions: 2, distribution: "balanced" as const },
    };
    await withRig({ topic }, async ({ send, pass }) => {
      await send(["a", "b", "b", "b", "b"]);
      const first = calls.at(0).context.virtualPartition;
      calls.at(0).fail();
      await pass();
      await send(["c", "d"]);
      for (const offset of [1, 2, 3, 4]) {
        calls.finish(offset);
        await pass();
      }
      expect(calls.at(5).context.virtualPartition).toBe(1 - first);
      calls.finishAll();
      await pass();
      expect(calls.open).toEqual([6]);
      calls.finishAll();
      await pass(1000);
      expect(calls.open).toEqual([0]);
      calls.finishAll();
      await pass(100);
    });
  });

  test("D3: per-key runs every key by itself, at most maxPartitions at once, in free slots", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 3, distribution: "per-key" as const },
    };
    await withRig({ topic }, async ({ send, pass, consumer }) => {
      consumer.concurrency = 50;
      await send(["a", "a", "b", "c", "d", "e"]);
      expect(calls.open).toEqual([0, 2, 3]);
      const slots = (): number[] => calls.running.map((call) => call.context.virtualPartition);
      expect([...slots()].sort()).toEqual([0, 1, 2]);
      const freed = calls.at(2).context.virtualPartition;
      calls.finish(2);
      await pass();
      expect(calls.open).toEqual([0, 3, 4]);
      expect(calls.at(4).context.virtualPartition).toBe(freed);
      calls.finish(0);
      await pass();
      // D7: the lane whose first message is the oldest is a's second message.
      expect(calls.open).toEqual([1, 3, 4]);
      while (calls.running.length > 0) {
        expect(new Set(slots()).size).toBe(calls.running.length);
        calls.finishAll();
        await pass();
      }
      expect(calls.mostAtOnce).toBe(3);
    });
  });

  test("D3: with per-key a failing key stops no other key", async () => {
    const handled: number[] = [];
    const topic = {
      eachMessage: (message: Message) => {
        if (message.keyText() === "bad") throw new Error("planned");
        handled.push(message.offset);
      },
      onError: "isolate" as const,
      retry: { backoffMs: 60_000, maxBackoffMs: 60_000 },
      virtualPartitions: { maxPartitions: 1, distribution: "per-key" as const },
    };
    await withRig({ topic }, async ({ send }) => {
      await send(["bad", "a", "bad", "b"]);
      await send(["c"]);
      expect(handled).toEqual([1, 3, 4]);
    });
  });

  for (const distribution of DISTRIBUTIONS) {
    for (const seed of SEEDS) {
      test(`D4: ${distribution}: a key is in one place, offsets ascend (seed ${seed})`, async () => {
        const random = randomOf(seed);
        const running = new Map<string, number>();
        const lastOfKey = new Map<string, number>();
        const lastOfLane = new Map<number, number>();
        const handled: number[] = [];
        const eachBatch = async (batch: Batch): Promise<void> => {
          const ownKeys = new Set(batch.messages.map((message) => message.keyText() ?? ""));
          for (const key of ownKeys) {
            expect(running.get(key) ?? 0).toBe(0);
            running.set(key, 1);
          }
          const lane = batch.virtualPartition;
          for (const message of batch.messages) {
            const key = message.keyText() ?? "";
            expect(message.offset).toBeGreaterThan(lastOfKey.get(key) ?? -1);
            lastOfKey.set(key, message.offset);
            if (distribution !== "per-key") {
              expect(message.offset).toBeGreaterThan(lastOfLane.get(lane) ?? -1);
              lastOfLane.set(lane, message.offset);
            }
            handled.push(message.offset);
          }
          await new Promise<void>((resolve) => rigClock.setTimer(resolve, random() * 20));
          for (const key of ownKeys) running.set(key, 0);
        };
        let rigClock = { setTimer: (_: () => void, __: number): unknown => 0 };
        const topic = {
          eachBatch,
          maxMessages: 4,
          virtualPartitions: { maxPartitions: 5, distribution },
        };
        await withRig({ topic }, async ({ send, pass, stored, clock, seen }) => {
          rigClock = clock;
          let total = 0;
          for (let i = 0; i < 15; i++) {
            const count = 1 + Math.floor(random() * 30);
            total += count;
            await send(range(count).map(() => `k${Math.floor(random() * 12)}`));
            await pass(Math.floor(random() * 15));
          }
          await pass(5000);
          expect(seen("failed")).toEqual([]);
          expect([...handled].sort((a, b) => a - b)).toEqual(range(total));
          expect(stored()).toBe(total);
        });
      });
    }
  }

  test("D5: at most maxPartitions calls of a partition and concurrency of the consumer run", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 4, distribution: "per-key" as const },
    };
    const memory = { topics: { [TOPIC]: 3 } };
    await withRig({ topic, memory, consumer: { concurrency: 6 } }, async (rig) => {
      for (const partition of [0, 1, 2]) await rig.send(keys(10), partition);
      expect(calls.running.length).toBe(6);
      rig.consumer.concurrency = 100;
      expect(rig.consumer.concurrency).toBe(100);
      await rig.pass();
      expect(calls.running.length).toBe(12);
      rig.consumer.concurrency = 2;
      for (let i = 0; i < 10; i++) calls.running[0]?.finish();
      await rig.pass();
      expect(calls.running.length).toBe(2);
      while (calls.running.length > 0) {
        expect(calls.running.length).toBeLessThanOrEqual(2);
        calls.finishAll();
        await rig.pass();
      }
      await rig.pass(100);
      expect([rig.stored(0), rig.stored(1), rig.stored(2)]).toEqual([10, 10, 10]);
    });
  });

  test("D5: maxPartitions defaults to the concurrency at creation and does not follow it", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { distribution: "per-key" as const },
    };
    await withRig({ topic, consumer: { concurrency: 3 } }, async ({ send, pass, consumer }) => {
      consumer.concurrency = 20;
      await send(keys(10));
      expect(calls.running.length).toBe(3);
      while (calls.running.length > 0) {
        calls.finishAll();
        await pass();
      }
    });
  });

  test("D6: a slow lane holds back only its own keys", async () => {
    const calls = new Calls();
    const quick: number[] = [];
    const topic = {
      eachMessage: (message: Message, context: MessageContext) => {
        if (message.keyText() === "slow") return calls.eachMessage(message, context);
        quick.push(message.offset);
      },
      virtualPartitions: { maxPartitions: 2, reducer: (key: PartitionKey) => Number(isSlow(key)) },
    };
    await withRig({ topic }, async ({ send, pass, stored }) => {
      await send(["slow", "a", "slow"]);
      for (let i = 0; i < 20; i++) await send(["b", "c"]);
      expect(quick.length).toBe(41);
      expect(calls.open).toEqual([0]);
      calls.finish(0);
      await pass();
      calls.finish(2);
      await pass(100);
      expect(stored()).toBe(43);
    });
  });

  test("D7: a slot goes to the partition with nothing running first, then in rotation", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 10, distribution: "per-key" as const },
    };
    const memory = { topics: { [TOPIC]: 3 } };
    await withRig({ topic, memory, consumer: { concurrency: 4 } }, async (rig) => {
      await rig.send(keys(8), 0);
      await rig.send(keys(8), 1);
      await rig.send(keys(8), 2);
      expect(calls.running.length).toBe(4);
      const partitions = (): number[] => calls.running.map((call) => call.messages[0]!.partition);
      calls.running[0]!.finish();
      await rig.pass();
      calls.running[0]!.finish();
      await rig.pass();
      expect([...new Set(partitions())].sort()).toEqual([0, 1, 2]);
      const before = [...calls.running];
      for (const call of before) call.finish();
      await rig.pass();
      expect([...new Set(partitions())].sort()).toEqual([0, 1, 2]);
      while (calls.running.length > 0) {
        calls.finishAll();
        await rig.pass();
      }
    });
  });

  test("D7: inside a partition the ready lane with the oldest first message goes first", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 10, distribution: "per-key" as const },
    };
    await withRig({ topic, consumer: { concurrency: 1 } }, async ({ send, pass }) => {
      await send(["a", "b", "c", "a", "d"]);
      await send(["b", "e", "a"]);
      while (calls.running.length > 0) {
        calls.finishAll();
        await pass();
      }
      expect(calls.started).toEqual(range(8));
    });
  });

  const shapes: [string, object][] = [
    ["no virtual partitions", {}],
    ["maxPartitions 1", { virtualPartitions: { maxPartitions: 1 } }],
    ["balanced, 1", { virtualPartitions: { maxPartitions: 1, distribution: "balanced" } }],
    ["per-key, 1", { virtualPartitions: { maxPartitions: 1, distribution: "per-key" } }],
    ["the defaults", { virtualPartitions: true }],
  ];
  test.each(shapes)(
    "D8: one message, one key, one lane, a hole, then a retry: %s",
    async (_n, shape) => {
      const handled: number[] = [];
      let failed = false;
      const topic = {
        eachMessage: async (message: Message) => {
          if (message.offset === 3 && !failed) {
            failed = true;
            throw new Error("planned");
          }
          handled.push(message.offset);
        },
        retry: { backoffMs: 10 },
        ...shape,
      };
      await withRig({ topic }, async ({ send, pass, stored, memory }) => {
        await send(["only"]);
        await pass(100);
        expect(stored()).toBe(1);
        memory.skip(TOPIC, 0, 1);
        await pass(100);
        expect(stored()).toBe(2);
        await send(["only", "only"]);
        await pass(200);
        expect(handled).toEqual([0, 2, 3]);
        expect(stored()).toBe(4);
      });
    },
  );
});

function isSlow(key: PartitionKey): boolean {
  return key instanceof Uint8Array && key[0] === 115;
}
