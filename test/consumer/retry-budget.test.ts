import { describe, expect, test } from "bun:test";
import { Redeliver } from "../../src/errors.ts";
import type { DeadLetterQueueOptions } from "../../src/options.ts";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { DEAD, HeldSink, poisonous } from "./held-sink.ts";
import { laneByKey, withRig } from "./rig.ts";

const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };

const count = (offsets: readonly number[], offset: number): number =>
  offsets.filter((one) => one === offset).length;

/** A topic with manual acknowledgement: what a key says is done in the attempts with these numbers. */
function manual(queue: Partial<DeadLetterQueueOptions>, more: object = {}) {
  const handled: number[] = [];
  const topic = {
    retry: RETRY,
    acknowledge: "manual" as const,
    virtualPartitions: laneByKey(4),
    deadLetterQueue: { topic: DEAD, maxRetries: 2, ...queue },
    // "0f1m": lane 0, the first attempt fails, later ones mark.
    eachMessage: async (message: Message, context: MessageContext) => {
      handled.push(message.offset);
      const key = message.keyText() ?? "";
      const failures = Number(/f(\d+)/.exec(key)?.[1] ?? 0);
      if (context.attempt <= failures) throw new Error("planned");
      if (key.endsWith("m")) context.markAsConsumed();
    },
    ...more,
  };
  return { handled, topic };
}

describe("retry budget with collapse", () => {
  test("Q5: it is the partition's: a dispatch makes it whole, so the next culprit has all of it", async () => {
    const sink = new HeldSink();
    const { handled, topic } = poisonous({ maxRetries: 2 });
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["0x", "1x"]);
      await pass(5000);
      // 1 failed in parallel with 0, which was one failure; the dispatch of 0 reset it; three more.
      expect([count(handled, 0), count(handled, 1)]).toEqual([3, 4]);
      expect(stored()).toBe(2);
    });
  });

  test("Q5: independent: each message has its own", async () => {
    const sink = new HeldSink();
    const { handled, topic } = poisonous({ maxRetries: 2, independent: true });
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["0x", "1x"]);
      await pass(5000);
      expect([count(handled, 0), count(handled, 1)]).toEqual([3, 3]);
      expect(stored()).toBe(2);
    });
  });

  test("Q5: a mark by a call that had started before the failure resets nothing", async () => {
    const sink = new HeldSink();
    const handled: number[] = [];
    const topic = {
      retry: RETRY,
      deadLetterQueue: { topic: DEAD, maxRetries: 1 },
      eachBatch: async (batch: Batch) => {
        handled.push(...batch.messages.map(({ offset }) => offset));
        if (batch.firstOffset > 1) return;
        if (batch.firstOffset === 0) batch.markAsConsumed(batch.messages[0]);
        throw new Error("behind the mark");
      },
    };
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["a", "b", "c"]);
      await pass(5000);
      // 0 is not handed over again, and that it was marked in the failed call is no progress.
      expect(handled).toEqual([0, 1, 2, 1, 2]);
      expect(sink.sentOffsets).toEqual([1]);
      expect(stored()).toBe(3);
    });
  });

  test("Q5: a success that began before the failure resets nothing", async () => {
    const sink = new HeldSink();
    const ends: (() => void)[] = [];
    const { handled, topic } = poisonous({ maxRetries: 1 });
    const slow = {
      ...topic,
      eachMessage: async (message: Message) => {
        handled.push(message.offset);
        if (message.keyText() === "1") await new Promise<void>((resolve) => ends.push(resolve));
        if (message.keyText() === "0x") throw new Error("poison");
      },
    };
    await withRig(sink.rig(slow), async ({ send, pass }) => {
      await send(["0x", "1"]);
      ends[0]?.();
      await pass(100);
      expect(handled).toEqual([0, 1, 0]);
      expect(sink.sentOffsets).toEqual([0]);
    });
  });

  test("Q5: a success inside the collapse resets it", async () => {
    const sink = new HeldSink();
    const { handled, topic } = poisonous({ maxRetries: 1 });
    await withRig(sink.rig(topic), async ({ send, pass }) => {
      // 0 is handled again, and well, before 1 is: its lane failed as a whole batch would.
      await send(["0", "1x"]);
      await pass(5000);
      expect([count(handled, 0), count(handled, 1)]).toEqual([1, 2]);
    });
    const batches = new HeldSink();
    const calls: number[][] = [];
    const batchTopic = {
      retry: RETRY,
      deadLetterQueue: { topic: DEAD, maxRetries: 1 },
      eachBatch: async (batch: Batch) => {
        calls.push(batch.messages.map(({ offset }) => offset));
        if (batch.messages.some((message) => message.keyText() === "x")) throw new Error("x");
      },
    };
    await withRig(batches.rig(batchTopic), async ({ send, pass }) => {
      await send(["a", "x"]);
      await pass(5000);
      expect(calls).toEqual([[0, 1], [0], [1], [1]]);
    });
  });

  test("Q5: manual: an end without a mark resets nothing, a mark does", async () => {
    for (const [key, attempts] of [
      ["0f1", 2],
      ["0f1m", 4],
    ] as const) {
      const sink = new HeldSink();
      const { handled, topic } = manual({ maxRetries: 2 });
      await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
        await send([key, "1f9"]);
        await pass(5000);
        // One failure together. 0 ends well; 1 has two failures left of the budget, or all three.
        expect([count(handled, 0), count(handled, 1)]).toEqual([2, attempts === 2 ? 3 : 4]);
        expect(sink.sentOffsets).toEqual([1]);
        expect(stored()).toBe(key === "0f1m" ? 2 : 0);
      });
    }
  });

  test("Q5: marking what is marked already resets nothing", async () => {
    for (const onError of ["collapse", "isolate"] as const) {
      const sink = new HeldSink();
      let first: Message | undefined;
      let attempts = 0;
      const { topic } = poisonous({ maxRetries: 2 }, { onError });
      const marking = {
        ...topic,
        eachMessage: async (message: Message, context: MessageContext) => {
          first ??= message;
          context.markAsConsumed(first);
          if (message.offset !== 1) return;
          attempts++;
          throw new Error("poison");
        },
      };
      await withRig(sink.rig(marking), async ({ send, pass }) => {
        await send(["0", "0"]);
        await pass(5000);
        expect([attempts, sink.sentOffsets]).toEqual([3, [1]]);
      });
    }
  });

  test("E6: Redeliver counts no attempt and uses nothing of the budget", async () => {
    for (const onError of ["collapse", "isolate"] as const) {
      const sink = new HeldSink();
      const attempts: number[] = [];
      const { topic } = poisonous({ maxRetries: 1 }, { onError });
      const again = {
        ...topic,
        eachMessage: async (_: Message, context: MessageContext) => {
          attempts.push(context.attempt);
          if (attempts.length % 2 === 1) throw new Redeliver({ pauseMs: 10 });
          throw new Error("poison");
        },
      };
      await withRig(sink.rig(again), async ({ send, pass, consumer, seen }) => {
        await send(["0"]);
        await pass(5000);
        expect(attempts).toEqual([1, 1, 2, 2]);
        expect(consumer.stats().failed).toBe(2);
        expect(seen("deadLettered")).toHaveLength(1);
      });
    }
  });
});

describe("retry budget with isolate", () => {
  test("Q5: it is the virtual partition's: another one's marks do not reset it", async () => {
    const sink = new HeldSink();
    const { handled, topic } = poisonous({ maxRetries: 3 }, { onError: "isolate" });
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["0x", "0", "0x"]);
      for (let i = 0; i < 3; i++) {
        await send(["1", "2"]);
        await pass(100);
      }
      expect(sink.sentOffsets).toEqual([0]);
      expect(count(handled, 0)).toBe(4);
      await pass(5000);
      expect([count(handled, 1), count(handled, 2)]).toEqual([1, 4]);
      expect(stored()).toBe(9);
    });
  });

  test("Q5: marking a message of another virtual partition is no progress of one's own", async () => {
    const sink = new HeldSink();
    const others: Message[] = [];
    let attempts = 0;
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      acknowledge: "manual" as const,
      virtualPartitions: laneByKey(4),
      deadLetterQueue: { topic: DEAD, maxRetries: 2 },
      eachMessage: async (message: Message, context: MessageContext) => {
        if (message.keyText() === "1") return void others.push(message);
        attempts++;
        const other = others.shift();
        if (other !== undefined) expect(context.markAsConsumed(other)).toBe(true);
        throw new Error("poison");
      },
    };
    await withRig(sink.rig(topic), async ({ send, pass }) => {
      await send(["1", "1", "1", "1", "1", "0"]);
      await pass(5000);
      expect([attempts, sink.sentOffsets]).toEqual([3, [5]]);
    });
  });

  test("Q5: independent: each message has its own", async () => {
    const sink = new HeldSink();
    // Manual, and no marks: only the count per message can be full.
    const { handled, topic } = manual({ maxRetries: 2, independent: true }, { onError: "isolate" });
    await withRig(sink.rig(topic), async ({ send, pass }) => {
      await send(["0f2", "0f2", "0f9"]);
      await pass(5000);
      expect([0, 1, 2].map((offset) => count(handled, offset))).toEqual([3, 3, 3]);
      expect(sink.sentOffsets).toEqual([2]);
    });
  });

  test("Q5: manual: an end without a mark resets nothing, a mark does", async () => {
    for (const [key, attempts] of [
      ["0f2", 1],
      ["0f2m", 3],
    ] as const) {
      const sink = new HeldSink();
      const { handled, topic } = manual({ maxRetries: 2 }, { onError: "isolate" });
      await withRig(sink.rig(topic), async ({ send, pass }) => {
        await send([key, "0f9"]);
        await pass(5000);
        expect([count(handled, 0), count(handled, 1)]).toEqual([3, attempts]);
        expect(sink.sentOffsets).toEqual([1]);
      });
    }
  });

  test("Q5: manual: the budget of a virtual partition lives on when it has run empty", async () => {
    const sink = new HeldSink();
    const { handled, topic } = manual({ maxRetries: 2 }, { onError: "isolate" });
    await withRig(sink.rig(topic), async ({ send, pass }) => {
      await send(["0f2"]);
      await pass(1000);
      await send(["0"]);
      await send(["0f9"]);
      await pass(1000);
      expect([0, 1, 2].map((offset) => count(handled, offset))).toEqual([3, 1, 1]);
      expect(sink.sentOffsets).toEqual([2]);
    });
  });

  test("Q5, D3: with per-key each key has its own, also one that gets the lane of another", async () => {
    const sink = new HeldSink();
    const partitioner = (message: Message) => message.keyText()?.split(":")[0];
    const virtualPartitions = { maxPartitions: 4, distribution: "per-key" as const, partitioner };
    const { handled, topic } = manual({ maxRetries: 2 }, { onError: "isolate", virtualPartitions });
    await withRig(sink.rig(topic), async ({ send, pass }) => {
      await send(["a:f2"]);
      await pass(1000);
      // The lane is empty, and free for the next key.
      await send(["b:f9"]);
      await pass(1000);
      expect([0, 1].map((offset) => count(handled, offset))).toEqual([3, 3]);
      expect(sink.sentOffsets).toEqual([1]);
      // The lane is not empty when its first message has been retried.
      await send(["c:f2", "c:"]);
      await pass(1000);
      await send(["d:f9"]);
      await pass(1000);
      expect([2, 3, 4].map((offset) => count(handled, offset))).toEqual([3, 1, 3]);
    });
  });

  test("Q5: what a failed call had marked itself resets nothing, what comes after does", async () => {
    const sink = new HeldSink();
    const attempts = new Map<number, number>();
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      maxMessages: 2,
      deadLetterQueue: { topic: DEAD, maxRetries: 2 },
      eachBatch: async (batch: Batch) => {
        for (const { offset } of batch.messages) {
          attempts.set(offset, (attempts.get(offset) ?? 0) + 1);
        }
        if (batch.firstOffset === 0) {
          batch.markAsConsumed();
          throw new Error("after the mark of all");
        }
        if (batch.messages.some(({ offset }) => offset === 3)) throw new Error("poison");
      },
    };
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["a", "b"]);
      await send(["c", "d"]);
      await pass(5000);
      // [0, 1] failed (1), [2, 3] failed (2), 2 ended well: whole again; 3 failed three times.
      expect([...attempts]).toEqual([
        [0, 1],
        [1, 1],
        [2, 2],
        [3, 4],
      ]);
      expect(sink.sentOffsets).toEqual([3]);
      expect(stored()).toBe(4);
    });
  });
});
