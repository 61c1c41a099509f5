import { describe, expect, test } from "bun:test";
import { byHeader, byKey, byPayload } from "../../src/group/partitioners.ts";
import type { Message, PartitionKey } from "../../src/types.ts";
import { Calls, keys, makeRig, range, TOPIC, withRig } from "./rig.ts";

const text = new TextEncoder();

describe("partitioner", () => {
  test("P1: runs once per message, in offset order, also when calls fail and are retried", async () => {
    const asked: number[] = [];
    let failures = 0;
    const topic = {
      eachMessage: () => {
        if (failures++ < 3) throw new Error("planned");
      },
      retry: { backoffMs: 10, jitter: 0 },
      virtualPartitions: {
        partitioner: (message: Message) => {
          asked.push(message.offset);
          return message.key;
        },
      },
    };
    await withRig({ topic }, async ({ send, pass, stored }) => {
      await send(["a", "b", "a"]);
      await send(["c", "a"]);
      await pass(1000);
      expect(asked).toEqual([0, 1, 2, 3, 4]);
      expect(stored()).toBe(5);
    });
  });

  test("P1: 1 and '1' and its bytes are one key; null, undefined and a missing key are one", async () => {
    const answers = [1, "1", 1n, text.encode("1"), null, undefined, "2"];
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: {
        partitioner: (message: Message) => answers[message.offset],
        distribution: "per-key" as const,
        maxPartitions: 10,
      },
    };
    await withRig({ topic }, async ({ send, pass }) => {
      await send(keys(answers.length));
      expect(calls.open).toEqual([0, 4, 6]);
      calls.finish(0, 4);
      await pass();
      expect(calls.open).toEqual([1, 5, 6]);
      calls.finish(1);
      await pass();
      expect(calls.open).toEqual([2, 5, 6]);
      calls.finishAll();
      await pass();
      expect(calls.open).toEqual([3]);
      calls.finishAll();
      await pass(100);
    });
  });

  test("P1: reducers get text for numbers, bytes for bytes and null for none", async () => {
    const answers = [7, 8n, "x", text.encode("y"), undefined, null];
    const got: PartitionKey[] = [];
    const topic = {
      eachMessage: () => {},
      virtualPartitions: {
        partitioner: (message: Message) => answers[message.offset],
        maxPartitions: 4,
        reducer: (key: PartitionKey) => {
          got.push(key);
          return 0;
        },
      },
    };
    await withRig({ topic }, async ({ send }) => {
      await send(keys(answers.length));
      expect(got).toEqual(["7", "8", "x", text.encode("y"), null, null]);
    });
  });

  const wrong: [string, unknown][] = [
    ["a boolean", true],
    ["an object", {}],
    ["a promise", Promise.resolve("a")],
    ["a symbol", Symbol("s")],
  ];
  test.each(wrong)("P1: %s is a failure of the partitioner (P2)", async (_name, answer) => {
    const topic = {
      eachMessage: () => {},
      virtualPartitions: { partitioner: (m: Message) => (m.offset === 1 ? answer : "k") as string },
    };
    await withRig({ topic }, async ({ send, seen, stored, pass }) => {
      await send(["a", "b", "c"]);
      await pass(100);
      expect(seen("partitionerFailed")).toMatchObject([
        { offset: 1, error: { name: "TypeError" } },
      ]);
      expect(seen("partitionerFailed")[0]?.value).toBe(answer);
      expect(stored()).toBe(3);
    });
  });

  test("P2: a throw makes the batch one ordered run between its neighbours; the next is parallel", async () => {
    const calls = new Calls();
    const asked: number[] = [];
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: {
        partitioner: (message: Message) => {
          asked.push(message.offset);
          if (message.offset === 3) throw new Error("no key");
          return message.key;
        },
        distribution: "per-key" as const,
        maxPartitions: 10,
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a", "b"]);
      await send(["c", "d", "e"]);
      await send(["f", "g"]);
      expect(seen("partitionerFailed")).toMatchObject([
        { topic: TOPIC, partition: 0, offset: 3, error: { name: "Error", message: "no key" } },
      ]);
      expect(calls.open).toEqual([0, 1]);
      calls.finish(1);
      await pass();
      expect(calls.open).toEqual([0]);
      for (const offset of [0, 2, 3]) {
        calls.finish(offset);
        await pass();
        expect(calls.open).toEqual([offset === 0 ? 2 : offset + 1]);
      }
      expect(asked).toEqual([0, 1, 2, 3]);
      calls.finish(4);
      await pass();
      expect(calls.open).toEqual([5, 6]);
      expect(seen("failed")).toEqual([]);
      expect(calls.at(5).context.attempt).toBe(1);
      calls.finishAll();
      await pass(100);
      expect(stored()).toBe(7);
      expect(seen("error")).toEqual([]);
    });
  });

  test("P2: a failing partitioner in every batch still handles everything, in order", async () => {
    const handled: number[] = [];
    const topic = {
      eachMessage: (message: Message) => void handled.push(message.offset),
      virtualPartitions: {
        partitioner: (): string => {
          throw new Error("never");
        },
      },
    };
    await withRig({ topic }, async ({ send, pass, stored, seen }) => {
      for (let i = 0; i < 5; i++) await send(keys(3));
      await pass(100);
      expect(handled).toEqual(range(15));
      expect(seen("partitionerFailed")).toHaveLength(5);
      expect(stored()).toBe(15);
    });
  });

  test.each([
    ["NaN", Number.NaN],
    ["a negative", -1],
    ["a fraction", 0.5],
    ["maxPartitions", 4],
    ["text", "1"],
  ])("P3: a reducer that returns %s is treated as P2, with the value", async (_name, answer) => {
    const handled: number[] = [];
    const topic = {
      eachMessage: (message: Message) => void handled.push(message.offset),
      virtualPartitions: {
        maxPartitions: 4,
        reducer: (key: PartitionKey) =>
          key instanceof Uint8Array && key[0] === 98 ? (answer as number) : 1,
      },
    };
    await withRig({ topic }, async ({ send, seen, stored, pass }) => {
      await send(["a", "b", "c"]);
      await pass(100);
      expect(seen("partitionerFailed")).toMatchObject([{ offset: 1, value: answer }]);
      expect(handled).toEqual([0, 1, 2]);
      expect(stored()).toBe(3);
    });
  });

  test("P3: a reducer that throws is treated as P2", async () => {
    const topic = {
      eachMessage: () => {},
      virtualPartitions: {
        reducer: (): number => {
          throw new Error("no bin");
        },
      },
    };
    await withRig({ topic }, async ({ send, seen, stored, pass }) => {
      await send(["a", "b"]);
      await pass(100);
      expect(seen("partitionerFailed")).toMatchObject([
        { offset: 0, error: { message: "no bin" } },
      ]);
      expect(stored()).toBe(2);
    });
  });

  test("byKey, byHeader and byPayload choose keys; missing ones are together or spread", async () => {
    const { memory } = makeRig({});
    const seen: unknown[] = [];
    const one = async (partitioner: (message: Message) => unknown): Promise<void> => {
      const topic = {
        eachMessage: () => {},
        deserializer: (value: Uint8Array | null) => value?.length,
        virtualPartitions: {
          partitioner: (message: Message) => {
            const key = partitioner(message);
            seen.push(key instanceof Uint8Array ? new TextDecoder().decode(key) : key);
            return key as string;
          },
        },
      };
      await withRig({ topic, memory, consumer: { groupId: `g${seen.length}` } }, async () => {});
    };
    memory.deliver(TOPIC, 0, [
      { key: "k", value: "four", headers: { h: "x" } },
      { value: "one" },
      {},
    ]);
    await one(byKey());
    await one(byKey({ missing: "spread" }));
    await one(byHeader("h"));
    await one(byHeader("h", { missing: "spread" }));
    await one(byPayload((length) => length as number));
    expect(seen.slice(0, 3)).toEqual(["k", null, null]);
    expect(seen[3]).toBe("k");
    expect(new Set(seen.slice(3, 6)).size).toBe(3);
    expect(seen.slice(6, 9)).toEqual(["x", null, null]);
    expect(new Set(seen.slice(9, 12)).size).toBe(3);
    expect(seen.slice(12)).toEqual([4, 3, undefined]);
  });
});
