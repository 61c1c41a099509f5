import { describe, expect, test } from "bun:test";
import { HeadraceError, Redeliver } from "../../src/errors.ts";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { Calls, laneByKey, makeRig, range, TOPIC, withRig } from "./rig.ts";
import { WorkClock } from "./work-clock.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };

describe("Redeliver", () => {
  const ways: [string, () => void | Promise<void>][] = [
    [
      "thrown",
      () => {
        throw new Redeliver();
      },
    ],
    ["rejected with", () => Promise.reject(new Redeliver())],
  ];
  test.each(ways)(
    "E6: %s, the message comes again at once: no attempt, no failure, no collapse",
    async (_, again) => {
      const attempts: number[] = [];
      const topic = {
        virtualPartitions: laneByKey(4),
        retry: RETRY,
        eachMessage: (message: Message, context: MessageContext) => {
          if (message.offset === 0) attempts.push(context.attempt);
          if (attempts.length < 3) return again();
        },
      };
      await withRig({ topic }, async ({ send, pass, seen, consumer, stored }) => {
        await send(["0", "1"]);
        expect(attempts).toEqual([1, 1, 1]);
        expect([seen("failed"), seen("collapsed"), seen("error")]).toEqual([[], [], []]);
        expect(consumer.stats().failed).toBe(0);
        await pass(100);
        expect(stored()).toBe(2);
      });
    },
  );

  test("E6: the marked ones of a batch do not come again", async () => {
    const calls: number[][] = [];
    const topic = {
      eachBatch: (batch: Batch) => {
        calls.push(batch.messages.map(({ offset }) => offset));
        if (calls.length > 1) return;
        batch.markAsConsumed(batch.messages[1]);
        throw new Redeliver({ pauseMs: 50 });
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a", "b", "c", "d"]);
      await pass(49);
      expect(calls).toEqual([[0, 1, 2, 3]]);
      expect(seen("paused")).toHaveLength(1);
      await pass(1);
      expect(calls.slice(1).flat()).toEqual([2, 3]);
      expect(seen("resumed")).toHaveLength(1);
      await pass(100);
      expect(stored()).toBe(4);
    });
  });

  test("E6: pauseMs pauses the partition first", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4), retry: RETRY };
    await withRig({ topic }, async ({ send, pass, consumer }) => {
      await send(["0", "1", "1"]);
      calls.at(0).fail(new Redeliver({ pauseMs: 200 }));
      calls.finish(1);
      await pass(199);
      expect(calls.open).toEqual([]);
      expect(consumer.explain()[0]?.reason).toBe("paused");
      await pass(1);
      expect(calls.open).toEqual([0, 2]);
      expect(calls.at(0).context.attempt).toBe(1);
    });
  });

  test("E6: collapseUntil collapses, without a back-off and with nothing failed", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4), retry: RETRY };
    await withRig({ topic }, async ({ send, pass, seen }) => {
      await send(["0", "1", "2", "3"]);
      calls.at(1).fail(new Redeliver({ collapseUntil: 2 }));
      calls.finish(0);
      await pass();
      expect(calls.at(2).context.failing).toBe(false);
      calls.at(2).fail(new Redeliver({ collapseUntil: 1 }));
      calls.finish(3);
      await pass();
      expect(seen("collapsed").map(({ until }) => until)).toEqual([3]);
      for (const offset of [1, 2]) {
        expect(calls.open).toEqual([offset]);
        expect(calls.at(offset).context).toMatchObject({ attempt: 1, collapsed: true });
        calls.finish(offset);
        await pass();
      }
      expect(seen("expanded")).toHaveLength(1);
      expect(seen("failed")).toEqual([]);
    });
  });

  test("E6: both: the pause delays the collapsed calls", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4), retry: RETRY };
    await withRig({ topic }, async ({ send, pass, seen }) => {
      await send(["0", "1"]);
      calls.at(0).fail(new Redeliver({ pauseMs: 300, collapseUntil: 5 }));
      calls.finish(1);
      await pass(299);
      expect(calls.open).toEqual([]);
      expect(seen("collapsed").map(({ until }) => until)).toEqual([6]);
      await pass(1);
      expect(calls.open).toEqual([0]);
    });
  });

  test("E9: while draining it is abandoned like any other: nothing is paused or collapsed", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4), retry: RETRY };
    await withRig({ topic }, async ({ send, pass, seen, memory }) => {
      await send(["0"]);
      const revoked = memory.revoke(WHERE, { keep: WHERE });
      await pass();
      calls.at(0).fail(new Redeliver({ pauseMs: 1000, collapseUntil: 9 }));
      await pass();
      await revoked;
      await pass();
      expect(calls.open).toEqual([0]);
      expect([seen("paused"), seen("collapsed"), seen("failed")]).toEqual([[], [], []]);
    });
  });

  test("E6: one of another copy of the library counts too", async () => {
    let thrown = false;
    const topic = {
      retry: RETRY,
      eachMessage: () => {
        if (thrown) return;
        thrown = true;
        const foreign = new HeadraceError("again", { code: "HEADRACE_REDELIVER", retriable: true });
        throw Object.assign(foreign, { pauseMs: 0, collapseUntil: null });
      },
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a"]);
      await pass(100);
      expect(seen("failed")).toEqual([]);
      expect(stored()).toBe(1);
    });
  });

  test("E6: a wrong pause or offset is refused where it is made", () => {
    for (const wrong of [-1, 1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
      expect(() => new Redeliver({ pauseMs: wrong })).toThrow(RangeError);
    }
    for (const wrong of [-1, 1.5, Number.NaN, 2 ** 53]) {
      expect(() => new Redeliver({ collapseUntil: wrong })).toThrow(RangeError);
    }
    expect(() => new Redeliver({ pauseMs: -1 })).toThrow(
      /^Cannot redeliver as pauseMs must be .+: received -1$/,
    );
    expect(new Redeliver({ pauseMs: 2 ** 31 - 1, collapseUntil: 2 ** 40 })).toMatchObject({
      pauseMs: 2 ** 31 - 1,
      collapseUntil: 2 ** 40,
    });
  });

  const options: [string, ConstructorParameters<typeof Redeliver>[0]][] = [
    ["nothing", {}],
    ["collapseUntil", { collapseUntil: 5 }],
  ];
  for (const [name, asked] of options) {
    for (const form of ["synchronous", "microtask-only"]) {
      test(`R1, E6: a ${form} handler that always throws it, with ${name}, gives the event loop its turns`, async () => {
        const clock = new WorkClock();
        let calls = 0;
        const again = (): never => {
          calls++;
          clock.work(0.01);
          throw new Redeliver(asked);
        };
        const topic = {
          virtualPartitions: laneByKey(4),
          eachMessage: form === "synchronous" ? () => again() : async () => again(),
        };
        const rig = makeRig({ topic, consumer: { clock, drainTimeoutMs: 0 }, quiet: true });
        await rig.consumer.start();
        rig.memory.deliver(
          TOPIC,
          0,
          range(8).map((i) => ({ key: `${i}` })),
        );
        while (calls < 20_000) {
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
        // 10 ms, one handler, and what runs between two looks at the clock.
        expect(Math.max(...clock.burstsMs)).toBeLessThanOrEqual(13);
        await rig.consumer.close();
      });
    }
  }
});
