import { describe, expect, test } from "bun:test";
import type { Message, MessageContext } from "../../src/types.ts";
import { Calls, laneByKey, TOPIC, withRig } from "./rig.ts";

const HERE = { topic: TOPIC, partition: 0 };
const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };
const consumer = { handlerTimeoutMs: 1000 };

describe("handlerTimeoutMs", () => {
  test("R12: signal aborts with a TimeoutError, stalled is emitted, and the call keeps its lane", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4), retry: RETRY };
    await withRig({ topic, consumer }, async ({ send, pass, seen, stored }) => {
      await send(["0", "0", "1"]);
      const { signal } = calls.at(0).context;
      calls.finish(2);
      await pass(999);
      expect([signal.aborted, seen("stalled")]).toEqual([false, []]);
      await pass(1);
      expect(signal.aborted).toBe(true);
      expect(signal.reason).toMatchObject({ name: "TimeoutError" });
      expect(seen("stalled")).toMatchObject([
        { ...HERE, kind: "handler-timeout", explanation: { reason: "handler-running", offset: 0 } },
      ]);
      await pass(5000);
      expect(calls.open).toEqual([0]);
      expect(seen("stalled")).toHaveLength(1);
      expect(seen("failed")).toEqual([]);
      calls.finish(0);
      await pass();
      expect(calls.open).toEqual([1]);
      expect(calls.at(1).context.signal.aborted).toBe(false);
      calls.finish(1);
      await pass(100);
      expect(stored()).toBe(3);
    });
  });

  test("R12: a signal that is asked for only afterwards is aborted; a call that then throws has failed", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, retry: RETRY };
    await withRig({ topic, consumer }, async ({ send, pass, seen }) => {
      await send(["a"]);
      await pass(1000);
      const { signal } = calls.at(0).context;
      expect(signal.reason).toMatchObject({ name: "TimeoutError" });
      calls.at(0).fail(signal.reason);
      await pass();
      expect(seen("failed")).toMatchObject([{ offset: 0, error: { name: "TimeoutError" } }]);
      await pass(100);
      expect(calls.at(0).context).toMatchObject({ attempt: 2 });
      expect(calls.at(0).context.signal.aborted).toBe(false);
      await pass(999);
      expect(calls.at(0).context.signal.aborted).toBe(false);
      await pass(1);
      expect(calls.at(0).context.signal.aborted).toBe(true);
    });
  });

  test("R12: each call has its own time, from its own start", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4) };
    await withRig({ topic, consumer }, async ({ send, pass }) => {
      await send(["0"]);
      await pass(400);
      await send(["1"]);
      await pass(400);
      calls.finish(0);
      await send(["0"]);
      const first = calls.at(1).context.signal;
      const second = calls.at(2).context.signal;
      await pass(599);
      expect([first.aborted, second.aborted]).toEqual([false, false]);
      await pass(1);
      expect([first.aborted, second.aborted]).toEqual([true, false]);
      await pass(400);
      expect(second.aborted).toBe(true);
    });
  });

  test("R12: it is off without the option, and calls that end in time leave no timer", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    await withRig({ topic }, async ({ send, pass, seen }) => {
      await send(["a"]);
      await pass(50_000);
      expect(calls.at(0).context.signal.aborted).toBe(false);
      expect(seen("stalled")).toEqual([]);
    });
    await withRig({ topic, consumer }, async ({ send, pass, clock }) => {
      const before = clock.pendingTimers();
      await send(["a"]);
      calls.finishAll();
      await pass(100);
      expect(clock.pendingTimers()).toBe(before);
    });
  });

  test("R12, R4: a call that never ends keeps no timer once its lease is over", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    const options = { handlerTimeoutMs: 3_600_000, drainTimeoutMs: 10 };
    await withRig({ topic, consumer: options }, async ({ send, pass, clock, consumer: one }) => {
      await send(["a"]);
      const closed = one.close();
      await pass(10);
      expect(await closed).toMatchObject({ abandoned: 1 });
      expect(clock.pendingTimers()).toBe(0);
      calls.finishAll();
      await pass(3_600_000);
    });
  });

  test("R12: batch calls and long-lived consumers have it too", async () => {
    for (const form of ["eachBatch", "consumer"]) {
      const calls = new Calls();
      const topic =
        form === "eachBatch"
          ? { eachBatch: calls.eachBatch }
          : { consumer: () => ({ consume: calls.eachBatch }) };
      await withRig({ topic, consumer }, async ({ send, pass, seen }) => {
        await send(["a", "b"]);
        const { signal } = calls.at(0).context;
        await pass(1000);
        expect(signal.aborted).toBe(true);
        expect(seen("stalled")).toHaveLength(1);
      });
    }
  });

  test("R12: in a collapse the partition waits for such a call: order before liveness", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4), retry: RETRY };
    await withRig({ topic, consumer }, async ({ send, pass, seen }) => {
      await send(["0", "1"]);
      calls.at(0).fail();
      await pass(5000);
      expect(seen("stalled")).toMatchObject([{ kind: "handler-timeout" }]);
      expect([calls.open, seen("collapsed")]).toEqual([[1], []]);
      calls.finish(1);
      await pass(100);
      expect(calls.open).toEqual([0]);
    });
  });

  test("R12: a synchronous handler is not timed: it has ended when anybody could look", async () => {
    const topic = { eachMessage: (_: Message, context: MessageContext) => void context.signal };
    await withRig({ topic, consumer }, async ({ send, pass, seen }) => {
      await send(["a", "b"]);
      await pass(5000);
      expect(seen("stalled")).toEqual([]);
    });
  });
});
