import { describe, expect, test } from "bun:test";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { Calls, laneByKey, TOPIC, withRig } from "./rig.ts";

const RETRY = { backoffMs: 100, multiplier: 2, maxBackoffMs: 10_000, jitter: 0 };

/** Calls under control, on four lanes that the keys name. */
function fourLanes(calls: Calls) {
  return { eachMessage: calls.eachMessage, retry: RETRY, virtualPartitions: laneByKey(4) };
}

describe("collapseUntil()", () => {
  test("E6: from the next call on, without an error, up to and including the offset", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "1", "0", "1", "2", "3"]);
      expect(calls.open).toEqual([0, 1, 4, 5]);
      calls.at(0).context.collapseUntil(3);
      calls.finish(0);
      await pass();
      // Nothing has failed: whoever runs is not told so.
      expect(calls.at(1).context.failing).toBe(false);
      expect(calls.open).toEqual([1, 4, 5]);
      calls.finish(1, 4, 5);
      await pass();
      expect(seen("collapsed")).toEqual([{ topic: TOPIC, partition: 0, until: 4 }]);
      expect(calls.open).toEqual([2]);
      expect(calls.at(2).context).toMatchObject({ collapsed: true, attempt: 1 });
      expect(consumer.explain()[0]?.reason).toBe("collapsed");
      calls.finish(2);
      await pass();
      expect(calls.open).toEqual([3]);
      calls.finish(3);
      await pass();
      expect(seen("expanded")).toHaveLength(1);
      expect(seen("failed")).toEqual([]);
    });
  });

  test("E6: of several calls the highest wins, also during the collapse", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0", "1", "2", "3"]);
      calls.at(0).context.collapseUntil(4);
      calls.at(1).context.collapseUntil(5);
      calls.at(2).context.collapseUntil(4);
      calls.finishAll();
      await send(["0", "1", "2", "3"]);
      expect(seen("collapsed").map(({ until }) => until)).toEqual([6]);
      expect(calls.open).toEqual([4]);
      calls.at(4).context.collapseUntil(4);
      calls.at(4).context.collapseUntil(6);
      expect(seen("collapsed").map(({ until }) => until)).toEqual([6, 7]);
      for (const offset of [4, 5, 6]) {
        expect(calls.open).toEqual([offset]);
        calls.finish(offset);
        await pass();
      }
      expect(seen("expanded")).toHaveLength(1);
      expect(calls.open).toEqual([7]);
    });
  });

  test("E6: an offset already passed does nothing", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0", "0", "1"]);
      calls.finish(0);
      await pass();
      calls.at(1).context.collapseUntil(0);
      await send(["2", "3"]);
      expect(calls.open).toEqual([1, 2, 3, 4]);
      expect(seen("collapsed")).toEqual([]);
    });
  });

  test("E6: beyond the log's end it lasts until messages have come so far", async () => {
    const handled: [number, boolean][] = [];
    const topic = {
      retry: RETRY,
      virtualPartitions: laneByKey(4),
      eachMessage: async (message: Message, context: MessageContext) => {
        if (message.offset === 0) context.collapseUntil(4);
        handled.push([message.offset, context.collapsed]);
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, memory, consumer }) => {
      await send(["0"]);
      await pass(60_000);
      expect(seen("collapsed")).toEqual([{ topic: TOPIC, partition: 0, until: 5 }]);
      expect(seen("expanded")).toEqual([]);
      expect(consumer.stats().partitions[0]?.collapsedUntil).toBe(5);
      await send(["1", "2"]);
      expect(handled).toEqual([
        [0, false],
        [1, true],
        [2, true],
      ]);
      // A hole passes it as well as messages do.
      memory.skip(TOPIC, 0, 2);
      await pass();
      expect(seen("expanded")).toHaveLength(1);
      await send(["3"]);
      expect(handled.at(-1)).toEqual([5, false]);
    });
  });

  test("E6: with manual acknowledgement a message is passed when its call has ended", async () => {
    const calls = new Calls();
    const topic = { ...fourLanes(calls), acknowledge: "manual" as const };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["0", "1"]);
      calls.at(0).context.collapseUntil(3);
      calls.finishAll();
      await send(["0", "1", "2", "3"]);
      for (const offset of [2, 3]) {
        expect(calls.open).toEqual([offset]);
        calls.finish(offset);
        await pass();
      }
      expect(seen("expanded")).toHaveLength(1);
      expect(calls.open).toEqual([4, 5]);
      await pass(100);
      expect(stored()).toBe(0);
    });
  });

  test("E6, E2: a failure while calls are gathered for it adds its window and a back-off", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0", "1", "2"]);
      calls.at(0).context.collapseUntil(0);
      calls.at(1).fail();
      calls.finish(0, 2);
      await pass();
      expect(seen("collapsed").map(({ until }) => until)).toEqual([3]);
      expect(calls.open).toEqual([]);
      await pass(100);
      expect(calls.open).toEqual([1]);
    });
  });

  test("E6: with isolate it collapses too, and goes on behind a lane that backs off", async () => {
    const calls = new Calls();
    const topic = { ...fourLanes(calls), onError: "isolate" as const };
    await withRig({ topic }, async ({ send, pass, seen }) => {
      await send(["0", "1", "2"]);
      calls.at(0).fail();
      await pass();
      calls.at(1).context.collapseUntil(4);
      calls.finish(1, 2);
      await send(["1", "2", "3"]);
      expect(seen("collapsed").map(({ until }) => until)).toEqual([5]);
      expect(calls.open).toEqual([]);
      await pass(100);
      for (const offset of [0, 3, 4]) {
        expect(calls.open).toEqual([offset]);
        calls.finish(offset);
        await pass();
      }
      expect(calls.open).toEqual([5]);
      expect(seen("expanded")).toHaveLength(1);
    });
  });

  test("E6: a wrong offset is refused; after the call it does nothing", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0"]);
      const { context } = calls.at(0);
      for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => context.collapseUntil(wrong)).toThrow(RangeError);
      }
      expect(() => context.collapseUntil("3" as never)).toThrow(TypeError);
      expect(() => context.collapseUntil(undefined as never)).toThrow(/collapseUntil/);
      calls.finish(0);
      await pass();
      context.collapseUntil(10);
      await send(["0", "1"]);
      expect(calls.open).toEqual([1, 2]);
      expect(seen("collapsed")).toEqual([]);
    });
  });

  test("F3: a held call starts early when its partition collapses", async () => {
    const runs: number[][] = [];
    const topic = {
      maxMessages: 10,
      maxWaitMs: 60_000,
      retry: RETRY,
      virtualPartitions: laneByKey(4),
      eachBatch: async (batch: Batch) => {
        runs.push(batch.messages.map(({ offset }) => offset));
        if (batch.firstOffset === 2) batch.collapseUntil(20);
      },
    };
    // More is in the log, so nothing but the collapse ends the wait.
    const memory = { topics: { [TOPIC]: 1 }, deliverMode: "manual" as const };
    await withRig({ topic, memory }, async ({ pass, memory: source }) => {
      const full = Array.from({ length: 10 }, () => ({ key: "0" }));
      source.deliver(TOPIC, 0, [{ key: "1" }, { key: "2" }]);
      source.deliver(TOPIC, 0, full);
      source.deliver(TOPIC, 0, [{ key: "3" }]);
      source.deliver(TOPIC, 0, [{ key: "3" }]);
      source.step(TOPIC, 0);
      await pass();
      expect(runs).toEqual([]);
      source.step(TOPIC, 0);
      await pass();
      expect(runs.map((offsets) => offsets.length)).toEqual([10, 1, 1]);
      // During the collapse nothing is held back.
      source.step(TOPIC, 0);
      await pass();
      expect(runs.at(-1)).toEqual([12]);
    });
  });
});
