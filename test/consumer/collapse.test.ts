import { describe, expect, test } from "bun:test";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { Calls, laneByKey, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const RETRY = { backoffMs: 100, multiplier: 2, maxBackoffMs: 10_000, jitter: 0 };

/** Calls under control, on four lanes that the keys name. */
function fourLanes(calls: Calls) {
  return { eachMessage: calls.eachMessage, retry: RETRY, virtualPartitions: laneByKey(4) };
}

describe("collapse after an error", () => {
  test("E2: no call starts, running calls end normally, and context.failing is true for them", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "1", "1", "2"]);
      expect(calls.open).toEqual([0, 1, 3]);
      const { context } = calls.at(1);
      expect([context.failing, context.collapsed]).toEqual([false, false]);
      calls.at(0).fail();
      await pass();
      expect([context.failing, context.collapsed]).toEqual([true, false]);
      expect(consumer.explain()[0]?.reason).toBe("collapsed");
      await send(["3"]);
      calls.finish(1);
      await pass(60_000);
      expect(calls.open).toEqual([3]);
      expect(seen("collapsed")).toEqual([]);
      expect(consumer.stats().partitions[0]?.collapsedUntil).toBeNull();
      calls.finish(3);
      await pass();
      expect(seen("collapsed")).toEqual([{ topic: TOPIC, partition: 0, until: 4 }]);
      expect(consumer.explain()[0]?.reason).toBe("back-off");
    });
  });

  test("E2: the window ends one past the highest offset whose call had started, ended well or not", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "1", "2", "3", "3", "3", "0"]);
      calls.finish(3);
      await pass();
      calls.finish(4);
      await pass();
      calls.finish(5);
      await pass();
      expect(calls.open).toEqual([0, 1, 2]);
      calls.at(1).fail();
      calls.finish(0, 2);
      await pass();
      // 6 had started: its lane was free once 0 had ended, had the failure not come first.
      expect(seen("collapsed")).toEqual([{ topic: TOPIC, partition: 0, until: 6 }]);
      expect(consumer.stats().partitions[0]).toMatchObject({ collapsedUntil: 6, committable: 1 });
    });
  });

  test("E2: the messages of running batch calls are in the window, to their last one", async () => {
    const calls = new Calls();
    const topic = {
      eachBatch: calls.eachBatch,
      retry: RETRY,
      maxMessages: 3,
      virtualPartitions: laneByKey(4),
    };
    await withRig({ topic }, async ({ send, pass, seen }) => {
      await send(["0", "1", "1", "1", "1", "2"]);
      expect(calls.running.map(({ offsets }) => offsets)).toEqual([[0], [1, 2, 3], [5]]);
      calls.at(0).fail();
      calls.finish(5);
      calls.at(1).fail();
      await pass();
      expect(seen("collapsed")).toEqual([{ topic: TOPIC, partition: 0, until: 6 }]);
      await pass(100);
      const order: number[][] = [];
      while (calls.running.length > 0) {
        order.push(...calls.running.map(({ offsets }) => [...offsets]));
        calls.finishAll();
        await pass();
      }
      expect(order).toEqual([[0], [1], [2], [3], [4]]);
    });
  });

  test("E2: back-off, then what is not marked is handled in offset order, one call at a time", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, stored }) => {
      await send(["0", "1", "2", "3", "0", "1", "2", "3"]);
      calls.finish(3);
      await pass();
      expect(calls.open).toEqual([0, 1, 2, 7]);
      calls.at(2).fail();
      calls.finish(7, 0);
      calls.at(1).fail();
      await pass(99);
      expect(calls.open).toEqual([]);
      await pass(1);
      const order: number[] = [];
      while (calls.running.length > 0) {
        expect(calls.running).toHaveLength(1);
        expect(calls.running[0]?.context.collapsed).toBe(true);
        order.push(...calls.open);
        expect(seen("expanded")).toEqual([]);
        calls.finishAll();
        await pass();
      }
      expect(order).toEqual([1, 2, 4, 5, 6]);
      expect(seen("expanded")).toEqual([{ topic: TOPIC, partition: 0 }]);
      await pass(100);
      expect(stored()).toBe(8);
    });
  });

  test("E2: queued messages above the window wait, and run in parallel afterwards", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "0", "1"]);
      calls.finish(2);
      calls.at(0).fail();
      await send(["0", "1", "2", "3"]);
      await pass(100);
      expect(seen("collapsed")).toEqual([{ topic: TOPIC, partition: 0, until: 3 }]);
      expect(calls.open).toEqual([0]);
      expect(consumer.explain()[0]?.reason).toBe("collapsed");
      calls.finish(0);
      await pass();
      expect(calls.open).toEqual([1]);
      calls.finish(1);
      await pass();
      expect(calls.open).toEqual([3, 4, 5, 6]);
      expect(seen("expanded")).toHaveLength(1);
      expect(consumer.stats().partitions[0]?.collapsedUntil).toBeNull();
      expect(calls.at(3).context.collapsed).toBe(false);
    });
  });

  test("E2: it ends without another message, also when holes follow the window", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, memory }) => {
      await send(["0", "1"]);
      memory.skip(TOPIC, 0, 5);
      calls.at(0).fail();
      calls.finish(1);
      await pass(100);
      calls.finish(0);
      await pass();
      expect(seen("expanded")).toHaveLength(1);
    });
  });

  test("E2: a failure inside the window extends it by nothing", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "1"]);
      calls.at(0).fail();
      calls.finish(1);
      await pass(100);
      await send(["2", "3"]);
      calls.at(0).fail();
      await pass();
      expect(consumer.stats().partitions[0]?.collapsedUntil).toBe(2);
      expect(consumer.explain()[0]?.reason).toBe("back-off");
      await pass(200);
      calls.finish(0);
      await pass();
      expect(seen("collapsed")).toHaveLength(1);
      expect(seen("failed").map(({ attempt, collapsed }) => [attempt, collapsed])).toEqual([
        [1, false],
        [2, true],
      ]);
      expect(calls.open).toEqual([2, 3]);
    });
  });

  test("E2: a later failure collapses anew, and its window covers what had started before", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0", "1"]);
      calls.at(0).fail();
      calls.finish(1);
      await pass(100);
      calls.finish(0);
      await send(["0", "1", "2"]);
      calls.at(3).fail();
      calls.finish(2, 4);
      await pass();
      expect(seen("collapsed").map(({ until }) => until)).toEqual([2, 5]);
    });
  });

  test("E2: a call that marked everything and threw leaves nothing to handle", async () => {
    const handled: number[] = [];
    const topic = {
      retry: RETRY,
      eachBatch: (batch: Batch) => {
        handled.push(batch.firstOffset);
        batch.markAsConsumed();
        throw new Error("after the mark");
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a", "b"]);
      await pass(1000);
      expect(handled).toEqual([0]);
      expect(seen("expanded")).toHaveLength(1);
      expect(stored()).toBe(2);
    });
  });

  test("E2, E5: lanes that fail at the same time are one attempt and one back-off", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0", "1", "2"]);
      for (const offset of [2, 0, 1]) calls.at(offset).fail();
      await pass(99);
      expect(calls.open).toEqual([]);
      await pass(1);
      expect(calls.open).toEqual([0]);
      expect(seen("failed").map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
      expect(seen("collapsed")).toHaveLength(1);
      calls.finish(0);
      await pass();
      expect(calls.at(1).context.attempt).toBe(2);
    });
  });

  test("E3: attempt counts the failed calls with the first message, in calls of one and of many", async () => {
    const attempts: [number[], number][] = [];
    const failures = new Map([
      [0, 3],
      [4, 2],
    ]);
    const topic = {
      maxMessages: 2,
      retry: RETRY,
      eachBatch: (batch: Batch) => {
        attempts.push([batch.messages.map(({ offset }) => offset), batch.attempt]);
        for (const { offset } of batch.messages) {
          const left = failures.get(offset) ?? 0;
          failures.set(offset, left - 1);
          if (left > 0) throw new Error("planned");
        }
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a", "b", "c", "d", "e", "f"]);
      await pass(10_000);
      expect(attempts).toEqual([
        [[0, 1], 1],
        [[0], 2],
        [[0], 3],
        [[0], 4],
        [[1], 2],
        [[2, 3], 1],
        [[4, 5], 1],
        [[4], 2],
        [[4], 3],
        [[5], 2],
      ]);
      expect(seen("collapsed").map(({ until }) => until)).toEqual([2, 6]);
      expect(stored()).toBe(6);
    });
  });

  test("E5: back-off grows with the attempt, and a collapsed retry holds no slot", async () => {
    const at: number[] = [];
    const others: number[] = [];
    let now = (): number => 0;
    const topic = {
      retry: { ...RETRY, maxBackoffMs: 350 },
      eachMessage: (message: Message) => {
        if (message.partition === 1) return void others.push(message.offset);
        at.push(now());
        throw new Error("planned");
      },
    };
    const options = { topic, memory: { topics: { [TOPIC]: 2 } }, consumer: { concurrency: 1 } };
    await withRig(options, async ({ send, pass, clock }) => {
      now = () => clock.now();
      await send(["a"], 0);
      await send(["a", "b"], 1);
      expect(others).toEqual([0, 1]);
      await pass(1000);
      expect(at).toEqual([0, 100, 300, 650, 1000]);
    });
  });

  test("E7: a collapse is per topic partition", async () => {
    const calls = new Calls();
    const memory = { topics: { [TOPIC]: 2 } };
    await withRig({ topic: fourLanes(calls), memory }, async ({ send, pass, consumer }) => {
      await send(["0"], 0);
      calls.at(0).fail();
      await pass();
      await send(["0", "1", "2"], 1);
      expect(calls.open).toEqual([0, 1, 2]);
      expect(calls.at(0).context.failing).toBe(false);
      const stats = consumer.stats().partitions.map(({ collapsedUntil }) => collapsedUntil);
      expect(stats).toEqual([1, null]);
    });
  });

  test("C1: a collapsed batch call is a run of consecutive messages of one virtual partition", async () => {
    const runs: [number, number[]][] = [];
    let broken = true;
    const topic = {
      maxMessages: 3,
      retry: RETRY,
      virtualPartitions: laneByKey(4),
      consumer: ({ virtualPartition }: { virtualPartition: number }) => ({
        consume: async (batch: Batch) => {
          if (batch.collapsed) runs.push([virtualPartition, batch.messages.map((m) => m.offset)]);
          expect(batch.virtualPartition).toBe(virtualPartition);
          if (batch.firstOffset !== 0 || !broken) return;
          broken = false;
          throw new Error("planned");
        },
      }),
    };
    await withRig({ topic, consumer: { concurrency: 1 } }, async ({ send, pass, seen }) => {
      await send(["0"]);
      await send(["1", "1", "2", "1", "1", "1", "1", "3", "3"]);
      await pass(100);
      // Only 0 had started.
      expect(seen("collapsed").map(({ until }) => until)).toEqual([1]);
      expect(runs).toEqual([[0, [0]]]);
    });
    runs.length = 0;
    broken = true;
    const wider = { ...topic, maxMessages: 4 };
    await withRig({ topic: wider, consumer: { concurrency: 1 } }, async ({ send, pass }) => {
      await send(["1", "1", "2", "1", "1", "1", "1", "1", "3", "3", "0"]);
      await pass(100);
      // 0, 1, 3 and 4 failed together and come one by one (Q1); 2 stands between them.
      expect(runs).toEqual([
        [1, [0]],
        [1, [1]],
        [2, [2]],
        [1, [3]],
        [1, [4]],
      ]);
    });
  });

  test("C1, E6: runs of one lane are cut at the next message of another lane and at the window's end", async () => {
    const runs: number[][] = [];
    const topic = {
      maxMessages: 3,
      retry: RETRY,
      virtualPartitions: laneByKey(4),
      eachBatch: async (batch: Batch) => {
        if (batch.collapsed) runs.push(batch.messages.map(({ offset }) => offset));
        if (batch.firstOffset === 0) batch.collapseUntil(11);
      },
    };
    await withRig({ topic, consumer: { concurrency: 1 } }, async ({ send, seen }) => {
      await send(["0"]);
      await send(["1", "1", "2", "1", "1", "1", "1", "3", "3", "0", "0", "0"]);
      expect(runs).toEqual([[1, 2], [3], [4, 5, 6], [7], [8, 9], [10, 11]]);
      expect(seen("expanded")).toHaveLength(1);
    });
  });

  test("P2: an ordered run meets a collapse: order, retry and the next batch are right", async () => {
    const handled: number[] = [];
    let broken = true;
    const topic = {
      retry: RETRY,
      virtualPartitions: {
        maxPartitions: 4,
        partitioner: (message: Message) => {
          if (message.keyText() === "x") throw new Error("no key");
          return message.keyText();
        },
      },
      eachMessage: async (message: Message) => {
        handled.push(message.offset);
        if (message.offset !== 3 || !broken) return;
        broken = false;
        throw new Error("planned");
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored, memory }) => {
      memory.deliver(TOPIC, 0, [{ key: "a" }, { key: "b" }]);
      memory.deliver(TOPIC, 0, [{ key: "c" }, { key: "d" }, { key: "x" }, { key: "e" }]);
      await send(["f", "g"]);
      expect(handled).toEqual([0, 1, 2, 3]);
      expect(seen("collapsed").map(({ until }) => until)).toEqual([4]);
      await pass(100);
      expect(handled).toEqual([0, 1, 2, 3, 3, 4, 5, 6, 7]);
      expect(seen("expanded")).toHaveLength(1);
      await pass(100);
      expect(stored()).toBe(8);
    });
  });

  for (const distribution of ["consistent", "balanced", "per-key"] as const) {
    test(`E2: with ${distribution} every key keeps its order through a collapse`, async () => {
      const ends: number[] = [];
      let failures = 3;
      const topic = {
        retry: RETRY,
        virtualPartitions: { maxPartitions: 4, distribution },
        eachMessage: async (message: Message, context: MessageContext) => {
          await Promise.resolve();
          if (message.offset === 5 && failures-- > 0) throw new Error("planned");
          ends.push(message.offset);
          expect(context.attempt).toBe(message.offset === 5 ? 4 : 1);
        },
      };
      await withRig({ topic }, async ({ send, pass, stored, seen }) => {
        const keys = ["a", "b", "a", "c", "d", "a", "b", "e", "a", "f"];
        await send(keys);
        await send(keys);
        await pass(2000);
        expect(seen("collapsed")).toHaveLength(1);
        expect(seen("expanded")).toHaveLength(1);
        for (const key of new Set(keys)) {
          const of = ends.filter((offset) => keys[offset % 10] === key);
          expect(of).toEqual([...of].sort((a, b) => a - b));
        }
        expect(stored()).toBe(20);
      });
    });
  }
});

describe("collapse and the lease", () => {
  test("R3: a collapse goes on in a continued lease, its back-off at once, with its attempts", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, memory, consumer }) => {
      await send(["0", "1"]);
      calls.at(0).fail();
      calls.finish(1);
      await pass(10);
      await send(["2", "3"]);
      await memory.revoke(WHERE, {
        keep: WHERE,
        whileSuspended: () => expect(consumer.explain()[0]?.reason).toBe("suspended"),
      });
      await pass();
      expect(calls.open).toEqual([0]);
      expect(calls.at(0).context).toMatchObject({ attempt: 2, collapsed: true });
      expect(seen("collapsed")).toHaveLength(1);
      calls.finish(0);
      await pass();
      expect(calls.open).toEqual([2, 3]);
      await pass(60_000);
      expect(seen("expanded")).toHaveLength(1);
    });
  });

  test("R3, E2: a drain while running calls are waited for sets the window, and the lease goes on collapsed", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, memory }) => {
      await send(["0", "1", "1"]);
      calls.at(0).fail();
      await pass();
      const revoked = memory.revoke(WHERE, { keep: WHERE });
      await pass();
      calls.finish(1);
      await pass();
      await revoked;
      await pass();
      expect(seen("collapsed")).toEqual([{ topic: TOPIC, partition: 0, until: 2 }]);
      expect(calls.open).toEqual([0]);
      calls.finish(0);
      await pass();
      expect(seen("expanded")).toHaveLength(1);
      expect(calls.open).toEqual([2]);
    });
  });

  test("E9: a throw in a collapsed call while draining is abandoned, and comes again as the same attempt", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, memory, consumer }) => {
      await send(["0", "1"]);
      calls.at(0).fail();
      calls.at(1).fail();
      await pass(100);
      const revoked = memory.revoke(WHERE, { keep: WHERE });
      await pass();
      calls.at(0).fail();
      await pass();
      await revoked;
      await pass();
      expect(seen("failed")).toHaveLength(2);
      expect(consumer.stats().failed).toBe(2);
      expect(calls.at(0).context).toMatchObject({ attempt: 2, collapsed: true });
      calls.finish(0);
      await pass();
      expect(calls.open).toEqual([1]);
    });
  });

  test("R2, C2: another lease begins without the collapse and its attempts", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, memory, consumer, seen }) => {
      await send(["0", "1"]);
      calls.at(0).fail();
      calls.at(1).fail();
      await pass();
      await memory.revoke(WHERE);
      await memory.assign(WHERE);
      await pass();
      expect(calls.open).toEqual([0, 1]);
      expect(calls.at(0).context).toMatchObject({ attempt: 1, collapsed: false });
      expect(consumer.stats().partitions[0]?.collapsedUntil).toBeNull();
      await pass(60_000);
      expect(seen("expanded")).toEqual([]);
    });
  });

  for (const phase of ["gathering", "back-off", "ordered"]) {
    test(`R11: a seek during a collapse (${phase}) begins anew, in parallel`, async () => {
      const calls = new Calls();
      await withRig({ topic: fourLanes(calls) }, async ({ send, pass, consumer, memory }) => {
        await send(["0", "1", "2"]);
        calls.at(0).fail();
        await pass();
        if (phase !== "gathering") calls.finish(1, 2);
        await pass(phase === "ordered" ? 100 : 0);
        memory.deliver(TOPIC, 0, [{ key: "3" }, { key: "3" }]);
        await consumer.seek({ topic: TOPIC, partition: 0 }, 3);
        await pass();
        expect(calls.open).toContain(3);
        expect(calls.at(3).context).toMatchObject({ attempt: 1, collapsed: false });
        expect(consumer.stats().partitions[0]?.collapsedUntil).toBeNull();
        calls.finishAll();
        await pass();
        calls.finishAll();
        await pass(60_000);
        expect(calls.started.filter((offset) => offset === 0)).toHaveLength(
          phase === "ordered" ? 2 : 1,
        );
      });
    });
  }

  test("R4: close() does not wait for a collapse that is only backing off", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, consumer, clock }) => {
      await send(["0", "1"]);
      calls.at(0).fail();
      calls.finish(1);
      await pass();
      const before = clock.now();
      const closed = consumer.close();
      await pass();
      expect(await closed).toMatchObject({ drained: 0, abandoned: 0, uncommitted: [] });
      expect(clock.now()).toBe(before);
      expect(clock.pendingTimers()).toBe(0);
    });
  });
});
