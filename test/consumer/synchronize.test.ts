import { describe, expect, test } from "bun:test";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message, MessageContext } from "../../src/types.ts";
import { laneByKey, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };

/** A handler that holds the mutex until the test lets it go. */
function holding() {
  const inside: number[] = [];
  const ends: (() => void)[] = [];
  const results: unknown[] = [];
  const topic = {
    retry: RETRY,
    onError: "isolate" as const,
    virtualPartitions: laneByKey(4),
    eachMessage: async (message: Message, context: MessageContext) => {
      const result = await context.synchronize(async () => {
        inside.push(message.offset);
        await new Promise<void>((resolve) => ends.push(resolve));
        return message.offset * 10;
      });
      results.push(result);
    },
  };
  return { inside, ends, results, topic };
}

describe("context.synchronize()", () => {
  test("C4: one lane of a topic partition at a time, in the order of the calls; it gives back the result", async () => {
    const { inside, ends, results, topic } = holding();
    await withRig({ topic }, async ({ send, pass, stored }) => {
      await send(["0", "1", "2"]);
      expect(inside).toEqual([0]);
      ends.shift()?.();
      await pass();
      expect(inside).toEqual([0, 1]);
      expect(results).toEqual([0]);
      ends.shift()?.();
      await pass();
      ends.shift()?.();
      await pass(100);
      expect(inside).toEqual([0, 1, 2]);
      expect(results).toEqual([0, 10, 20]);
      expect(stored()).toBe(3);
    });
  });

  test("C4: partitions do not exclude one another", async () => {
    const { inside, ends, topic } = holding();
    const memory = { topics: { [TOPIC]: 2 } };
    await withRig({ topic, memory }, async ({ send, pass }) => {
      await send(["0", "1"], 0);
      await send(["0", "1"], 1);
      expect(inside).toEqual([0, 0]);
      while (ends.length > 0) {
        ends.shift()?.();
        await pass();
      }
      expect(inside).toEqual([0, 0, 1, 1]);
    });
  });

  test("C4: a call of an ended lease is still inside: the next owner in this process waits for it", async () => {
    const { inside, ends, topic } = holding();
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    const options = { topic, memory, clock: fakeClock(), consumer: { groupId: "two-consumers" } };
    await withRig(options, async ({ send, pass }) => {
      await withRig(options, async (second) => {
        await send(["0"]);
        await memory.lose(WHERE);
        await memory.assign(WHERE, 1);
        await send(["1"]);
        expect(second.consumer.stats().running).toBe(1);
        expect(inside).toEqual([0]);
        ends.shift()?.();
        await pass();
        expect(inside.slice(0, 2)).toEqual([0, 1]);
        while (ends.length > 0) {
          ends.shift()?.();
          await pass();
        }
        await pass(100);
        expect(second.stored()).toBe(2);
      });
    });
  });

  test("C4: what throws inside, also synchronously, rejects its own call and frees the next", async () => {
    const inside: number[] = [];
    let failing = true;
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      virtualPartitions: laneByKey(4),
      eachMessage: (message: Message, context: MessageContext) =>
        context.synchronize(() => {
          inside.push(message.offset);
          if (message.offset === 0 && failing) throw new Error("inside");
        }),
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["0", "1"]);
      expect(inside).toEqual([0, 1]);
      expect(seen("failed")).toMatchObject([{ offset: 0, error: { message: "inside" } }]);
      failing = false;
      await pass(200);
      expect(stored()).toBe(2);
    });
  });

  test("C4: marking inside it cannot deadlock, nor can a drain", async () => {
    const handled: number[] = [];
    const ends: (() => void)[] = [];
    const topic = {
      acknowledge: "manual" as const,
      virtualPartitions: laneByKey(4),
      eachMessage: (message: Message, context: MessageContext) =>
        context.synchronize(async () => {
          expect(context.markAsConsumed()).toBe(true);
          handled.push(message.offset);
          if (message.offset === 1) await new Promise<void>((resolve) => ends.push(resolve));
          expect(context.markAsConsumed(message)).toBe(true);
        }),
    };
    await withRig({ topic }, async ({ send, pass, memory, stored }) => {
      await send(["0", "1", "2", "3"]);
      expect(handled).toEqual([0, 1]);
      const revoked = memory.revoke([{ topic: TOPIC, partition: 0 }]);
      await pass(10);
      ends[0]?.();
      await pass();
      await revoked;
      expect(handled).toEqual([0, 1, 2, 3]);
      expect(stored()).toBe(4);
    });
  });

  test("C4: something else than a function is refused", async () => {
    const errors: unknown[] = [];
    const topic = {
      eachMessage: (_: Message, context: MessageContext) => {
        try {
          void context.synchronize(3 as never);
        } catch (error) {
          errors.push(error);
        }
      },
    };
    await withRig({ topic }, async ({ send }) => {
      await send(["a"]);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toBeInstanceOf(TypeError);
    });
  });
});
