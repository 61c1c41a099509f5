import { describe, expect, test } from "bun:test";
import { FencedError, ProduceError } from "../../src/errors.ts";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { DEAD, HeldSink, poisonous, textOf } from "./held-sink.ts";
import { Calls, laneByKey, TOPIC, withRig } from "./rig.ts";

const HERE = { topic: TOPIC, partition: 0 };
const WHERE = [HERE];
const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };
const queue = { topic: DEAD, maxRetries: 1 };

/** What a promise came to, as soon as it has. */
function outcomeOf(promise: Promise<unknown>): { value: unknown } {
  const outcome = { value: "pending" as unknown };
  promise.then(
    () => {
      outcome.value = "done";
    },
    (error: unknown) => {
      outcome.value = error;
    },
  );
  return outcome;
}

describe("context.deadLetter()", () => {
  test("Q6: it dispatches and marks its message alone", async () => {
    const sink = new HeldSink();
    const topic = {
      acknowledge: "manual" as const,
      deadLetterQueue: queue,
      eachBatch: async (batch: Batch) => {
        await batch.deadLetter(batch.messages[1]!, "no such order");
      },
    };
    await withRig(sink.rig(topic), async ({ send, pass, seen, consumer }) => {
      await send(["a", "b", "c"]);
      await pass();
      expect(seen("deadLettered")).toEqual([{ ...HERE, offset: 1, target: DEAD }]);
      expect(sink.sentOffsets).toEqual([1]);
      const { headers } = sink.sent[0]!.records[0]!;
      expect(textOf(headers, "headrace-error-message")).toBe("no such order");
      expect(textOf(headers, "headrace-attempts")).toBe("1");
      expect(consumer.stats().partitions[0]).toMatchObject({ committable: 0, unacknowledged: 2 });
    });
  });

  test("Q6: a message of an earlier call can be dead-lettered, which acknowledges it", async () => {
    const sink = new HeldSink();
    const kept: Message[] = [];
    const topic = {
      acknowledge: "manual" as const,
      virtualPartitions: laneByKey(4),
      deadLetterQueue: queue,
      eachMessage: async (message: Message, context: MessageContext) => {
        if (message.keyText() === "0") return void kept.push(message);
        await context.deadLetter(kept[1]!);
        context.markAsConsumed();
      },
    };
    await withRig(sink.rig(topic), async ({ send, pass, consumer, stored, seen }) => {
      await send(["0", "0", "0"]);
      await send(["1"]);
      expect(sink.sentOffsets).toEqual([1]);
      expect(seen("deadLettered")).toMatchObject([{ offset: 1 }]);
      expect(consumer.stats().partitions[0]).toMatchObject({ committable: 0, unacknowledged: 2 });
      await pass(100);
      expect(stored()).toBe(0);
    });
  });

  test("Q4: it settles when the dispatch was acknowledged; a failed one is retried with back-off", async () => {
    const sink = new HeldSink();
    sink.failures.push(new ProduceError("away", { retriable: true }), new ProduceError("denied"));
    const calls = new Calls();
    const topic = { retry: RETRY, deadLetterQueue: queue, eachMessage: calls.eachMessage };
    await withRig(sink.rig(topic), async ({ send, pass, seen, stored }) => {
      await send(["a"]);
      const { context, messages } = calls.at(0);
      const outcome = outcomeOf(context.deadLetter(messages[0]!));
      await pass(199);
      expect([outcome.value, sink.sent.length]).toEqual(["pending", 2]);
      expect(seen("error").map(({ error }) => error.message)).toEqual(["away", "denied"]);
      await pass(1);
      expect([outcome.value, sink.sent.length]).toEqual(["done", 3]);
      calls.finish(0);
      await pass(100);
      expect(stored()).toBe(1);
    });
  });

  test("Q6: when the lease is lost first it rejects with FencedError; nothing is marked, nothing sent after", async () => {
    for (const answer of ["acknowledge", "fail"] as const) {
      const sink = new HeldSink();
      sink.held = true;
      const calls = new Calls();
      const topic = { retry: RETRY, deadLetterQueue: queue, eachMessage: calls.eachMessage };
      await withRig(sink.rig(topic), async ({ send, pass, memory, seen, clock }) => {
        await send(["a"]);
        const { context, messages } = calls.at(0);
        const outcome = outcomeOf(context.deadLetter(messages[0]!));
        await pass();
        await memory.lose(WHERE);
        sink.waiting[0]?.[answer]();
        await pass();
        expect(outcome.value).toBeInstanceOf(FencedError);
        expect([seen("deadLettered"), seen("error")]).toEqual([[], []]);
        await pass(60_000);
        expect(sink.sent).toHaveLength(1);
        calls.finishAll();
        expect(clock.pendingTimers()).toBeLessThan(2);
      });
    }
  });

  test("Q6, R4: a back-off of it ends with the lease, and leaves no timer", async () => {
    const sink = new HeldSink();
    for (let i = 0; i < 9; i++) sink.failures.push(new ProduceError("away", { retriable: true }));
    const calls = new Calls();
    const retry = { backoffMs: 60_000, maxBackoffMs: 60_000 };
    const topic = { retry, deadLetterQueue: queue, eachMessage: calls.eachMessage };
    const more = { consumer: { drainTimeoutMs: 100 } };
    await withRig(sink.rig(topic, more), async ({ send, pass, consumer, clock }) => {
      await send(["a"]);
      const { context, messages } = calls.at(0);
      const outcome = outcomeOf(context.deadLetter(messages[0]!));
      await pass();
      const closed = consumer.close();
      await pass(100);
      await closed;
      expect(outcome.value).toBeInstanceOf(FencedError);
      expect(clock.pendingTimers()).toBe(0);
      expect(sink.sent).toHaveLength(1);
    });
  });

  test("Q6: a message of an ended lease, or from before a seek, is refused unsent", async () => {
    const sink = new HeldSink();
    const calls = new Calls();
    const topic = { retry: RETRY, deadLetterQueue: queue, eachMessage: calls.eachMessage };
    await withRig(sink.rig(topic), async ({ send, pass, consumer, seen }) => {
      await send(["a"]);
      const old = calls.at(0).messages[0]!;
      calls.finish(0);
      await pass();
      await consumer.seek(HERE, 0);
      await pass();
      const { context } = calls.at(0);
      const outcome = outcomeOf(context.deadLetter(old));
      await pass();
      expect(outcome.value).toBeInstanceOf(FencedError);
      expect([sink.sentOffsets, seen("deadLettered")]).toEqual([[], []]);
      expect(consumer.stats().partitions[0]?.committable).toBe(0);
    });
  });

  test("Q6: a call that dead-letters its message and throws does not dispatch it again", async () => {
    for (const onError of ["collapse", "isolate"] as const) {
      const sink = new HeldSink();
      const { topic } = poisonous({ maxRetries: onError === "isolate" ? 0 : 1 }, { onError });
      const handled: number[] = [];
      const own = {
        ...topic,
        eachMessage: async (message: Message, context: MessageContext) => {
          handled.push(message.offset);
          if (message.offset > 0) return;
          await context.deadLetter(message);
          throw new Error("behind the dispatch");
        },
      };
      await withRig(sink.rig(own), async ({ send, pass, stored }) => {
        await send(["0", "0"]);
        await pass(5000);
        expect(sink.sentOffsets).toEqual([0]);
        expect(handled).toEqual([0, 1]);
        expect(stored()).toBe(2);
      });
    }
  });

  test("Q1: with topic: false it skips; without a dead letter queue it is a TypeError", async () => {
    const errors: unknown[] = [];
    const topic = {
      acknowledge: "manual" as const,
      deadLetterQueue: { topic: false as const },
      eachMessage: (message: Message, context: MessageContext) => context.deadLetter(message),
    };
    await withRig({ topic }, async ({ send, pass, seen, stored }) => {
      await send(["a"]);
      await pass(100);
      expect(seen("skipped")).toEqual([{ ...HERE, offset: 0 }]);
      expect(stored()).toBe(1);
    });
    const none = {
      eachMessage: async (message: Message, context: MessageContext) => {
        await context.deadLetter(message).catch((error: unknown) => errors.push(error));
        await context.deadLetter({} as never).catch((error: unknown) => errors.push(error));
      },
    };
    await withRig({ topic: none }, async ({ send }) => {
      await send(["a"]);
      expect(errors).toHaveLength(2);
      for (const error of errors) {
        expect(error).toBeInstanceOf(TypeError);
        expect(String(error)).toMatch(/TypeError: Cannot dead-letter a message as .+: received /);
      }
    });
  });

  test("H3: after its call it does nothing", async () => {
    const sink = new HeldSink();
    const calls = new Calls();
    for (const eachBatch of [false, true]) {
      const handler = eachBatch
        ? { eachBatch: calls.eachBatch }
        : { eachMessage: calls.eachMessage };
      const topic = { acknowledge: "manual" as const, deadLetterQueue: queue, ...handler };
      await withRig(sink.rig(topic), async ({ send, pass, seen }) => {
        await send(["a"]);
        const { context, messages } = calls.running[0]!;
        calls.finishAll();
        await pass();
        const outcome = outcomeOf(context.deadLetter(messages[0]!));
        await pass(1000);
        expect(outcome.value).toBe("done");
        expect([sink.sentOffsets, seen("deadLettered")]).toEqual([[], []]);
      });
    }
  });
});
