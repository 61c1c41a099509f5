import { describe, expect, test } from "bun:test";
import { SourceError } from "../../src/errors.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import type { Batch, Message } from "../../src/types.ts";
import { Calls, keys, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const PER_KEY = { virtualPartitions: { maxPartitions: 100, distribution: "per-key" as const } };

/** A clock that handlers move on, as calls that take time do. */
function workingClock(): { clock: FakeClock; work: (ms: number) => void } {
  const fake = fakeClock();
  let workedMs = 0;
  const clock: FakeClock = {
    now: () => fake.now() + workedMs,
    wallTime: () => fake.wallTime() + workedMs,
    setTimer: (callback, ms) => fake.setTimer(callback, ms),
    clearTimer: (handle) => fake.clearTimer(handle),
    defer: (callback) => fake.defer(callback),
    advance: (ms) => fake.advance(ms),
    pendingTimers: () => fake.pendingTimers(),
  };
  const work = (ms: number): void => {
    workedMs += ms;
  };
  return { clock, work };
}

describe("explain()", () => {
  test("X1: end-of-log, handler-running with offset and age, no-slot, then end-of-log again", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...PER_KEY };
    await withRig({ topic, consumer: { concurrency: 2 } }, async ({ consumer, send, pass }) => {
      expect(consumer.explain()).toEqual([{ topic: TOPIC, partition: 0, reason: "end-of-log" }]);
      await send(["a"]);
      await pass(70);
      await send(["b"]);
      await pass(30);
      expect(consumer.explain()).toMatchObject([
        { topic: TOPIC, partition: 0, reason: "handler-running", offset: 0, ageMs: 100 },
      ]);
      await send(["c"]);
      expect(consumer.explain()).toMatchObject([{ reason: "no-slot", offset: 0, ageMs: 100 }]);
      calls.finishAll();
      await pass();
      calls.finishAll();
      await pass(100);
      expect(consumer.explain()).toEqual([{ topic: TOPIC, partition: 0, reason: "end-of-log" }]);
    });
  });

  test("X1: back-off, with the oldest hole and its age", async () => {
    const topic = {
      retry: { backoffMs: 5000, jitter: 0 },
      eachMessage: () => {
        throw new Error("planned");
      },
    };
    await withRig({ topic }, async ({ consumer, send, pass }) => {
      await send(["a"]);
      await pass(250);
      expect(consumer.explain()).toEqual([
        { topic: TOPIC, partition: 0, reason: "back-off", offset: 0, ageMs: 250 },
      ]);
    });
  });

  test("X1: paused, not-assigned, rebalancing before the first assignment", async () => {
    await withRig({}, async ({ consumer, memory }) => {
      consumer.pause();
      expect(consumer.explain()).toMatchObject([{ reason: "paused" }]);
      await memory.revoke(WHERE);
      expect(consumer.explain()).toMatchObject([{ topic: TOPIC, reason: "not-assigned" }]);
    });
  });

  test("X1: commit-failing and source-error name the error", async () => {
    await withRig({}, async ({ consumer, memory, send, pass }) => {
      await pass(100);
      memory.failNextCommit("denied", 3);
      await send(["a"]);
      await pass(60);
      expect(consumer.explain()).toMatchObject([{ reason: "commit-failing", error: "denied" }]);
      await pass(10_000);
      expect(consumer.explain()).toMatchObject([{ reason: "end-of-log" }]);
      memory.fail(new SourceError("broker away"), false);
      expect(consumer.explain()).toMatchObject([{ reason: "source-error", error: "broker away" }]);
      await send(["b"]);
      await pass(100);
      expect(consumer.explain()).toMatchObject([{ reason: "end-of-log" }]);
    });
  });

  test("X1: a revoke of one partition says nothing about the others", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    const options = { topic, memory: { topics: { [TOPIC]: 2 } } };
    await withRig(options, async ({ consumer, memory, send, pass }) => {
      await send(["a"], 0);
      await send(["a"], 1);
      const revoked = memory.revoke(WHERE);
      await pass();
      expect(consumer.explain().map((one) => one.reason)).toEqual([
        "rebalancing",
        "handler-running",
      ]);
      calls.finishAll();
      await pass();
      await revoked;
    });
  });

  test("X2: after stallMs with work and no mark, one stalled event carries the explanation", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    const options = { topic, consumer: { stallMs: 10_000 } };
    await withRig(options, async ({ send, pass, seen }) => {
      await pass(100_000);
      expect(seen("stalled")).toEqual([]);
      await send(["a", "b"]);
      await pass(9999);
      expect(seen("stalled")).toEqual([]);
      await pass(60_000);
      expect(seen("stalled")).toHaveLength(1);
      expect(seen("stalled")[0]).toMatchObject({
        topic: TOPIC,
        partition: 0,
        kind: "handler-running",
        explanation: { reason: "handler-running", offset: 0 },
      });
      calls.finishAll();
      await pass(60_000);
      expect(seen("stalled")).toHaveLength(2);
      expect(seen("stalled")[1]?.explanation.offset).toBe(1);
    });
  });

  test("X3: keyBound once per lease when one key has more than 90 % of 10,000 messages", async () => {
    const topic = { eachMessage: () => {}, virtualPartitions: true as const };
    await withRig({ topic }, async ({ send, seen, memory }) => {
      await send(["other"]);
      for (let i = 0; i < 24; i++) await send([...new Array(480).fill("hot"), ...keys(20)]);
      expect(seen("keyBound")).toHaveLength(1);
      const { share, ...where } = seen("keyBound")[0]!;
      expect(where).toEqual({ topic: TOPIC, partition: 0 });
      expect(share).toBeGreaterThan(0.94);
      expect(share).toBeLessThan(0.97);
      await memory.revoke(WHERE);
      await memory.assign(WHERE);
      for (let i = 0; i < 24; i++) await send(new Array(500).fill(null));
      expect(seen("keyBound")).toHaveLength(2);
    });
  });

  test("X3: none at 90 %", async () => {
    const topic = { eachMessage: () => {}, virtualPartitions: true as const };
    await withRig({ topic }, async ({ send, seen }) => {
      for (let i = 0; i < 24; i++) await send([...new Array(450).fill("hot"), ...keys(50)]);
      expect(seen("keyBound")).toEqual([]);
    });
  });

  test("X1, X3: key-bound says the share", async () => {
    const calls = new Calls();
    let hold = false;
    const topic = {
      virtualPartitions: true as const,
      eachBatch: (batch: Batch) => (hold ? calls.eachBatch(batch) : undefined),
    };
    await withRig({ topic }, async ({ send, consumer }) => {
      for (let i = 0; i < 24; i++) await send(new Array(500).fill("hot"));
      hold = true;
      await send(["hot", "hot"]);
      expect(consumer.explain()).toMatchObject([{ reason: "key-bound", share: 1 }]);
    });
  });
});

describe("stats()", () => {
  test("lag counts all up to what was polled, a hole at the end of the log too, and goes on from there in a pause", async () => {
    const calls = new Calls();
    const options = {
      topic: { eachMessage: calls.eachMessage },
      memory: { deliverMode: "manual" as const },
    };
    await withRig(options, async ({ consumer, memory, pass }) => {
      const lag = (): unknown => consumer.stats().partitions[0]?.lag;
      memory.deliver(TOPIC, 0, [{ key: "a" }]);
      memory.step(TOPIC, 0);
      expect(lag()).toBe(1);
      memory.skip(TOPIC, 0, 3);
      expect(memory.step(TOPIC, 0)).toBe(0);
      expect(lag()).toBe(4);
      consumer.pause();
      // Not asked for in a pause: not known.
      memory.deliver(TOPIC, 0, [{ key: "a" }]);
      expect(lag()).toBe(4);
      calls.finishAll();
      await pass(5000);
      expect(lag()).toBe(0);
      consumer.resume();
      memory.step(TOPIC, 0);
      expect(lag()).toBe(1);
      calls.finishAll();
    });
  });

  test("counts of a partition: queued, in flight, lanes, busiest lane, committed, lag", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...PER_KEY };
    await withRig({ topic, consumer: { concurrency: 3 } }, async ({ consumer, send, pass }) => {
      await send(["a", "a", "a", "b", "c", "d"]);
      await pass(10);
      expect(consumer.stats()).toMatchObject({
        concurrency: 3,
        running: 3,
        processed: 0,
        failed: 0,
        droppedResults: 0,
        partitions: [
          {
            topic: TOPIC,
            partition: 0,
            queued: 3,
            inFlight: 3,
            unacknowledged: 0,
            committed: 0,
            committable: 0,
            lag: 6,
            mapSize: 0,
            mapTruncated: false,
            collapsedUntil: null,
            lanes: 4,
            busiestLane: { messages: 3 },
          },
        ],
      });
      calls.finish(0);
      await pass(1000);
      expect(consumer.stats()).toMatchObject({
        processed: 1,
        partitions: [{ queued: 2, inFlight: 3, committed: 1, committable: 1, lag: 5, lanes: 4 }],
      });
      expect(JSON.parse(JSON.stringify(consumer.stats()))).toEqual(consumer.stats());
      while (calls.running.length > 0) {
        calls.finishAll();
        await pass();
      }
    });
  });

  test("R10: latencies are on the monotonic clock, consumption from the message's timestamp", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    await withRig({ topic }, async ({ consumer, memory, pass, clock }) => {
      expect(consumer.stats().partitions[0]?.processingLatencyMs).toEqual({
        p50: null,
        p99: null,
        max: null,
      });
      memory.deliver(TOPIC, 0, [
        { timestamp: clock.wallTime() - 40 },
        { timestamp: clock.wallTime() - 40 },
      ]);
      await pass(100);
      calls.finish(0);
      await pass();
      const stats = consumer.stats().partitions[0]!;
      expect(stats.processingLatencyMs).toEqual({ p50: 100, p99: 100, max: 100 });
      expect(stats.consumptionLatencyMs).toEqual({ p50: 140, p99: 140, max: 140 });
      calls.finishAll();
      await pass(100);
    });
  });

  test("latencies are those of the last 30 to 60 s with calls, and a quiet partition keeps its own", async () => {
    const topic = { eachMessage: () => {} };
    await withRig({ topic }, async ({ consumer, memory, pass, clock }) => {
      const ageOf = async (ageMs: number): Promise<number | null> => {
        memory.deliver(TOPIC, 0, [{ timestamp: clock.wallTime() - ageMs }]);
        await pass();
        return consumer.stats().partitions[0]!.consumptionLatencyMs.max;
      };
      expect(await ageOf(900)).toBe(900);
      await pass(29_000);
      expect(await ageOf(100)).toBe(900);
      await pass(2000);
      // A second window has begun, the first one still counts.
      expect(await ageOf(200)).toBe(900);
      await pass(31_000);
      expect(await ageOf(300)).toBe(300);
      expect(await ageOf(10)).toBe(300);
      await pass(500_000);
      expect(consumer.stats().partitions[0]!.consumptionLatencyMs.max).toBe(300);
      expect(await ageOf(20)).toBe(20);
    });
  });

  test("latencies of synchronous handlers count what waited behind them", async () => {
    const { clock, work } = workingClock();
    const topic = { eachMessage: () => work(4), virtualPartitions: { maxPartitions: 4 } };
    await withRig({ topic, clock }, async ({ consumer, send, pass }) => {
      await send(["a", "b", "c", "d", "e", "f"]);
      await pass();
      const { processingLatencyMs } = consumer.stats().partitions[0]!;
      expect(processingLatencyMs.max!).toBeGreaterThanOrEqual(12);
      expect(processingLatencyMs.p50!).toBeLessThan(processingLatencyMs.max!);
    });
  });

  test("a message without a timestamp has no consumption latency", async () => {
    await withRig({ topic: { eachMessage: () => {} } }, async ({ consumer, memory, pass }) => {
      memory.deliver(TOPIC, 0, [{ timestamp: -1 }]);
      await pass();
      const { consumptionLatencyMs, processingLatencyMs } = consumer.stats().partitions[0]!;
      expect(consumptionLatencyMs).toEqual({ p50: null, p99: null, max: null });
      expect(processingLatencyMs).toEqual({ p50: 0, p99: 0, max: 0 });
    });
  });

  test("processed and failed outlive their leases", async () => {
    let failed = false;
    const topic = {
      retry: { backoffMs: 1 },
      eachMessage: (_: Message) => {
        if (failed) return;
        failed = true;
        throw new Error("planned");
      },
    };
    await withRig({ topic }, async ({ consumer, send, pass, memory }) => {
      await send(["a", "b"]);
      await pass(100);
      await memory.revoke(WHERE);
      expect(consumer.stats()).toMatchObject({ processed: 2, failed: 1, partitions: [] });
    });
  });
});
