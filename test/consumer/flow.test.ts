import { describe, expect, test } from "bun:test";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Batch, Message } from "../../src/types.ts";
import { Calls, keys, makeRig, range, TOPIC, withRig } from "./rig.ts";
import { WorkClock } from "./work-clock.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];

describe("maxMessages and maxWaitMs", () => {
  const fill = (
    extra: object,
  ): { batches: { at: number; offsets: number[] }[]; topic: object; clock: typeof clock } => {
    const clock = fakeClock();
    const batches: { at: number; offsets: number[] }[] = [];
    const topic = {
      eachBatch: (batch: Batch) => {
        const offsets = batch.messages.map((message) => message.offset);
        batches.push({ at: clock.now(), offsets });
      },
      maxMessages: 10,
      maxWaitMs: 1000,
      ...extra,
    };
    return { batches, topic, clock };
  };
  const memory = { deliverMode: "manual" as const };
  /** Appends n messages to the log and hands over all but the last, so that the log's end is not reached. */
  const behind = async (rig: Parameters<Parameters<typeof withRig>[1]>[0], n: number) => {
    await rig.send(keys(n));
    await rig.send(["behind"]);
    rig.memory.step(TOPIC, 0);
    await rig.pass();
  };

  test("F3: an eachBatch call waits to be filled, never longer than maxWaitMs", async () => {
    const { batches, topic, clock } = fill({});
    await withRig({ topic: topic as never, memory, clock }, async (rig) => {
      await behind(rig, 3);
      await rig.pass(999);
      expect(batches).toEqual([]);
      await rig.pass(1);
      expect(batches).toEqual([{ at: 1000, offsets: [0, 1, 2] }]);
    });
  });

  test("F3: it starts as soon as it is full", async () => {
    const { batches, topic, clock } = fill({});
    await withRig({ topic: topic as never, memory, clock }, async (rig) => {
      await behind(rig, 9);
      await rig.pass(100);
      expect(batches).toEqual([]);
      await rig.send(["more"]);
      rig.memory.step(TOPIC, 0);
      expect(batches).toEqual([{ at: 100, offsets: range(10) }]);
    });
  });

  test("F3: what is left of a full lane may wait again, but not for ever", async () => {
    const { batches, topic, clock } = fill({});
    const { eachBatch } = topic as { eachBatch: (batch: Batch) => void };
    Object.assign(topic, { eachBatch: async (batch: Batch) => eachBatch(batch) });
    await withRig({ topic: topic as never, memory, clock }, async (rig) => {
      await behind(rig, 13);
      expect(batches).toEqual([{ at: 0, offsets: range(10) }]);
      await rig.pass(1000);
      expect(batches.slice(1).map((batch) => batch.offsets)).toEqual([[10, 11, 12]]);
    });
  });

  test("F3: at the high watermark it starts at once", async () => {
    const { batches, topic, clock } = fill({});
    await withRig({ topic: topic as never, memory, clock }, async (rig) => {
      await rig.send(keys(3));
      rig.memory.step(TOPIC, 0);
      expect(batches).toEqual([{ at: 0, offsets: [0, 1, 2] }]);
    });
  });

  test("F3: it starts when the rest of the log turns out to be a hole", async () => {
    const { batches, topic, clock } = fill({ maxWaitMs: 600_000 });
    await withRig({ topic: topic as never, memory, clock }, async (rig) => {
      await behind(rig, 3);
      expect(batches).toEqual([]);
      rig.memory.trim(TOPIC, 0, 4);
      expect(rig.memory.step(TOPIC, 0)).toBe(0);
      await rig.pass();
      expect(batches).toEqual([{ at: 0, offsets: [0, 1, 2] }]);
    });
  });

  test("F3: without budget to poll more it starts early", async () => {
    const { batches, topic, clock } = fill({
      maxWaitMs: 600_000,
      virtualPartitions: { maxPartitions: 8, distribution: "per-key" },
    });
    const options = { maxInFlightMessages: 10 };
    await withRig({ topic: topic as never, memory, clock, consumer: options }, async (rig) => {
      await behind(rig, 12);
      await rig.pass(100);
      expect(batches.flatMap((batch) => batch.offsets).sort((a, b) => a - b)).toEqual(range(12));
    });
  });

  test("F3: a retry does not wait to be filled", async () => {
    let failed = false;
    const { batches, topic, clock } = fill({ retry: { backoffMs: 10, jitter: 0 } });
    const { eachBatch } = topic as { eachBatch: (batch: Batch) => void };
    const failing = (batch: Batch): void => {
      if (!failed) {
        failed = true;
        throw new Error("planned");
      }
      eachBatch(batch);
    };
    const own = { ...topic, eachBatch: failing };
    await withRig({ topic: own as never, memory, clock }, async (rig) => {
      await behind(rig, 3);
      await rig.pass(1000 + 10);
      expect(batches[0]).toEqual({ at: 1010, offsets: [0] });
    });
  });
});

describe("budgets", () => {
  test("F1: a slow partition is held, then paused, and resumed below half; another one goes on", async () => {
    const calls = new Calls();
    const quick: number[] = [];
    const topic = {
      maxMessages: 1,
      eachBatch: (batch: Batch) =>
        batch.partition === 0 ? calls.eachBatch(batch) : void quick.push(batch.firstOffset),
    };
    const memory = { topics: { [TOPIC]: 2 }, maxBatchRecords: 10 };
    await withRig({ topic, memory, consumer: { maxInFlightMessages: 40 } }, async (rig) => {
      const { send, pass, consumer } = rig;
      await send(keys(1000), 0);
      await pass(2000);
      const polled = (): number => {
        const { queued, inFlight } = consumer.stats().partitions[0]!;
        return queued + inFlight;
      };
      // Owned: 40 / 4 = 10, and the common half of 20; soft by one delivery.
      expect(polled()).toBeGreaterThan(30);
      expect(polled()).toBeLessThanOrEqual(30 + 10);
      await send(keys(500), 1);
      await pass(2000);
      expect(quick).toHaveLength(500);
      expect(polled()).toBeLessThanOrEqual(40);
      let done = 0;
      while (done < 1000) {
        calls.finishAll();
        done++;
        await pass();
        expect(polled()).toBeLessThanOrEqual(40);
        if (done % 10 === 0) await pass(60);
      }
      await pass(100);
      expect(rig.stored(0)).toBe(1000);
    });
  });

  test("F1: one delivery is always accepted, however small the budget", async () => {
    const topic = { eachMessage: async () => {}, maxMessages: 1 };
    const memory = { maxBatchRecords: 500 };
    const consumer = { maxInFlightMessages: 1, maxInFlightBytes: 64 * 1024 };
    await withRig({ topic, memory, consumer }, async ({ send, pass, stored }) => {
      await send(keys(2000));
      await pass(2000);
      expect(stored()).toBe(2000);
    });
  });

  test("F2: bytes count too: key, value, headers and 512 a message", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    const memory = { maxBatchRecords: 1 };
    await withRig({ topic, memory, consumer: { maxInFlightBytes: 100 * 1024 } }, async (rig) => {
      const value = new Uint8Array(10 * 1024);
      rig.memory.deliver(
        TOPIC,
        0,
        range(100).map(() => ({ value })),
      );
      await rig.pass(2000);
      const { queued, inFlight } = rig.consumer.stats().partitions[0]!;
      expect(queued + inFlight).toBe(10);
      expect(rig.consumer.explain()[0]?.reason).toBe("handler-running");
      while (calls.running.length > 0) {
        calls.finishAll();
        await rig.pass(60);
      }
      await rig.pass(100);
      expect(rig.stored()).toBe(100);
    });
  });

  test("F4: a partition that is 2³¹ past its committable offset starts nothing new: map-full", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 5, distribution: "per-key" as const },
    };
    await withRig({ topic }, async ({ memory, pass, consumer }) => {
      memory.deliver(TOPIC, 0, [{ key: "a", offset: 0 }]);
      memory.deliver(TOPIC, 0, [{ key: "b", offset: 2 ** 31 + 5 }]);
      memory.deliver(TOPIC, 0, [{ key: "c" }]);
      await pass(100);
      expect(calls.open[0]).toBe(0);
      expect(calls.open).not.toContain(2 ** 31 + 6);
      expect(consumer.explain()).toMatchObject([{ reason: "map-full", offset: 0 }]);
      calls.finish(0);
      await pass();
      expect(calls.open).toContain(2 ** 31 + 6);
      calls.finishAll();
      await pass();
      calls.finishAll();
      await pass(100);
    });
  });
});

describe("the event loop", () => {
  const forms: [string, (work: () => void) => () => void | Promise<void>][] = [
    ["synchronous", (work) => () => work()],
    [
      "microtask-only",
      (work) => async () => {
        work();
        await Promise.resolve();
      },
    ],
  ];
  for (const [name, form] of forms) {
    for (const costMs of [0.001, 0.1, 1, 7]) {
      test(`R1: ${name} handlers of ${costMs} ms give way at least every 10 ms or so`, async () => {
        const clock = new WorkClock();
        const total = Math.min(20_000, Math.ceil(300 / costMs));
        let handled = 0;
        let timers = 0;
        let resolve = (): void => {};
        const all = new Promise<void>((settle) => {
          resolve = settle;
        });
        const call = form(() => {
          clock.work(costMs);
          if (++handled === total) resolve();
        });
        const memory = memorySource({ topics: { [TOPIC]: 1 }, maxBatchRecords: 1_000_000 });
        const topic = { eachMessage: () => call(), virtualPartitions: true as const };
        const options = { clock, maxInFlightMessages: 1_000_000, drainTimeoutMs: 0 };
        const rig = makeRig({ topic, memory, consumer: options, quiet: true });
        await rig.consumer.start();
        memory.deliver(
          TOPIC,
          0,
          range(total).map((i) => ({ key: `k${i}` })),
        );
        let running = true;
        const tick = (): void => {
          timers++;
          if (running) setImmediate(tick);
        };
        setImmediate(tick);
        await all;
        running = false;
        // 10 ms, one handler, and what runs between two looks at the clock.
        expect(Math.max(...clock.burstsMs)).toBeLessThanOrEqual(10 + 2 * costMs + 2);
        expect(timers).toBeGreaterThan(0);
        await rig.consumer.close();
      });
    }
  }

  test("R1: the event loop gets its turn when handlers suddenly become slow", async () => {
    const clock = new WorkClock();
    let handled = 0;
    let resolve = (): void => {};
    const all = new Promise<void>((settle) => {
      resolve = settle;
    });
    const memory = memorySource({ topics: { [TOPIC]: 1 }, maxBatchRecords: 1_000_000 });
    const topic = {
      eachMessage: (_: Message) => {
        clock.work(++handled > 10_000 ? 1 : 0.0005);
        if (handled === 10_500) resolve();
      },
    };
    const options = { clock, maxInFlightMessages: 1_000_000, drainTimeoutMs: 0 };
    const rig = makeRig({ topic, memory, consumer: options, quiet: true });
    await rig.consumer.start();
    memory.deliver(
      TOPIC,
      0,
      range(10_500).map(() => ({})),
    );
    await all;
    expect(Math.max(...clock.burstsMs)).toBeLessThanOrEqual(50);
    await rig.consumer.close();
  });

  test("R2: work that was cut off goes on by itself, and revoke in between is obeyed", async () => {
    const clock = new WorkClock();
    const handled: number[] = [];
    const memory = memorySource({ topics: { [TOPIC]: 1 }, maxBatchRecords: 1_000_000 });
    const topic = {
      eachMessage: (message: Message) => {
        handled.push(message.offset);
        clock.work(1);
      },
    };
    const options = { clock, maxInFlightMessages: 1_000_000, drainTimeoutMs: 0 };
    const rig = makeRig({ topic, memory, consumer: options });
    await rig.consumer.start();
    memory.deliver(
      TOPIC,
      0,
      range(200).map(() => ({})),
    );
    while (handled.length === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    await memory.revoke(WHERE);
    const { length } = handled;
    expect(length).toBeLessThan(200);
    expect(rig.stored()).toBe(length);
    await rig.consumer.close();
    expect(handled).toHaveLength(length);
  });
});
