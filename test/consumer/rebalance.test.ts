import { describe, expect, test } from "bun:test";
import { FencedError } from "../../src/errors.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Batch, Message, MessageContext, PartitionKey } from "../../src/types.ts";
import { Calls, keys, type Rig, type RigOptions, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const LANES = {
  virtualPartitions: {
    maxPartitions: 10,
    reducer: (key: PartitionKey) => Number(new TextDecoder().decode(key as Uint8Array)) % 10,
  },
};

/** Two members of one group over one memory source and one clock; the first gets everything. */
async function withTwo(
  options: RigOptions,
  body: (first: Rig, second: Rig) => Promise<void>,
): Promise<void> {
  const memory = memorySource({ topics: { [TOPIC]: 1 } });
  const clock = fakeClock();
  const groupId = `two-${groups++}`;
  const common = { ...options, memory, clock };
  const consumer = { groupId, ...options.consumer };
  await withRig({ ...common, consumer }, (first) =>
    withRig({ ...common, consumer }, (second) => body(first, second)),
  );
}
let groups = 0;

describe("revoke", () => {
  test("R2: no new call starts, running calls are waited for, marks are committed, inside the hook", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...LANES };
    await withRig({ topic }, async ({ send, pass, memory, stored, consumer, seen }) => {
      await send(["0", "1", "0"]);
      let revoked = false;
      void memory.revoke(WHERE).then(() => {
        revoked = true;
      });
      await pass(100);
      expect(calls.at(0).context.draining).toBe(true);
      expect(calls.at(0).context.signal.aborted).toBe(false);
      expect(consumer.explain()).toMatchObject([{ reason: "rebalancing" }]);
      calls.finish(0);
      await pass(100);
      expect(calls.open).toEqual([1]);
      expect(revoked).toBe(false);
      calls.finish(1);
      await pass();
      expect(revoked).toBe(true);
      expect(stored()).toBe(2);
      expect(calls.started).toEqual([0, 1]);
      expect(seen("revoked")).toEqual([{ topic: TOPIC, partition: 0, offset: 2 }]);
      expect(seen("drained")).toEqual([{ drained: 2, abandoned: 0 }]);
    });
  });

  test("R2: waits are not waited for: back-off, pause, maxWaitMs, queued messages", async () => {
    const topic = {
      retry: { backoffMs: 3_000_000, maxBackoffMs: 3_000_000 },
      eachMessage: () => {
        throw new Error("planned");
      },
    };
    await withRig({ topic }, async ({ send, memory, clock, consumer }) => {
      await send(["a", "b"]);
      consumer.pause();
      await memory.revoke(WHERE);
      expect(clock.now()).toBe(0);
    });
  });

  test("R2: after the deadline signal aborts, also one that is asked for only then", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...LANES };
    await withRig({ topic, consumer: { drainTimeoutMs: 3000 } }, async (rig) => {
      const { send, pass, memory } = rig;
      await send(["0", "1"]);
      const { signal } = calls.at(0).context;
      const revoked = memory.revoke(WHERE, {
        whileSuspended: () => {
          expect(calls.at(1).context.signal.aborted).toBe(true);
        },
      });
      await pass(2999);
      expect(signal.aborted).toBe(false);
      await pass(1);
      expect(signal.aborted).toBe(true);
      await revoked;
      expect(rig.seen("drained")).toEqual([{ drained: 0, abandoned: 2 }]);
      calls.finishAll();
      await pass(10);
      expect(rig.consumer.stats().droppedResults).toBe(2);
    });
  });

  test("R2: lost: signal aborts at once, nothing is committed", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...LANES };
    await withRig({ topic }, async ({ send, pass, memory, stored, seen, consumer }) => {
      await send(["0", "1"]);
      const { signal } = calls.at(1).context;
      calls.finish(0);
      await pass();
      await memory.lose(WHERE);
      expect(signal.aborted).toBe(true);
      expect(calls.at(1).context.draining).toBe(true);
      expect(calls.at(1).context.signal.aborted).toBe(true);
      await pass(5000);
      expect(stored()).toBe(0);
      expect(seen("lost")).toEqual([{ topic: TOPIC, partition: 0, offset: 1 }]);
      expect(consumer.explain()).toMatchObject([{ topic: TOPIC, reason: "not-assigned" }]);
      calls.finish(1);
      await pass();
      expect(consumer.stats().droppedResults).toBe(1);
    });
  });

  test("R3: a lease given back by the same join goes on: queue, attempts and late marks", async () => {
    const calls = new Calls();
    const topic = { eachBatch: calls.eachBatch, maxMessages: 1, ...LANES };
    await withRig({ topic, consumer: { drainTimeoutMs: 1000 } }, async (rig) => {
      const { send, pass, memory, stored, seen } = rig;
      await send(["0", "1", "0", "1"]);
      const revoked = memory.revoke(WHERE, { keep: WHERE });
      await pass();
      calls.finish(0);
      await pass(1000);
      await revoked;
      await pass();
      expect(stored()).toBe(1);
      // 1 is still running; 2 goes on.
      expect(calls.open).toEqual([1, 2]);
      const late = calls.at(1);
      late.finish();
      calls.finish(2);
      await pass();
      expect(calls.open).toEqual([3]);
      calls.finishAll();
      await pass(100);
      expect(stored()).toBe(4);
      expect(calls.started).toEqual([0, 1, 2, 3]);
      expect(seen("assigned")).toHaveLength(1);
      expect(seen("revoked")).toEqual([]);
      expect(seen("polled")).toHaveLength(1);
    });
  });

  test("R3, O4: what a continued lease could not commit in its drain is committed without new work", async () => {
    let broken = false;
    const memory = memorySource({
      topics: { [TOPIC]: 1 },
      onCommit: () => (broken ? "retry" : "stored"),
    });
    await withRig({ memory, consumer: { drainTimeoutMs: 0 } }, async ({ send, pass, stored }) => {
      await send(keys(3));
      broken = true;
      let join = (): void => {};
      const suspended = new Promise<void>((resolve) => {
        join = resolve;
      });
      const revoked = memory.revoke(WHERE, { keep: WHERE, whileSuspended: () => suspended });
      // Past the drain; the committer's timer fires while nothing may be sent.
      await pass(4000 + 4000);
      expect(stored()).toBe(0);
      broken = false;
      join();
      await pass();
      await revoked;
      await pass(3000);
      expect(stored()).toBe(3);
    });
  });

  test("R3: a lease that waits to fill a call goes on filling after it was given back", async () => {
    const batches: number[] = [];
    const topic = {
      eachBatch: (batch: Batch) => void batches.push(batch.messages.length),
      maxMessages: 10,
      maxWaitMs: 1000,
    };
    const memory = { deliverMode: "manual" as const };
    await withRig({ topic, memory }, async ({ send, pass, memory }) => {
      await send(["a", "b"]);
      await send(["c"]);
      memory.step(TOPIC, 0);
      await memory.revoke(WHERE, { keep: WHERE });
      await pass(1000);
      expect(batches).toEqual([2]);
    });
  });

  test("R2: a revoke while close() drains waits for the same drain, so that its commit is stored", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    await withRig({ topic }, async ({ send, pass, memory, stored, consumer }) => {
      await send(["a"]);
      const closed = consumer.close();
      await pass(10);
      const revoked = memory.revoke(WHERE);
      await pass(10);
      calls.finishAll();
      await pass(100);
      await Promise.all([closed, revoked]);
      expect(stored()).toBe(1);
      expect((await closed).uncommitted).toEqual([]);
    });
  });

  test("R4: a close() while a revoke drains waits only until the calls have ended", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    await withRig({ topic }, async ({ send, pass, memory, stored, consumer, clock }) => {
      await send(["a"]);
      let revokedAt = -1;
      let closedAt = -1;
      void memory.revoke(WHERE).then(() => {
        revokedAt = clock.now();
      });
      await pass(10);
      void consumer.close().then(() => {
        closedAt = clock.now();
      });
      await pass(10);
      calls.finishAll();
      await pass(1000);
      expect([revokedAt, closedAt]).toEqual([20, 20]);
      expect(stored()).toBe(1);
    });
  });

  test("R5: nothing is sent for a lease that is suspended or ended", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    await withRig({ topic, consumer: { drainTimeoutMs: 100 } }, async (rig) => {
      const { send, pass, memory, consumer } = rig;
      await send(["a"]);
      let attempts = -1;
      let go = (): void => {};
      const revoked = memory.revoke(WHERE, {
        whileSuspended: async () => {
          attempts = memory.commitAttempts().length;
          await new Promise<void>((resolve) => {
            go = resolve;
          });
          expect(memory.commitAttempts()).toHaveLength(attempts);
        },
      });
      await pass(200);
      expect(rig.consumer.explain()[0]?.reason).toBe("suspended");
      calls.finishAll();
      await pass(2000);
      await consumer.commit();
      go();
      await revoked;
      await pass(2000);
      expect(memory.commitAttempts()).toHaveLength(attempts);
    });
  });
});

describe("held keys", () => {
  test("R6: a second member starts no message of a key whose call outlived its lease", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...LANES };
    // Without the map, so that offset 1 comes again too.
    const consumer = { offsetMap: "off" as const };
    await withTwo({ topic, consumer }, async (first, second) => {
      await first.send(["0", "1", "0"]);
      expect(calls.open).toEqual([0, 1]);
      calls.finish(1);
      await first.pass(1000);
      await first.memory.lose(WHERE);
      await first.memory.assign(WHERE, 1);
      await first.pass();
      // Offset 0 is redelivered to the second member, whose first call of key "0" must wait.
      expect(calls.open).toEqual([0, 1]);
      expect(calls.running).toHaveLength(2);
      calls.finish(1);
      await first.pass(100);
      expect(calls.running.map((call) => call.offsets)).toEqual([[0]]);
      expect(second.consumer.stats().partitions[0]?.queued).toBe(2);
      calls.finish(0);
      await first.pass();
      expect(calls.open).toEqual([0]);
      calls.finish(0);
      await first.pass();
      expect(calls.open).toEqual([2]);
      calls.finish(2);
      await first.pass(100);
      expect(second.stored()).toBe(3);
      expect(first.consumer.stats().droppedResults).toBe(1);
    });
  });

  test("R6: a call that fails late frees its keys too", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    await withTwo({ topic }, async (first) => {
      await first.send(["a"]);
      await first.memory.lose(WHERE);
      await first.memory.assign(WHERE, 1);
      await first.pass();
      expect(calls.started).toEqual([0]);
      calls.at(0).fail();
      await first.pass();
      expect(calls.started).toEqual([0, 0]);
      calls.finishAll();
      await first.pass(100);
    });
  });

  test("R6: every key of a batch call is held, and only until it settles", async () => {
    const calls = new Calls();
    const topic = {
      eachBatch: calls.eachBatch,
      virtualPartitions: { maxPartitions: 10, distribution: "per-key" as const },
      maxMessages: 2,
    };
    await withTwo({ topic }, async (first) => {
      await first.send(["a", "a", "b", "c", "a"]);
      calls.finish(2);
      await first.pass();
      await first.memory.lose(WHERE);
      await first.memory.assign(WHERE, 1);
      await first.pass();
      // "c" is held as well: only "b" may start.
      expect(calls.running.map((call) => String(call.offsets)).sort()).toEqual(["0,1", "2", "3"]);
      calls.running.find((call) => call.offsets.includes(3))?.finish();
      await first.pass();
      expect(calls.running.map((call) => String(call.offsets)).sort()).toEqual(["0,1", "2", "3"]);
      calls.finishAll();
      await first.pass();
      expect(calls.running.map((call) => String(call.offsets)).sort()).toEqual(["0,1"]);
      calls.finishAll();
      await first.pass();
      expect(calls.running.map((call) => String(call.offsets)).sort()).toEqual(["4"]);
      calls.finishAll();
      await first.pass(100);
    });
  });

  test("R6: a call whose keys are not known (P2) holds every key", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: {
        maxPartitions: 10,
        partitioner: (message: Message) => {
          if (broken) throw new Error("no key");
          return message.key;
        },
      },
    };
    let broken = true;
    await withTwo({ topic }, async (first) => {
      await first.send(["a", "b"]);
      broken = false;
      await first.memory.lose(WHERE);
      await first.memory.assign(WHERE, 1);
      await first.pass();
      expect(calls.started).toEqual([0]);
      calls.finishAll();
      await first.pass();
      expect(calls.started).toEqual([0, 0, 1]);
      calls.finishAll();
      await first.pass(100);
    });
  });

  test("R6: an ended lease asks its partitioner for nothing more", async () => {
    const calls = new Calls();
    const asked: number[] = [];
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: {
        partitioner: (message: Message): string => {
          asked.push(message.offset);
          throw new Error("no key");
        },
      },
    };
    await withRig({ topic }, async ({ send, pass, memory, seen }) => {
      await send(["a"]);
      await send(["b"]);
      await memory.lose(WHERE);
      calls.finishAll();
      await pass(100);
      expect(asked).toEqual([0]);
      expect(seen("partitionerFailed")).toHaveLength(1);
    });
  });

  test("R6: a handler that ends its own lease with its call still running holds its key", async () => {
    const calls = new Calls();
    let lose = (): void => {};
    const topic = {
      eachMessage: (message: Message, context: MessageContext) => {
        lose();
        return calls.eachMessage(message, context);
      },
    };
    await withRig({ topic }, async ({ send, pass, consumer }) => {
      lose = () => {
        lose = () => {};
        void consumer.seek({ topic: TOPIC, partition: 0 }, 0);
      };
      await send(["a"]);
      await pass(100);
      expect(calls.started).toEqual([0]);
      calls.finishAll();
      await pass(100);
      expect(calls.started).toEqual([0, 0]);
      calls.finishAll();
      await pass(100);
    });
  });
});

describe("seek", () => {
  test("R11: it begins anew at the offset: queue and late marks are dropped, running calls not waited for", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...LANES };
    await withRig({ topic }, async ({ send, pass, consumer, stored, memory }) => {
      await send(["0", "1", "2", "0", "1"]);
      calls.finish(0, 1, 2);
      await pass(1000);
      expect(stored()).toBe(3);
      expect(calls.open).toEqual([3, 4]);
      const late = calls.at(3);
      await consumer.seek({ topic: TOPIC, partition: 0 }, 1);
      expect(late.context.markAsConsumed(late.messages[0])).toBe(false);
      await pass(100);
      expect(stored()).toBe(1);
      // Keys "0" and "1" are held by the old calls.
      expect(calls.open).toEqual([2, 3, 4]);
      calls.finishAll();
      await pass();
      expect(calls.open).toEqual([1, 3]);
      calls.finishAll();
      await pass();
      calls.finishAll();
      await pass(100);
      expect(stored()).toBe(5);
      expect(memory.listenerErrors()).toEqual([]);
    });
  });

  test("R11: not assigned: rejects with FencedError; a wrong offset is a RangeError", async () => {
    await withRig({}, async ({ consumer, memory }) => {
      const seek = (partition: number, offset: number): Promise<void> =>
        consumer.seek({ topic: TOPIC, partition }, offset);
      await expect(seek(7, 0)).rejects.toBeInstanceOf(FencedError);
      await expect(seek(0, -1)).rejects.toBeInstanceOf(RangeError);
      await expect(seek(0, 1.5)).rejects.toBeInstanceOf(RangeError);
      await memory.lose(WHERE);
      await expect(seek(0, 0)).rejects.toBeInstanceOf(FencedError);
    });
  });

  test("R11: a seek is committed on close even when nothing was handled", async () => {
    await withRig({}, async ({ consumer, send, pass, stored }) => {
      await send(keys(5));
      await pass(100);
      consumer.pause();
      await consumer.seek({ topic: TOPIC, partition: 0 }, 2);
      const closed = consumer.close();
      await pass();
      await closed;
      expect(stored()).toBe(2);
    });
  });

  test("R11: pause survives a seek, and a partition paused for want of budget is resumed", async () => {
    const handled: number[] = [];
    const topic = { eachMessage: (m: Message) => void handled.push(m.offset), maxMessages: 1 };
    const memory = { maxBatchRecords: 2 };
    await withRig({ topic, memory, consumer: { maxInFlightMessages: 2 } }, async (rig) => {
      rig.consumer.pause();
      await rig.send(keys(20));
      await rig.pass(1000);
      await rig.consumer.seek({ topic: TOPIC, partition: 0 }, 10);
      await rig.pass(1000);
      expect(handled).toEqual([]);
      rig.consumer.resume();
      await rig.pass(1000);
      expect(handled).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    });
  });
});
