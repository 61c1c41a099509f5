import { describe, expect, test } from "bun:test";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { Calls, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];

/** Keeps everything that the handler got; marks nothing. */
function keeper(): { seen: Map<number, [Message, MessageContext]>; handler: typeof note } {
  const seen = new Map<number, [Message, MessageContext]>();
  const note = (message: Message, context: MessageContext): void => {
    seen.set(message.offset, [message, context]);
  };
  return { seen, handler: note };
}

describe("manual acknowledgement", () => {
  test("O9: a call that returns without marking is done, holds the commit and comes again only later", async () => {
    const { seen, handler } = keeper();
    const topic = { acknowledge: "manual" as const, eachMessage: handler };
    await withRig({ topic }, async ({ send, pass, consumer, stored, memory }) => {
      await send(["a", "b", "c"]);
      await pass(5000);
      expect(seen.size).toBe(3);
      expect(stored()).toBe(0);
      expect(consumer.stats().partitions[0]).toMatchObject({
        unacknowledged: 3,
        inFlight: 0,
        queued: 0,
        committable: 0,
      });
      const [message, context] = seen.get(1)!;
      expect(context.markAsConsumed(message)).toBe(true);
      await pass(2000);
      expect(stored()).toBe(2);
      expect(consumer.stats().partitions[0]?.unacknowledged).toBe(1);
      seen.clear();
      await memory.revoke(WHERE);
      await memory.assign(WHERE);
      await pass(100);
      expect([...seen.keys()]).toEqual([2]);
    });
  });

  test("O2: marking is collective inside one virtual partition, and not beyond it", async () => {
    const { seen, handler } = keeper();
    const topic = {
      acknowledge: "manual" as const,
      eachMessage: handler,
      virtualPartitions: {
        maxPartitions: 2,
        reducer: (key: unknown) => (key as Uint8Array)[0]! % 2,
      },
    };
    await withRig({ topic }, async ({ send, consumer }) => {
      await send(["0", "1", "0"]);
      await send(["1", "0", "0"]);
      const at = (offset: number): boolean => {
        const [message, context] = seen.get(offset)!;
        return context.markAsConsumed(message);
      };
      const state = (): unknown => {
        const { committable, unacknowledged } = consumer.stats().partitions[0]!;
        return { committable, unacknowledged };
      };
      expect(at(4)).toBe(true);
      expect(state()).toEqual({ committable: 1, unacknowledged: 3 });
      expect(at(1)).toBe(true);
      expect(state()).toEqual({ committable: 3, unacknowledged: 2 });
      expect(at(0)).toBe(true);
      expect(state()).toEqual({ committable: 3, unacknowledged: 2 });
      expect(at(3)).toBe(true);
      expect(state()).toEqual({ committable: 5, unacknowledged: 1 });
      expect(at(5)).toBe(true);
      expect(state()).toEqual({ committable: 6, unacknowledged: 0 });
    });
  });

  test("O2: with per-key the same key counts, whatever slot it ran in", async () => {
    const { seen, handler } = keeper();
    const topic = {
      acknowledge: "manual" as const,
      eachMessage: handler,
      virtualPartitions: { maxPartitions: 1, distribution: "per-key" as const },
    };
    await withRig({ topic }, async ({ send, consumer }) => {
      await send(["a", "b", "a", "b"]);
      const [message, context] = seen.get(2)!;
      expect(context.virtualPartition).toBe(0);
      expect(context.markAsConsumed(message)).toBe(true);
      expect(consumer.stats().partitions[0]).toMatchObject({ committable: 1, unacknowledged: 2 });
    });
  });

  test("O2: inside a running batch call it marks up to that message; default is the last one", async () => {
    const calls = new Calls();
    const topic = { acknowledge: "manual" as const, eachBatch: calls.eachBatch };
    await withRig({ topic }, async ({ send, pass, consumer }) => {
      const committable = (): number | undefined => consumer.stats().partitions[0]?.committable;
      await send(["a", "b", "c", "d"]);
      const { context, messages } = calls.at(0);
      expect(context.markAsConsumed(messages[1])).toBe(true);
      expect(committable()).toBe(2);
      expect(context.markAsConsumed(messages[0])).toBe(true);
      expect(committable()).toBe(2);
      expect(context.markAsConsumed()).toBe(true);
      expect(committable()).toBe(4);
      calls.finishAll();
      await pass();
      expect(consumer.stats().partitions[0]?.unacknowledged).toBe(0);
    });
  });

  test("O2: a detached copy marks like its original", async () => {
    const { seen, handler } = keeper();
    const topic = { acknowledge: "manual" as const, eachMessage: handler };
    await withRig({ topic }, async ({ send, consumer }) => {
      await send(["a", "b", "c"]);
      const [message, context] = seen.get(1)!;
      expect(context.markAsConsumed(message.detach())).toBe(true);
      expect(consumer.stats().partitions[0]).toMatchObject({ committable: 2, unacknowledged: 1 });
    });
  });

  test("O2: messages of an earlier, failed batch call are marked along", async () => {
    let first: Batch | undefined;
    const attempts: number[][] = [];
    const topic = {
      retry: { backoffMs: 1000, jitter: 0 },
      eachBatch: (batch: Batch) => {
        attempts.push(batch.messages.map((message) => message.offset));
        if (first !== undefined) return;
        first = batch;
        throw new Error("planned");
      },
    };
    await withRig({ topic }, async ({ send, pass, consumer }) => {
      await send(["a", "b", "c"]);
      expect(first?.markAsConsumed(first.messages[1])).toBe(true);
      expect(consumer.stats().partitions[0]?.committable).toBe(2);
      await pass(1000);
      expect(attempts).toEqual([[0, 1, 2], [2]]);
    });
  });

  test("O8: marking after the lease ended returns false and changes nothing", async () => {
    const { seen, handler } = keeper();
    const topic = { acknowledge: "manual" as const, eachMessage: handler };
    await withRig({ topic }, async ({ send, pass, memory, stored, consumer }) => {
      await send(["a", "b"]);
      const [message, context] = seen.get(1)!;
      await memory.lose(WHERE);
      expect(context.markAsConsumed(message)).toBe(false);
      await memory.assign(WHERE);
      await pass(100);
      expect(context.markAsConsumed(message)).toBe(false);
      await pass(3000);
      expect(stored()).toBe(0);
      expect(consumer.stats().partitions[0]?.committable).toBe(0);
    });
  });

  test("O8: a message of another consumer or an object of one's own is refused", async () => {
    const errors: unknown[] = [];
    const topic = {
      eachMessage: (_: Message, context: MessageContext) => {
        try {
          context.markAsConsumed({ offset: 1 } as Message);
        } catch (error) {
          errors.push(error);
        }
      },
    };
    await withRig({ topic }, async ({ send }) => {
      await send(["a"]);
      expect(errors[0]).toBeInstanceOf(TypeError);
    });
  });

  test("O9: on error the resume point is the first unmarked message of the failing call", async () => {
    const attempts: [number[], number][] = [];
    const topic = {
      acknowledge: "manual" as const,
      retry: { backoffMs: 10, jitter: 0 },
      eachBatch: (batch: Batch) => {
        attempts.push([batch.messages.map((message) => message.offset), batch.attempt]);
        if (attempts.length === 2) {
          batch.markAsConsumed(batch.messages[1]);
          throw new Error("planned");
        }
        if (attempts.length > 2) batch.markAsConsumed();
      },
    };
    await withRig({ topic }, async ({ send, pass, consumer }) => {
      await send(["a", "b"]);
      await send(["a", "b", "c", "d"]);
      await pass(100);
      expect(attempts).toEqual([
        [[0, 1], 1],
        [[2, 3, 4, 5], 1],
        [[4], 2],
        [[5], 2],
      ]);
      // Collective marking: the unacknowledged 0 and 1 were handed to the same lane earlier.
      expect(consumer.stats().partitions[0]?.committable).toBe(6);
    });
  });

  test("O9: unacknowledged messages cost no budget; above maxUnmarkedMessages nothing new starts", async () => {
    const { seen, handler } = keeper();
    const topic = { acknowledge: "manual" as const, eachMessage: handler, maxMessages: 1 };
    const consumer = { maxInFlightMessages: 2, maxUnmarkedMessages: 10 };
    await withRig({ topic, consumer }, async ({ send, pass, consumer }) => {
      for (let i = 0; i < 14; i++) await send(["a"]);
      await pass(200);
      expect(seen.size).toBe(10);
      expect(consumer.explain()).toMatchObject([{ reason: "unacknowledged", offset: 0 }]);
      const [message, context] = seen.get(4)!;
      context.markAsConsumed(message);
      await pass(200);
      expect(seen.size).toBe(14);
      expect(consumer.explain()[0]?.reason).not.toBe("unacknowledged");
    });
  });
});

test("O2: with automatic acknowledgement a mark inside a call counts at once", async () => {
  const calls = new Calls();
  const topic = { eachBatch: calls.eachBatch, retry: { backoffMs: 10, jitter: 0 } };
  await withRig({ topic }, async ({ send, pass, consumer, stored }) => {
    await send(["a", "b", "c"]);
    const call = calls.at(0);
    expect(call.context.markAsConsumed(call.messages[1])).toBe(true);
    expect(consumer.stats().partitions[0]?.committable).toBe(2);
    await pass(1000);
    expect(stored()).toBe(2);
    call.fail();
    await pass(20);
    expect(calls.open).toEqual([2]);
    calls.finishAll();
    await pass(100);
    expect(stored()).toBe(3);
    expect(calls.started).toEqual([0, 1, 2, 2]);
  });
});
