import { describe, expect, test } from "bun:test";
import { DeserializeError } from "../../src/errors.ts";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { Calls, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const RETRY = { backoffMs: 100, multiplier: 2, maxBackoffMs: 350, jitter: 0 };

describe("failures", () => {
  const ways: [string, () => void | Promise<void>][] = [
    [
      "a throw",
      () => {
        throw new Error("planned");
      },
    ],
    ["a rejected promise", () => Promise.reject(new Error("planned"))],
    [
      "a throw after an await",
      async () => {
        await Promise.resolve();
        throw new Error("planned");
      },
    ],
  ];
  test.each(ways)("E1: %s fails the call: one failed event", async (_name, fail) => {
    let failed = false;
    const topic = {
      retry: RETRY,
      eachMessage: (message: Message) => {
        if (message.offset !== 1 || failed) return;
        failed = true;
        return fail();
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored, consumer }) => {
      await send(["a", "b", "c"]);
      expect(seen("failed")).toMatchObject([
        {
          topic: TOPIC,
          partition: 0,
          offset: 1,
          virtualPartition: 0,
          attempt: 1,
          collapsed: false,
          error: { name: "Error", message: "planned" },
        },
      ]);
      expect(consumer.stats()).toMatchObject({ failed: 1, processed: 1 });
      expect(consumer.stats().partitions[0]?.committable).toBe(1);
      await pass(100 + 1000);
      expect(stored()).toBe(3);
      expect(seen("failed")).toHaveLength(1);
      expect(seen("error")).toEqual([]);
    });
  });

  test("E1: anything thrown counts: undefined, a string, an object", async () => {
    const thrown: unknown[] = [undefined, "text", { code: "E_X" }, null];
    const topic = {
      retry: { backoffMs: 1 },
      eachMessage: () => {
        if (thrown.length > 0) throw thrown.shift();
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a"]);
      await pass(1000);
      expect(seen("failed").map((event) => event.attempt)).toEqual([1, 2, 3, 4]);
      expect(seen("failed")[2]?.error.code).toBe("E_X");
      expect(stored()).toBe(1);
    });
  });

  test("E1, E3: a message that its handler had marked before it threw is not handed over again", async () => {
    const handled: number[] = [];
    const topic = {
      retry: RETRY,
      eachMessage: (message: Message, context: MessageContext) => {
        handled.push(message.offset);
        if (message.offset !== 0) return;
        expect(context.markAsConsumed()).toBe(true);
        throw new Error("after the mark");
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a", "b"]);
      await pass(200);
      expect(handled).toEqual([0, 1]);
      expect(seen("failed")).toHaveLength(1);
      await pass(100);
      expect(stored()).toBe(2);
    });
  });

  test("E1: a deserializer's error fails the attempt, with the error as its cause", async () => {
    let broken = true;
    const payloads: unknown[] = [];
    const topic = {
      retry: RETRY,
      deserializer: (value: Uint8Array | null) => {
        if (broken) throw new Error("not JSON");
        return value?.length;
      },
      eachMessage: (message: Message<unknown>) => void payloads.push(message.payload),
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a"]);
      const [failed] = seen("failed");
      expect(failed?.error.code).toBe("HEADRACE_DESERIALIZE");
      const { error } = failed!.error as unknown as { error: unknown };
      expect(error).toBeInstanceOf(DeserializeError);
      expect((error as Error).cause).toEqual(new Error("not JSON"));
      broken = false;
      await pass(200);
      expect(payloads).toEqual([1]);
      expect(stored()).toBe(1);
    });
  });

  test("E3: retries come from memory: the log is not read again", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, retry: RETRY };
    await withRig({ topic }, async ({ send, pass, seen }) => {
      await send(["a"]);
      for (let i = 0; i < 4; i++) {
        calls.at(0).fail();
        await pass(400);
      }
      expect(calls.started).toEqual([0, 0, 0, 0, 0]);
      expect(seen("polled")).toHaveLength(1);
      calls.finishAll();
      await pass(100);
    });
  });

  test("E3, Q1: a failed batch is retried one message per call, and nothing is added", async () => {
    const attempts: [number[], number][] = [];
    const fails = new Map([
      ["0,1,2", 1],
      ["1", 2],
    ]);
    const topic = {
      maxMessages: 3,
      retry: RETRY,
      eachBatch: async (batch: Batch) => {
        const offsets = batch.messages.map((message) => message.offset);
        attempts.push([offsets, batch.attempt]);
        const left = fails.get(String(offsets)) ?? 0;
        fails.set(String(offsets), left - 1);
        if (left > 0) throw new Error("planned");
      },
    };
    await withRig({ topic }, async ({ send, pass, stored, seen }) => {
      await send(["a", "b", "c"]);
      await send(["d", "e"]);
      await pass(5000);
      expect(attempts).toEqual([
        [[0, 1, 2], 1],
        [[0], 2],
        [[1], 2],
        [[1], 3],
        [[1], 4],
        [[2], 2],
        [[3, 4], 1],
      ]);
      expect(seen("failed").map(({ offset, attempt }) => [offset, attempt])).toEqual([
        [0, 1],
        [1, 2],
        [1, 3],
      ]);
      expect(stored()).toBe(5);
    });
  });

  test("E3: attempts start again after a move, and live on in a continued lease", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, retry: RETRY };
    await withRig({ topic }, async ({ send, pass, memory }) => {
      await send(["a"]);
      calls.at(0).fail();
      await pass(100);
      calls.at(0).fail();
      await pass(200);
      expect(calls.at(0).context.attempt).toBe(3);
      calls.at(0).fail();
      await memory.revoke(WHERE, { keep: WHERE });
      await pass(400);
      expect(calls.at(0).context.attempt).toBe(4);
      calls.at(0).fail();
      await pass();
      await memory.revoke(WHERE);
      await memory.assign(WHERE);
      await pass(100);
      expect(calls.at(0).context.attempt).toBe(1);
      calls.finishAll();
      await pass(100);
    });
  });

  test("E4: isolate: only the failing virtual partition waits; context.failing is true for others", async () => {
    const failing: boolean[] = [];
    const topic = {
      onError: "isolate" as const,
      retry: { backoffMs: 60_000, maxBackoffMs: 60_000 },
      virtualPartitions: {
        maxPartitions: 2,
        reducer: (key: unknown) => (key as Uint8Array)[0]! % 2,
      },
      eachMessage: (message: Message, context: MessageContext) => {
        if (message.keyText() === "0") throw new Error("planned");
        failing.push(context.failing);
      },
    };
    await withRig({ topic }, async ({ send }) => {
      await send(["1", "0", "0", "1"]);
      await send(["1", "1"]);
      expect(failing.length).toBe(4);
      expect(failing.at(-1)).toBe(true);
    });
  });

  test("E5: back-off is backoffMs × multiplier^(attempt−1), capped; a waiting retry holds no slot", async () => {
    const at: number[] = [];
    const others: number[] = [];
    const topic = {
      onError: "isolate" as const,
      retry: RETRY,
      virtualPartitions: {
        maxPartitions: 2,
        reducer: (key: unknown) => (key as Uint8Array)[0]! % 2,
      },
      eachMessage: (message: Message) => {
        if (message.keyText() === "1") return void others.push(message.offset);
        at.push(now());
        throw new Error("planned");
      },
    };
    let now = (): number => 0;
    await withRig({ topic, consumer: { concurrency: 1 } }, async ({ send, pass, clock }) => {
      now = () => clock.now();
      await send(["0", "1", "1"]);
      expect(others).toEqual([1, 2]);
      await pass(100 + 200 + 350 + 350);
      expect(at).toEqual([0, 100, 300, 650, 1000]);
    });
  });

  test("E5: jitter shortens a wait by its share at most; retries never end and nothing is skipped", async () => {
    const at: number[] = [];
    const topic = {
      retry: { backoffMs: 100, maxBackoffMs: 100, jitter: 0.5 },
      eachMessage: (message: Message) => {
        if (message.offset > 0) throw new Error("never handled");
        at.push(now());
        throw new Error("planned");
      },
    };
    let now = (): number => 0;
    await withRig({ topic }, async ({ send, pass, clock, seen, stored }) => {
      now = () => clock.now();
      await send(["a", "a"]);
      await pass(50_000);
      expect(at.length).toBeGreaterThanOrEqual(500);
      for (let i = 1; i < at.length; i++) {
        const waited = at[i]! - at[i - 1]!;
        expect(waited).toBeGreaterThanOrEqual(50);
        expect(waited).toBeLessThanOrEqual(100);
      }
      expect(new Set(seen("failed").map((event) => event.offset))).toEqual(new Set([0]));
      expect(stored()).toBe(0);
    });
  });

  test("E7: attempts and back-off are per topic partition; other partitions go on", async () => {
    const handled: number[] = [];
    const topic = {
      retry: { backoffMs: 60_000, maxBackoffMs: 60_000 },
      eachMessage: (message: Message) => {
        if (message.partition === 0) throw new Error("planned");
        handled.push(message.offset);
      },
    };
    const memory = { topics: { [TOPIC]: 2 } };
    await withRig({ topic, memory }, async ({ send }) => {
      await send(["a"], 0);
      await send(["a", "b"], 1);
      expect(handled).toEqual([0, 1]);
    });
  });

  test("E9: a throw while draining is abandoned: no attempt, what was marked stays, the rest goes back", async () => {
    const calls = new Calls();
    const topic = { eachBatch: calls.eachBatch, retry: RETRY };
    await withRig({ topic }, async ({ send, pass, memory, seen, stored, consumer }) => {
      await send(["a", "b", "c"]);
      const revoked = memory.revoke(WHERE);
      await pass();
      const call = calls.at(0);
      expect(call.context.draining).toBe(true);
      call.context.markAsConsumed(call.messages[0]);
      call.fail();
      await pass();
      await revoked;
      expect(stored()).toBe(1);
      expect(seen("failed")).toEqual([]);
      expect(consumer.stats().failed).toBe(0);
      await memory.assign(WHERE);
      await pass();
      expect(calls.open).toEqual([1, 2]);
      expect(calls.at(1).context.attempt).toBe(1);
      calls.finishAll();
      await pass(100);
    });
  });

  test("E9: a throw after the lease was lost changes nothing", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, retry: RETRY };
    await withRig({ topic }, async ({ send, pass, memory, seen }) => {
      await send(["a"]);
      await memory.lose(WHERE);
      calls.at(0).fail();
      await pass(1000);
      expect(seen("failed")).toEqual([]);
      expect(calls.started).toEqual([0]);
    });
  });

  test("E9: an abandoned call in a continued lease is handed over again, as a first attempt", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, retry: RETRY };
    await withRig({ topic }, async ({ send, pass, memory, seen, stored }) => {
      await send(["a", "b"]);
      const revoked = memory.revoke(WHERE, { keep: WHERE });
      await pass();
      calls.at(0).fail();
      await pass();
      await revoked;
      await pass();
      expect(calls.open).toEqual([0]);
      expect(calls.at(0).context.attempt).toBe(1);
      expect(seen("failed")).toEqual([]);
      calls.finishAll();
      await pass();
      calls.finishAll();
      await pass(100);
      expect(stored()).toBe(2);
    });
  });
});
