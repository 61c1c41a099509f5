import { describe, expect, test } from "bun:test";
import { ProduceError, SourceError } from "../../src/errors.ts";
import type { Failure } from "../../src/options.ts";
import type { Batch, Message, MessageContext } from "../../src/types.ts";
import { DEAD, HeldSink, poisonous, textOf } from "./held-sink.ts";
import { laneByKey, makeRig, TOPIC, withRig } from "./rig.ts";

const RETRY = { backoffMs: 100, multiplier: 1, maxBackoffMs: 100, jitter: 0 };

describe("dead letters", () => {
  test("Q1: after the first attempt and maxRetries retries it is dispatched, marked, and work goes on", async () => {
    const sink = new HeldSink();
    const { handled, topic } = poisonous({ maxRetries: 2 });
    await withRig(sink.rig(topic), async ({ send, pass, seen, stored, consumer }) => {
      await send(["0x", "1", "0"]);
      expect(handled).toEqual([0, 1]);
      await pass(100);
      expect(handled).toEqual([0, 1, 0]);
      await pass(99);
      expect(sink.sent).toEqual([]);
      await pass(1);
      expect(handled).toEqual([0, 1, 0, 0, 2]);
      expect(seen("deadLettered")).toEqual([
        { topic: TOPIC, partition: 0, offset: 0, target: DEAD },
      ]);
      expect(seen("expanded")).toHaveLength(0 + 1);
      expect(consumer.stats().failed).toBe(3);
      await pass(100);
      expect(stored()).toBe(3);
    });
    expect([sink.opened, sink.closed]).toEqual([1, 1]);
  });

  for (const onError of ["collapse", "isolate"] as const) {
    test(`Q1: with ${onError} the culprit of a batch is the message that fails alone`, async () => {
      const sink = new HeldSink();
      const calls: number[][] = [];
      const topic = {
        retry: RETRY,
        onError,
        deadLetterQueue: { topic: DEAD, maxRetries: 1 },
        eachBatch: async (batch: Batch) => {
          calls.push(batch.messages.map(({ offset }) => offset));
          if (batch.messages.some((message) => message.keyText() === "x")) throw new Error("x");
        },
      };
      await withRig(sink.rig(topic), async ({ send, pass, stored, seen }) => {
        await send(["a", "x", "b"]);
        await pass(1000);
        // The first message's success made the budget whole again (Q5).
        expect(calls).toEqual([[0, 1, 2], [0], [1], [1], [2]]);
        expect(seen("deadLettered").map(({ offset }) => offset)).toEqual([1]);
        await pass(100);
        expect(stored()).toBe(3);
      });
    });
  }

  test("Q2: with collapse the decision falls in the collapsed run only", async () => {
    const sink = new HeldSink();
    const asked: [number, number, boolean][] = [];
    const strategy = ({ offset, attempt, collapsed }: Failure) => {
      asked.push([offset, attempt, collapsed]);
      return "dispatch" as const;
    };
    const { handled, topic } = poisonous({ maxRetries: 1, strategy });
    await withRig(sink.rig(topic), async ({ send, pass }) => {
      await send(["0x", "1x"]);
      expect(asked).toEqual([]);
      await pass(100);
      expect(asked).toEqual([
        [0, 2, true],
        [1, 2, true],
      ]);
      expect(handled).toEqual([0, 1, 0, 1]);
      expect(sink.sentOffsets).toEqual([0, 1]);
    });
  });

  test("Q2: with isolate maxRetries 0 dispatches at the first failure, without a back-off", async () => {
    const sink = new HeldSink();
    const { handled, topic } = poisonous({ maxRetries: 0 }, { onError: "isolate" });
    await withRig(sink.rig(topic), async ({ send, seen, pass, stored }) => {
      await send(["0x", "0x", "0", "1"]);
      expect([...handled].sort()).toEqual([0, 1, 2, 3]);
      expect(seen("deadLettered").map(({ offset }) => offset)).toEqual([0, 1]);
      expect(seen("collapsed")).toEqual([]);
      await pass(100);
      expect(stored()).toBe(4);
    });
  });

  test("Q2, Q1: with isolate and maxRetries 0 a failed batch is tried one by one first", async () => {
    const sink = new HeldSink();
    const calls: number[][] = [];
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      deadLetterQueue: { topic: DEAD, maxRetries: 0 },
      eachBatch: async (batch: Batch) => {
        calls.push(batch.messages.map(({ offset }) => offset));
        if (batch.messages.some((message) => message.keyText() === "x")) throw new Error("x");
      },
    };
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["a", "x", "b", "x"]);
      await pass(1000);
      expect(calls).toEqual([[0, 1, 2, 3], [0], [1], [2], [3]]);
      expect(sink.sentOffsets).toEqual([1, 3]);
      await pass(100);
      expect(stored()).toBe(4);
    });
  });

  test("Q3: key, value and headers stay; headers about the failure are added", async () => {
    const sink = new HeldSink();
    const topic = {
      retry: RETRY,
      deadLetterQueue: { topic: DEAD, maxRetries: 1 },
      eachMessage: () => {
        // 3 bytes a sign: a cut in the middle of one would show.
        throw new RangeError(`é${"€".repeat(1000)}`);
      },
    };
    await withRig(sink.rig(topic), async ({ pass, memory, groupId }) => {
      const bytes = Uint8Array.of(0, 255, 1);
      const headers = [["trace", "1"] as const, ["trace", bytes] as const, ["a", ""] as const];
      memory.deliver(TOPIC, 1, [{ key: "k", value: bytes, headers, timestamp: 1_234 }]);
      await pass(500);
      const [letter] = [0, 1, 2].flatMap((p) => [...sink.memory.records(DEAD, p)]);
      expect(new TextDecoder().decode(letter!.key!)).toBe("k");
      expect([...letter!.value!]).toEqual([...bytes]);
      expect(letter!.headers.slice(0, 3)).toEqual([
        ["trace", new TextEncoder().encode("1")],
        ["trace", bytes],
        ["a", new Uint8Array()],
      ]);
      const added = letter!.headers.slice(3).map(([name]) => [name, textOf(letter!.headers, name)]);
      const message = `é${"€".repeat(340)}`;
      expect(added).toEqual([
        ["headrace-source-topic", TOPIC],
        ["headrace-source-partition", "1"],
        ["headrace-source-offset", "0"],
        ["headrace-source-timestamp", "1234"],
        ["headrace-group-id", groupId],
        ["headrace-attempts", "2"],
        ["headrace-error-name", "RangeError"],
        ["headrace-error-message", message],
        ["headrace-virtual-partition", "0"],
      ]);
      expect(new TextEncoder().encode(message).length).toBeLessThanOrEqual(1024);
    });
  });

  test("Q3: it goes to the partition of its key; without one to the source's modulo the count", async () => {
    const sink = new HeldSink({ [TOPIC]: 6, [DEAD]: 4 });
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      deadLetterQueue: { topic: DEAD, maxRetries: 0 },
      eachMessage: () => {
        throw "a string";
      },
    };
    await withRig(sink.rig(topic), async ({ memory, pass }) => {
      memory.deliver(TOPIC, 5, [{ key: null, value: null }]);
      await pass();
      expect(sink.sent.at(-1)).toMatchObject({ topic: DEAD, partition: 1 });
      expect(sink.sent.at(-1)?.records[0]).toMatchObject({ key: null, value: null });
      const { headers } = sink.sent.at(-1)!.records[0]!;
      expect(textOf(headers, "headrace-error-message")).toBe("a string");
      // murmur2("21") = -973932308 (Kafka's own test): & 0x7fffffff, % 4 = 0.
      memory.deliver(TOPIC, 5, [{ key: "21" }]);
      await pass();
      expect(sink.sent.at(-1)?.partition).toBe((-973932308 & 0x7fffffff) % 4);
    });
  });

  test("Q4: it is marked only when the dispatch was acknowledged", async () => {
    const sink = new HeldSink();
    sink.held = true;
    const { topic, handled } = poisonous({ maxRetries: 1 });
    await withRig(sink.rig(topic), async ({ send, pass, stored, seen, consumer }) => {
      await send(["0x", "1"]);
      await pass(100);
      expect(sink.waiting).toHaveLength(1);
      await send(["0"]);
      await pass(60_000);
      expect(consumer.stats().partitions[0]).toMatchObject({ committable: 0, collapsedUntil: 2 });
      expect([seen("deadLettered"), seen("expanded")]).toEqual([[], []]);
      expect([sink.sent.length, handled]).toEqual([1, [0, 1, 0]]);
      sink.waiting[0]?.acknowledge();
      await pass(100);
      expect(seen("deadLettered")).toHaveLength(1);
      expect(handled).toEqual([0, 1, 0, 2]);
      expect(stored()).toBe(3);
    });
  });

  for (const onError of ["collapse", "isolate"] as const) {
    test(`Q4: with ${onError} a failed dispatch is retried with back-off, and explain() tells`, async () => {
      const sink = new HeldSink();
      const retry = { backoffMs: 100, multiplier: 2, maxBackoffMs: 300, jitter: 0 };
      const { topic, handled } = poisonous({ maxRetries: 1 }, { onError, retry });
      for (let i = 0; i < 4; i++) {
        sink.failures.push(new ProduceError(`planned ${i}`, { retriable: true }));
      }
      await withRig(sink.rig(topic), async ({ send, pass, seen, consumer, stored }) => {
        await send(["0x", "0"]);
        await pass(100);
        expect(sink.sent).toHaveLength(1);
        expect(consumer.explain()[0]).toMatchObject({
          reason: "dead-letter-retry",
          error: "planned 0",
          offset: 0,
        });
        const sends: number[] = [];
        for (const ms of [99, 1, 199, 1, 299, 1, 299]) {
          await pass(ms);
          sends.push(sink.sent.length);
        }
        expect(sends).toEqual([1, 2, 2, 3, 3, 4, 4]);
        expect(seen("error").map(({ error }) => error.message)).toEqual(
          [0, 1, 2, 3].map((i) => `planned ${i}`),
        );
        expect(handled).toEqual([0, 0]);
        await pass(1);
        expect(seen("deadLettered")).toHaveLength(1);
        expect(handled).toEqual([0, 0, 1]);
        expect(consumer.explain()[0]?.reason).toBe("end-of-log");
        await pass(100);
        expect(stored()).toBe(2);
      });
    });
  }

  test("Q4: the dead letter topic is checked at start; a missing one is fatal (R8)", async () => {
    const sink = new HeldSink({ [TOPIC]: 1 });
    const { topic } = poisonous({});
    const rig = makeRig(sink.rig(topic));
    const started = rig.consumer.start();
    const error = started.catch((cause: unknown) => cause);
    await rig.pass(1000);
    expect(await error).toBeInstanceOf(SourceError);
    expect(String(await error)).toContain(DEAD);
    expect(rig.seen("error")).toMatchObject([{ fatal: true }]);
    await expect(rig.consumer.closed).rejects.toThrow(DEAD);
  });

  test("Q4: a dispatch that can never succeed is offered to the strategy; only then", async () => {
    const sink = new HeldSink({ [TOPIC]: 1, [DEAD]: 1, other: 1 });
    const asked: [number, string | undefined][] = [];
    const strategy = (failure: Failure) => {
      const dispatchError = failure.dispatchError as Error | undefined;
      asked.push([failure.offset, dispatchError?.message]);
      expect((failure.error as Error).message).toBe("poison");
      if (dispatchError === undefined) return "dispatch" as const;
      return failure.offset === 0 ? ("skip" as const) : { dispatch: "other" };
    };
    const { topic } = poisonous({ strategy }, { onError: "isolate" });
    await withRig(sink.rig(topic), async ({ send, pass, seen, stored, consumer }) => {
      sink.failures.push(new ProduceError("away", { retriable: true }));
      sink.failures.push(new ProduceError("too large"));
      await send(["0x"]);
      expect(asked).toEqual([[0, undefined]]);
      await pass(100);
      expect(asked).toEqual([
        [0, undefined],
        [0, "too large"],
      ]);
      expect(seen("skipped")).toEqual([{ topic: TOPIC, partition: 0, offset: 0 }]);
      // What was given up says nothing any more.
      expect(consumer.explain()[0]?.reason).toBe("end-of-log");
      sink.failures.push(new ProduceError("denied"));
      await send(["0x"]);
      await pass(100);
      expect(asked.slice(2)).toEqual([
        [1, undefined],
        [1, "denied"],
      ]);
      expect(seen("deadLettered")).toEqual([
        { topic: TOPIC, partition: 0, offset: 1, target: "other" },
      ]);
      expect(sink.letters(0, "other")).toEqual([1]);
      await pass(100);
      expect(stored()).toBe(2);
    });
  });

  test("Q4: without an answer of the strategy it is retried: nothing is lost, nothing is skipped", async () => {
    const sink = new HeldSink();
    const { topic } = poisonous({ maxRetries: 0 }, { onError: "isolate" });
    for (let i = 0; i < 50; i++) sink.failures.push(new ProduceError("denied"));
    await withRig(sink.rig(topic), async ({ send, pass, seen, stored, consumer }) => {
      await send(["0x"]);
      await pass(4900);
      expect(consumer.explain()[0]?.reason).toBe("dead-letter-retry");
      expect(sink.sent).toHaveLength(50);
      expect([seen("skipped"), seen("deadLettered")]).toEqual([[], []]);
      await pass(200);
      expect(seen("deadLettered")).toHaveLength(1);
      expect(stored()).toBe(1);
    });
  });

  test("Q6: with collapse poison messages are dead-lettered in offset order", async () => {
    const sink = new HeldSink();
    const { topic } = poisonous({ maxRetries: 1 });
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["3x", "2x", "1", "1x", "0x", "3x", "2"]);
      await pass(5000);
      expect(sink.sentOffsets).toEqual([0, 1, 3, 4, 5]);
      expect(stored()).toBe(7);
    });
  });

  test("Q6, E4: with isolate they are in order per virtual partition, and hold up no other", async () => {
    const sink = new HeldSink();
    sink.held = true;
    const { topic, handled } = poisonous({ maxRetries: 0 }, { onError: "isolate" });
    await withRig(sink.rig(topic), async ({ send, pass, stored, seen }) => {
      await send(["0x", "1x", "0x", "1", "0", "2"]);
      expect(sink.sentOffsets).toEqual([0, 1]);
      expect(handled).toEqual([0, 1, 5]);
      sink.waiting[1]?.acknowledge();
      await pass();
      expect(handled).toEqual([0, 1, 5, 3]);
      expect(stored()).toBe(0);
      sink.waiting[0]?.acknowledge();
      await pass();
      expect(sink.sentOffsets).toEqual([0, 1, 2]);
      expect(handled).toEqual([0, 1, 5, 3, 2]);
      sink.waiting[2]?.acknowledge();
      await pass(100);
      expect(handled).toEqual([0, 1, 5, 3, 2, 4]);
      expect(seen("deadLettered").map(({ offset }) => offset)).toEqual([1, 0, 2]);
      expect(stored()).toBe(6);
    });
  });

  for (const [what, skip] of [
    ["topic: false", { topic: false as const, maxRetries: 1 }],
    ['strategy "skip"', { strategy: () => "skip" as const }],
  ] as const) {
    test(`Q1, Q7: ${what} skips without a dispatch`, async () => {
      const sink = new HeldSink();
      const { topic, handled } = poisonous(skip);
      await withRig(sink.rig(topic), async ({ send, pass, seen, stored }) => {
        await send(["0x", "1", "0x", "0"]);
        await pass(1000);
        expect(seen("skipped")).toEqual([
          { topic: TOPIC, partition: 0, offset: 0 },
          { topic: TOPIC, partition: 0, offset: 2 },
        ]);
        expect([seen("deadLettered"), sink.sentOffsets]).toEqual([[], []]);
        expect(handled.at(-1)).toBe(3);
        expect(stored()).toBe(4);
      });
    });
  }

  test("topic: false needs neither a sink nor a topic", async () => {
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      deadLetterQueue: { topic: false as const, maxRetries: 0 },
      eachMessage: () => {
        throw new Error("planned");
      },
    };
    await withRig({ topic }, async ({ send, pass, memory, seen, stored }) => {
      expect(memory.source.sink).toBeDefined();
      await send(["a", "b"]);
      await pass(100);
      expect(seen("skipped")).toHaveLength(2);
      expect(stored()).toBe(2);
    });
  });

  test("Q7: the strategy is asked after every failure of the culprit; its answers are followed", async () => {
    const sink = new HeldSink({ [TOPIC]: 1, [DEAD]: 1, other: 1 });
    const failures: Failure[] = [];
    const answers: unknown[] = ["retry", "retry", { dispatch: "other" }];
    const strategy = (failure: Failure) => {
      failures.push(failure);
      return (answers.shift() ?? "dispatch") as "retry";
    };
    const { topic, handled } = poisonous({ maxRetries: 1, strategy });
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["0x", "0x"]);
      await pass(2000);
      expect(handled).toEqual([0, 0, 0, 0, 1, 1]);
      expect(failures.map(({ offset, attempt }) => [offset, attempt])).toEqual([
        [0, 2],
        [0, 3],
        [0, 4],
        // Nothing has failed together with it, so the window was of 0 alone: it collapsed anew.
        [1, 2],
      ]);
      expect(failures[0]).toMatchObject({ topic: TOPIC, partition: 0, collapsed: true });
      expect(failures[0]).not.toHaveProperty("dispatchError");
      expect(failures[0]?.message.keyText()).toBe("0x");
      expect((failures[0]!.error as Error).message).toBe("poison");
      expect([sink.letters(0, "other"), sink.letters(0)]).toEqual([[0], [1]]);
      expect(stored()).toBe(2);
    });
  });

  const wrongAnswers: [string, () => unknown][] = [
    [
      "a throw",
      () => {
        throw new Error("strategy is broken");
      },
    ],
    ["a promise", async () => "skip"],
    ["undefined", () => undefined],
    ["an unknown word", () => "drop"],
    ["an empty topic", () => ({ dispatch: "" })],
  ];
  test.each(wrongAnswers)(
    "Q7: %s of the strategy counts as retry and is reported",
    async (_, answer) => {
      const sink = new HeldSink();
      let asked = 0;
      const strategy = () => (++asked <= 2 ? answer() : "skip") as "skip";
      const { topic, handled } = poisonous({ strategy });
      await withRig(sink.rig(topic), async ({ send, pass, seen, stored }) => {
        await send(["0x"]);
        await pass(1000);
        expect(handled).toEqual([0, 0, 0, 0]);
        expect(seen("error")).toHaveLength(2);
        expect(seen("error")[0]?.fatal).toBe(false);
        expect(seen("skipped")).toHaveLength(1);
        expect(sink.sent).toEqual([]);
        expect(stored()).toBe(1);
      });
    },
  );

  test("Q7: a map that throws is a failed dispatch: reported, retried with back-off, nothing is skipped", async () => {
    const sink = new HeldSink();
    let broken = 3;
    const map = (message: Message, failure: Failure) => {
      if (broken-- > 0) throw new Error("map is broken");
      expect(failure.offset).toBe(message.offset);
      return { topic: DEAD, key: "mapped", value: `was ${message.text()}`, partition: 2 };
    };
    const { topic } = poisonous({ maxRetries: 1, map: map as never });
    await withRig(sink.rig(topic), async ({ send, pass, seen, stored, consumer }) => {
      await send(["0x"]);
      await pass(100);
      expect(consumer.explain()[0]).toMatchObject({
        reason: "dead-letter-retry",
        error: "map is broken",
      });
      await pass(299);
      expect(sink.sent).toEqual([]);
      expect(seen("error")).toHaveLength(3);
      await pass(1);
      expect(sink.sent).toMatchObject([{ topic: DEAD, partition: 2 }]);
      const [record] = sink.memory.records(DEAD, 2);
      expect(new TextDecoder().decode(record!.value!)).toBe("was v");
      // The record is the user's as it is.
      expect(record!.headers).toEqual([]);
      expect(seen("deadLettered")).toHaveLength(1);
      await pass(100);
      expect(stored()).toBe(1);
    });
  });

  test("Q7: map names the topic of the record", async () => {
    const sink = new HeldSink({ [TOPIC]: 1, [DEAD]: 1, mapped: 1 });
    const map = (message: Message) => ({ topic: "mapped", value: message.value });
    const { topic } = poisonous({ maxRetries: 1, map });
    await withRig(sink.rig(topic), async ({ send, pass, seen }) => {
      await send(["0x"]);
      await pass(1000);
      expect(seen("deadLettered")).toMatchObject([{ offset: 0, target: "mapped" }]);
      expect(sink.memory.records("mapped", 0)).toHaveLength(1);
    });
  });

  test("E1, Q1: a message that its handler has marked is not dead-lettered when the call throws", async () => {
    const sink = new HeldSink();
    const handled: number[] = [];
    const topic = {
      retry: RETRY,
      onError: "isolate" as const,
      deadLetterQueue: { topic: DEAD, maxRetries: 0 },
      eachMessage: (message: Message, context: MessageContext) => {
        handled.push(message.offset);
        context.markAsConsumed();
        throw new Error("after the mark");
      },
    };
    await withRig(sink.rig(topic), async ({ send, pass, stored, seen }) => {
      await send(["a", "b"]);
      await pass(1000);
      expect(handled).toEqual([0, 1]);
      expect([sink.sent, seen("deadLettered")]).toEqual([[], []]);
      expect(stored()).toBe(2);
    });
  });

  test("P2: a poison message in an ordered run is dead-lettered too", async () => {
    const sink = new HeldSink();
    const partitioner = (message: Message) => {
      if (message.keyText() === "1x") throw new Error("no key");
      return message.keyText();
    };
    const virtualPartitions = { ...laneByKey(4), partitioner };
    const { topic, handled } = poisonous({ maxRetries: 1 }, { virtualPartitions });
    await withRig(sink.rig(topic), async ({ send, pass, stored }) => {
      await send(["0", "1x", "2"]);
      await send(["3"]);
      await pass(1000);
      expect(handled).toEqual([0, 1, 1, 2, 3]);
      expect(sink.sentOffsets).toEqual([1]);
      expect(stored()).toBe(4);
    });
  });
});
