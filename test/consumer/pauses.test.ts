import { describe, expect, test } from "bun:test";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { Calls, laneByKey, TOPIC, withRig } from "./rig.ts";

const HERE = { topic: TOPIC, partition: 0 };
const WHERE = [HERE];
const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };

function fourLanes(calls: Calls, more: object = {}) {
  return { eachMessage: calls.eachMessage, retry: RETRY, virtualPartitions: laneByKey(4), ...more };
}

describe("context.pause()", () => {
  test("E8: the partition starts no call, polled or not, until its time is over; running calls finish", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "1", "0"]);
      calls.at(0).context.pause(500);
      expect(seen("paused")).toEqual([HERE]);
      calls.finish(0);
      await send(["2", "3"]);
      expect(calls.open).toEqual([1]);
      expect(consumer.explain()[0]?.reason).toBe("paused");
      // The consumer is not paused, one of its partitions is.
      expect(consumer.state).toBe("running");
      calls.finish(1);
      await pass(499);
      expect(calls.open).toEqual([]);
      expect(consumer.stats().partitions[0]?.committable).toBe(2);
      expect(seen("resumed")).toEqual([]);
      await pass(1);
      expect(calls.open).toEqual([2, 3, 4]);
      expect(seen("resumed")).toEqual([HERE]);
    });
  });

  test("E8: the latest end wins", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0", "1", "2"]);
      calls.at(0).context.pause(500);
      calls.at(1).context.pause(200);
      await pass(100);
      calls.at(2).context.pause(500);
      calls.finishAll();
      await send(["0"]);
      await pass(499);
      expect(calls.open).toEqual([]);
      await pass(1);
      expect(calls.open).toEqual([3]);
      expect([seen("paused").length, seen("resumed").length]).toEqual([1, 1]);
    });
  });

  test("E8: pause(0) does nothing; a wrong time is refused; after the call it does nothing", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen }) => {
      await send(["0"]);
      const { context } = calls.at(0);
      context.pause(0);
      for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
        expect(() => context.pause(wrong)).toThrow(RangeError);
      }
      expect(() => context.pause("1" as never)).toThrow(TypeError);
      expect(() => context.pause(undefined as never)).toThrow(/pause/);
      calls.finish(0);
      await pass();
      context.pause(1000);
      await send(["0", "1"]);
      expect(calls.open).toEqual([1, 2]);
      expect(seen("paused")).toEqual([]);
    });
  });

  test("E7: it pauses its partition alone", async () => {
    const calls = new Calls();
    const memory = { topics: { [TOPIC]: 2 } };
    await withRig({ topic: fourLanes(calls), memory }, async ({ send, consumer }) => {
      await send(["0"], 0);
      calls.at(0).context.pause(500);
      calls.finish(0);
      await send(["0", "1"], 1);
      expect(calls.open).toEqual([0, 1]);
      expect(consumer.explain().map(({ reason }) => reason)).toEqual(["paused", "handler-running"]);
    });
  });

  test("E8: it ends with its lease, and lives on in a continued one (R3)", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, memory }) => {
      await send(["0"]);
      calls.at(0).context.pause(500);
      calls.finish(0);
      await send(["0"]);
      await memory.revoke(WHERE, { keep: WHERE });
      await pass(400);
      expect(calls.open).toEqual([]);
      await memory.revoke(WHERE);
      await memory.assign(WHERE);
      await pass();
      expect(calls.open).toEqual([1]);
    });
  });

  test("E8, R11: it ends with a seek, which resumed tells", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "1"]);
      calls.at(0).context.pause(500);
      calls.finishAll();
      await pass();
      await consumer.seek(HERE, 0);
      await pass();
      expect(calls.open).toEqual([0, 1]);
      expect([seen("paused"), seen("resumed")]).toEqual([[HERE], [HERE]]);
      await pass(1000);
      expect(seen("resumed")).toHaveLength(1);
    });
  });

  test("R2, R4: drain and close do not wait for it", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, consumer, clock }) => {
      await send(["0", "0"]);
      calls.at(0).context.pause(60_000);
      calls.finish(0);
      await pass();
      const before = clock.now();
      const closed = consumer.close();
      await pass();
      expect(await closed).toMatchObject({ drained: 0, abandoned: 0 });
      expect(clock.now()).toBe(before);
      expect(clock.pendingTimers()).toBe(0);
    });
  });

  test("E8: a synchronous handler that pauses stops its own lane behind this message", async () => {
    const handled: number[] = [];
    const topic = {
      eachMessage: (message: Message, context: MessageContext) => {
        handled.push(message.offset);
        if (message.offset === 1) context.pause(100);
      },
    };
    await withRig({ topic }, async ({ send, pass }) => {
      await send(["a", "b", "c"]);
      expect(handled).toEqual([0, 1]);
      await pass(100);
      expect(handled).toEqual([0, 1, 2]);
    });
  });
});

describe("two pauses", () => {
  test("E8: consumer.pause and context.pause are separate reasons: it runs when neither holds", async () => {
    for (const first of ["consumer", "context"] as const) {
      const calls = new Calls();
      await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
        await send(["0"]);
        calls.at(0).context.pause(500);
        consumer.pause(WHERE);
        expect(seen("paused")).toEqual([HERE]);
        calls.finish(0);
        await send(["0"]);
        if (first === "consumer") consumer.resume(WHERE);
        await pass(500);
        expect(calls.open).toEqual(first === "consumer" ? [1] : []);
        expect(seen("resumed")).toHaveLength(first === "consumer" ? 1 : 0);
        consumer.resume(WHERE);
        await pass();
        expect(calls.open).toEqual([1]);
        expect([seen("paused").length, seen("resumed").length]).toEqual([1, 1]);
      });
    }
  });

  test("E8: consumer.pause of all, and of one, with their events and states", async () => {
    const calls = new Calls();
    const memory = { topics: { [TOPIC]: 2 } };
    await withRig({ topic: fourLanes(calls), memory }, async ({ send, seen, consumer, pass }) => {
      consumer.pause(WHERE);
      consumer.pause(WHERE);
      expect(seen("paused")).toEqual([HERE]);
      consumer.pause();
      expect(consumer.state).toBe("paused");
      expect(seen("paused")).toHaveLength(2);
      await send(["0"], 0);
      await send(["0"], 1);
      expect(calls.open).toEqual([]);
      consumer.resume();
      await pass();
      expect(calls.open).toEqual([0, 0]);
      expect(seen("resumed")).toHaveLength(2);
      expect(consumer.state).toBe("running");
    });
  });

  test("E8: flow control and back-off pause without an event", async () => {
    const calls = new Calls();
    const consumer = { maxInFlightMessages: 2 };
    const topic = fourLanes(calls, { maxMessages: 1 });
    await withRig({ topic, consumer }, async ({ send, pass, seen }) => {
      await send(["0", "0", "0", "0", "0"]);
      await pass(100);
      calls.at(0).fail();
      await pass(1000);
      expect([seen("paused"), seen("resumed")]).toEqual([[], []]);
    });
  });

  test("E8: in collapse a pause delays the next call", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, consumer, seen }) => {
      await send(["0", "1", "2"]);
      calls.at(0).fail();
      calls.at(1).fail();
      calls.at(2).fail();
      await pass(100);
      expect(calls.open).toEqual([0]);
      calls.at(0).context.pause(500);
      calls.finish(0);
      await pass(499);
      expect(calls.open).toEqual([]);
      expect(consumer.explain()[0]?.reason).toBe("paused");
      expect(consumer.stats().partitions[0]?.collapsedUntil).toBe(3);
      await pass(1);
      expect(calls.open).toEqual([1]);
      expect(calls.at(1).context.collapsed).toBe(true);
      consumer.pause(WHERE);
      calls.finish(1);
      await pass(10_000);
      expect(calls.open).toEqual([]);
      consumer.resume(WHERE);
      await pass();
      expect(calls.open).toEqual([2]);
      calls.finish(2);
      await pass();
      expect(seen("expanded")).toHaveLength(1);
    });
  });

  test("E8, E5: the longer of a pause and a back-off counts", async () => {
    for (const onError of ["collapse", "isolate"] as const) {
      for (const [pauseMs, resumesMs] of [
        [50, 100],
        [300, 300],
      ] as const) {
        const calls = new Calls();
        await withRig({ topic: fourLanes(calls, { onError }) }, async ({ send, pass }) => {
          await send(["0"]);
          calls.at(0).context.pause(pauseMs);
          calls.at(0).fail();
          await pass(resumesMs - 1);
          expect(calls.open).toEqual([]);
          await pass(1);
          expect(calls.open).toEqual([0]);
        });
      }
    }
  });

  test("E8, E2: a collapse in a paused partition ends when its last running call has", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, seen, consumer }) => {
      await send(["0", "1"]);
      calls.at(0).context.collapseUntil(1);
      calls.finish(0);
      await pass();
      consumer.pause();
      calls.finish(1);
      await pass();
      expect(seen("collapsed")).toHaveLength(1);
      expect(seen("expanded")).toHaveLength(1);
    });
  });

  test("F3: a pause ends the wait of a held call: it starts when it is over", async () => {
    const sizes: number[] = [];
    const topic = {
      maxMessages: 10,
      maxWaitMs: 60_000,
      eachBatch: (batch: Batch) => void sizes.push(batch.messages.length),
    };
    const memory = { topics: { [TOPIC]: 1 }, deliverMode: "manual" as const };
    await withRig({ topic, memory }, async ({ pass, memory: source, consumer }) => {
      source.deliver(TOPIC, 0, [{}, {}]);
      source.deliver(TOPIC, 0, [{}]);
      source.step(TOPIC, 0);
      await pass(10);
      expect(sizes).toEqual([]);
      consumer.pause();
      await pass(10);
      expect(sizes).toEqual([]);
      consumer.resume();
      await pass();
      expect(sizes).toEqual([2]);
    });
  });
});
