import { describe, expect, test } from "bun:test";
import { ProduceError } from "../../src/errors.ts";
import type { Failure } from "../../src/options.ts";
import { DEAD, HeldSink, poisonous } from "./held-sink.ts";
import { Calls, laneByKey, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };

const count = (offsets: readonly number[], offset: number): number =>
  offsets.filter((one) => one === offset).length;

describe("dead letters and the lease", () => {
  for (const onError of ["collapse", "isolate"] as const) {
    const queue = { maxRetries: onError === "collapse" ? 1 : 0 };

    test(`Q6: with ${onError} a lease lost while the request is on its way marks nothing, sends nothing`, async () => {
      const sink = new HeldSink();
      sink.held = true;
      const { topic } = poisonous(queue, { onError });
      await withRig(sink.rig(topic), async ({ send, pass, memory, seen, stored }) => {
        await send(["0x", "0x"]);
        await pass(100);
        expect(sink.sentOffsets).toEqual([0]);
        await memory.lose(WHERE);
        sink.waiting[0]?.acknowledge();
        await pass(60_000);
        expect([seen("deadLettered"), stored()]).toEqual([[], 0]);
        expect(sink.sentOffsets).toEqual([0]);
      });
    });

    test(`Q6: with ${onError} a lost lease retries no dispatch`, async () => {
      const sink = new HeldSink();
      sink.held = true;
      const { topic } = poisonous(queue, { onError });
      await withRig(sink.rig(topic), async ({ send, pass, memory, seen }) => {
        await send(["0x"]);
        await pass(100);
        await memory.lose(WHERE);
        sink.waiting[0]?.fail();
        await pass(60_000);
        expect(sink.sent).toHaveLength(1);
        expect(seen("error")).toEqual([]);
      });
    });

    test(`Q6: with ${onError} nothing is sent when the lease was lost before the sink was ready`, async () => {
      const sink = new HeldSink();
      const { topic } = poisonous(queue, { onError });
      await withRig(sink.rig(topic), async ({ send, pass, memory, seen }) => {
        let open = (): void => {};
        sink.gate = new Promise((resolve) => {
          open = resolve;
        });
        await send(["0x"]);
        await pass(100);
        await memory.lose(WHERE);
        open();
        await pass(60_000);
        expect([sink.sentOffsets, seen("deadLettered"), seen("error")]).toEqual([[], [], []]);
      });
    });

    test(`R2: with ${onError} a drain waits for a request on its way, and commits its mark`, async () => {
      const sink = new HeldSink();
      sink.held = true;
      const { topic } = poisonous(queue, { onError });
      await withRig(sink.rig(topic), async ({ send, pass, memory, seen, stored }) => {
        await send(["0x", "0"]);
        await pass(100);
        let over = false;
        const revoked = memory.revoke(WHERE).then(() => {
          over = true;
        });
        await pass(1000);
        expect(over).toBe(false);
        sink.waiting[0]?.acknowledge();
        await pass();
        await revoked;
        expect(seen("deadLettered")).toHaveLength(1);
        expect(stored()).toBe(1);
      });
    });

    test(`R2, R4: with ${onError} neither drain nor close waits for a dispatch that backs off`, async () => {
      const sink = new HeldSink();
      sink.failures.push(new ProduceError("away", { retriable: true }));
      const { topic } = poisonous(queue, { onError, retry: { ...RETRY, backoffMs: 100 } });
      await withRig(sink.rig(topic), async ({ send, pass, clock, consumer }) => {
        await send(["0x"]);
        await pass(100 * queue.maxRetries);
        expect(sink.sent).toHaveLength(1);
        const before = clock.now();
        const closed = consumer.close();
        await pass();
        await closed;
        expect(clock.now()).toBe(before);
        expect(clock.pendingTimers()).toBe(0);
        await pass(1000);
        expect(sink.sent).toHaveLength(1);
      });
    });

    test(`R3: with ${onError} a continued lease does not start a dispatch again that is on its way`, async () => {
      const sink = new HeldSink();
      sink.held = true;
      const { topic, handled } = poisonous(queue, { onError });
      const consumer = { drainTimeoutMs: 1000 };
      await withRig(sink.rig(topic, { consumer }), async ({ send, pass, memory, seen, stored }) => {
        await send(["0x", "0"]);
        await pass(100);
        const calls = handled.length;
        const revoked = memory.revoke(WHERE, { keep: WHERE });
        await pass(1000);
        await revoked;
        await pass(10_000);
        expect([sink.sent.length, handled.length]).toEqual([1, calls]);
        sink.waiting[0]?.acknowledge();
        await pass(100);
        expect(seen("deadLettered")).toHaveLength(1);
        expect(handled.slice(calls)).toEqual([1]);
        expect(stored()).toBe(2);
      });
    });

    test(`R3: with ${onError} an answer that comes while the lease is suspended counts`, async () => {
      const sink = new HeldSink();
      sink.held = true;
      const { topic, handled } = poisonous(queue, { onError });
      const consumer = { drainTimeoutMs: 1000 };
      await withRig(sink.rig(topic, { consumer }), async ({ send, pass, memory, seen, stored }) => {
        await send(["0x", "0"]);
        await pass(100);
        const revoked = memory.revoke(WHERE, {
          keep: WHERE,
          whileSuspended: async () => {
            sink.waiting[0]?.acknowledge();
            for (let i = 0; i < 20; i++) await Promise.resolve();
          },
        });
        await pass(1000);
        await revoked;
        await pass(100);
        expect(seen("deadLettered")).toHaveLength(1);
        expect([sink.sent.length, handled.at(-1)]).toEqual([1, 1]);
        expect(stored()).toBe(2);
      });
    });

    test(`R3, Q4: with ${onError} a refusal during the drain is tried again by the call, at once`, async () => {
      const sink = new HeldSink();
      sink.held = true;
      const { topic, handled } = poisonous(queue, { onError });
      await withRig(sink.rig(topic), async ({ send, pass, memory, seen, consumer }) => {
        await send(["0x", "0"]);
        await pass(100);
        const calls = handled.length;
        const revoked = memory.revoke(WHERE, { keep: WHERE });
        await pass();
        sink.waiting[0]?.fail();
        sink.held = false;
        await pass();
        await revoked;
        await pass();
        expect(handled.slice(calls)).toEqual([0, 1]);
        expect(sink.sent).toHaveLength(2);
        expect(seen("deadLettered")).toHaveLength(1);
        expect(consumer.explain()[0]?.reason).toBe("end-of-log");
      });
    });

    test(`R11: with ${onError} a seek drops a dispatch that is on its way`, async () => {
      const sink = new HeldSink();
      sink.held = true;
      const { topic, handled } = poisonous(queue, { onError });
      await withRig(sink.rig(topic), async ({ send, pass, seen, stored, consumer }) => {
        await send(["0x", "0"]);
        await pass(100);
        await consumer.seek({ topic: TOPIC, partition: 0 }, 1);
        await pass(100);
        expect(stored()).toBe(2);
        expect(handled.at(-1)).toBe(1);
        sink.waiting[0]?.acknowledge();
        await pass(1000);
        expect([seen("deadLettered"), sink.sent.length]).toEqual([[], 1]);
      });
    });
  }

  test("E9: a call that fails in the drain is not dead-lettered, whatever its attempts", async () => {
    const sink = new HeldSink();
    const calls = new Calls();
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      deadLetterQueue: { topic: DEAD, maxRetries: 0 },
      eachMessage: calls.eachMessage,
    };
    await withRig(sink.rig(topic), async ({ send, pass, memory, seen }) => {
      await send(["a"]);
      const revoked = memory.revoke(WHERE, { keep: WHERE });
      await pass();
      calls.at(0).fail();
      await pass();
      await revoked;
      await pass();
      expect([sink.sent, seen("failed"), seen("deadLettered")]).toEqual([[], [], []]);
      expect(calls.at(0).context.attempt).toBe(1);
      calls.at(0).fail();
      await pass();
      expect(sink.sentOffsets).toEqual([0]);
    });
  });

  test("E5: with isolate, a dispatch that is answered does not end the back-off of a collapsed partition", async () => {
    const sink = new HeldSink();
    sink.held = true;
    const calls = new Calls();
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      virtualPartitions: laneByKey(4),
      deadLetterQueue: { topic: DEAD, maxRetries: 0, strategy: (f: Failure) => answer(f) },
      eachMessage: calls.eachMessage,
    };
    const answer = (failure: Failure) =>
      failure.message.keyText() === "1" ? ("dispatch" as const) : ("retry" as const);
    await withRig(sink.rig(topic), async ({ send, pass }) => {
      await send(["0", "1", "2"]);
      calls.at(1).fail();
      await pass();
      calls.at(2).context.collapseUntil(2);
      calls.at(0).fail();
      calls.finish(2);
      await pass(100);
      expect(calls.open).toEqual([0]);
      calls.at(0).fail();
      await pass(50);
      sink.waiting[0]?.acknowledge();
      await pass(49);
      expect(calls.open).toEqual([]);
      await pass(1);
      expect(count(calls.started, 0)).toBe(3);
      calls.finishAll();
      await pass();
    });
  });
});
