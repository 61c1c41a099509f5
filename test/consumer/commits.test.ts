import { describe, expect, test } from "bun:test";
import type { PlannedOutcome } from "../../src/testing/memory-commits.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message } from "../../src/types.ts";
import { Calls, keys, makeRig, range, TOPIC, withRig } from "./rig.ts";

const PARALLEL = {
  virtualPartitions: { maxPartitions: 100, distribution: "per-key" as const },
};
const MANY = { concurrency: 100 };

describe("the committable offset", () => {
  test("O3: it is the next offset after the longest done prefix", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...PARALLEL };
    await withRig({ topic, consumer: MANY }, async ({ send, pass, consumer }) => {
      await send(keys(5));
      const steps: [number, number][] = [
        [2, 0],
        [1, 0],
        [0, 3],
        [4, 3],
        [3, 5],
      ];
      for (const [offset, committable] of steps) {
        calls.finish(offset);
        await pass();
        expect(consumer.stats().partitions[0]?.committable).toBe(committable);
      }
    });
  });

  test("O3: offsets that the log never delivered are no holes; nothing open: the source's next offset", async () => {
    const topic = { eachMessage: () => {} };
    await withRig({ topic }, async ({ memory, pass, stored }) => {
      memory.deliver(TOPIC, 0, [{ offset: 10 }, { offset: 1000 }, { offset: 1001 }]);
      await pass(100);
      expect(stored()).toBe(1002);
      memory.skip(TOPIC, 0, 50);
      await pass(100);
      expect(stored()).toBe(1052);
      memory.deliver(TOPIC, 0, [{ offset: 9_000_000_000 }]);
      await pass(100);
      expect(stored()).toBe(9_000_000_001);
    });
  });
});

describe("commits", () => {
  test("O4: every commitIntervalMs where something changed", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...PARALLEL };
    const consumer = { ...MANY, commitIntervalMs: 500 };
    await withRig({ topic, consumer }, async ({ send, pass, memory, seen, groupId }) => {
      await pass(1000);
      const start = memory.commits().length;
      await send(keys(10));
      for (const offset of [0, 1, 2]) {
        calls.finish(offset);
        await pass(100);
      }
      expect(memory.commits().length).toBe(start);
      await pass(200);
      expect(memory.commits().slice(start)).toMatchObject([
        { groupId, topic: TOPIC, partition: 0, offset: 3 },
      ]);
      expect(seen("committed").at(-1)).toEqual({
        topic: TOPIC,
        partition: 0,
        offset: 3,
        mapSize: 0,
      });
      await pass(10_000);
      expect(memory.commits().length).toBe(start + 1);
      calls.finishAll();
      await pass(100);
    });
  });

  test("O4: 50 ms after a partition becomes idle", async () => {
    await withRig({ consumer: { commitIntervalMs: 60_000 } }, async ({ send, pass, stored }) => {
      await send(keys(3));
      expect(stored()).toBe(0);
      await pass(49);
      expect(stored()).toBe(0);
      await pass(1);
      expect(stored()).toBe(3);
    });
  });

  test("O4: on revoke and on close, at once", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    await withRig({ memory, consumer: { commitIntervalMs: 60_000 } }, async (rig) => {
      await rig.send(keys(3));
      await memory.revoke([{ topic: TOPIC, partition: 0 }]);
      expect(rig.stored()).toBe(3);
      await memory.assign([{ topic: TOPIC, partition: 0 }]);
      await rig.send(keys(2));
      const closed = rig.consumer.close();
      await rig.pass();
      expect(rig.stored()).toBe(5);
      await closed;
    });
  });

  test("O4: consumer.commit() commits what is marked now and says what became of it", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...PARALLEL };
    await withRig({ topic, consumer: MANY }, async ({ send, pass, consumer, memory, stored }) => {
      await send(keys(4));
      calls.finish(0, 1, 3);
      await pass();
      expect(await consumer.commit()).toEqual([
        { topic: TOPIC, partition: 0, offset: 2, outcome: "stored" },
      ]);
      expect(stored()).toBe(2);
      calls.finish(2);
      await pass();
      memory.failNextCommit("retry");
      expect(await consumer.commit()).toMatchObject([{ partition: 0, outcome: "failed" }]);
      expect(stored()).toBe(2);
    });
  });

  test("O4: consumer.commit() reports stored when more was marked while it was on its way", async () => {
    let answer: ((outcome: PlannedOutcome) => void) | undefined;
    let holding = false;
    const calls = new Calls();
    const memory = memorySource({
      topics: { [TOPIC]: 1 },
      onCommit: () =>
        holding ? new Promise<PlannedOutcome>((resolve) => (answer = resolve)) : undefined,
    });
    const topic = { eachMessage: calls.eachMessage, ...PARALLEL };
    await withRig({ topic, memory, consumer: MANY }, async ({ send, pass, consumer }) => {
      await send(keys(4));
      calls.finish(0, 1);
      await pass();
      holding = true;
      const report = consumer.commit();
      await pass();
      calls.finish(2);
      await pass();
      holding = false;
      answer?.("stored");
      await pass();
      expect(await report).toEqual([{ topic: TOPIC, partition: 0, offset: 2, outcome: "stored" }]);
      calls.finishAll();
      await pass(100);
    });
  });

  test.each(["retry", "not-now", "stored-unknown", "hang", "denied", "too-large"] as const)(
    "O4: a commit answered %s is repeated without new work",
    async (outcome) => {
      await withRig({}, async ({ send, pass, memory, stored, seen }) => {
        await pass(100);
        memory.failNextCommit(outcome, 3);
        await send(keys(3));
        await pass(30_000);
        expect(stored()).toBe(3);
        expect(memory.commitAttempts().at(-1)).toMatchObject({ offset: 3, outcome: "stored" });
        expect(seen("error").every((event) => !event.fatal)).toBe(true);
        const attempts = memory.commitAttempts().length;
        await pass(30_000);
        expect(memory.commitAttempts().length).toBe(attempts);
      });
    },
  );

  test("O4: a repeated commit carries the newest entry, and never less than what was stored", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, ...PARALLEL };
    await withRig({ topic, consumer: MANY }, async ({ send, pass, memory }) => {
      await send(keys(20));
      await pass(100);
      for (const offset of range(20)) {
        if (offset % 3 === 0) memory.failNextCommit(offset % 2 ? "retry" : "stored-unknown");
        calls.finish(offset);
        await pass(700);
      }
      await pass(2000);
      const offsets = memory.commits().map((commit) => commit.offset);
      expect([...offsets].sort((a, b) => a - b)).toEqual(offsets);
      expect(offsets.at(-1)).toBe(20);
    });
  });

  test("O4: one request is in flight at a time, whoever asks", async () => {
    let inFlight = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    let holding = false;
    const memory = memorySource({
      topics: { [TOPIC]: 3 },
      onCommit: async () => {
        if (!holding) return undefined;
        most = Math.max(most, ++inFlight);
        await new Promise<void>((resolve) => waiting.push(resolve));
        inFlight--;
        return undefined;
      },
    });
    await withRig({ memory }, async ({ send, pass, consumer }) => {
      await pass(100);
      for (const partition of [0, 1, 2]) await send(keys(2), partition);
      holding = true;
      const asked = [consumer.commit(), consumer.commit(), consumer.commit()];
      await pass(60);
      const revoked = memory.revoke(range(2).map((partition) => ({ topic: TOPIC, partition })));
      for (let i = 0; i < 20; i++) {
        await pass(200);
        waiting.shift()?.();
      }
      await pass();
      await Promise.all([...asked, revoked]);
      expect(most).toBe(1);
      holding = false;
    });
  });

  test("O4: a request has a deadline of 5 s; then it is repeated", async () => {
    await withRig({}, async ({ send, pass, memory, stored }) => {
      await pass(100);
      memory.failNextCommit("hang");
      await send(keys(1));
      await pass(50);
      const { length } = memory.commitAttempts();
      await pass(4999);
      expect(memory.commitAttempts()).toHaveLength(length);
      await pass(2000);
      expect(memory.commitAttempts().length).toBe(length + 1);
      expect(stored()).toBe(1);
    });
  });
});

describe("where a lease starts", () => {
  const GROUP = "start-group";
  const startOf = async (
    consumer: object,
    prepare: (memory: ReturnType<typeof memorySource>) => void,
    topics = { [TOPIC]: 1 },
  ): Promise<{
    handled: number[];
    stored: number | null;
    resets: unknown[];
    errors: unknown[];
  }> => {
    const memory = memorySource({ topics });
    memory.deliver(
      TOPIC,
      0,
      range(10).map(() => ({})),
    );
    memory.trim(TOPIC, 0, 4);
    prepare(memory);
    const handled: number[] = [];
    const topic = {
      eachMessage: (message: Message) => {
        if (message.partition === 0) handled.push(message.offset);
      },
    };
    const rig = makeRig({ topic, memory, consumer: { groupId: GROUP, ...consumer } });
    const ran = rig.consumer.run().catch(() => {});
    await rig.pass(1000);
    const stored = rig.stored();
    void rig.consumer.close();
    await rig.pass(1000);
    await ran;
    return { handled, stored, resets: rig.seen("offsetReset"), errors: rig.seen("error") };
  };

  test("O10: without an offset it starts by fromBeginning, and the start is committed", async () => {
    expect(await startOf({ fromBeginning: true }, () => {})).toMatchObject({
      handled: range(6).map((i) => i + 4),
      stored: 10,
    });
    expect(await startOf({ fromBeginning: false }, () => {})).toMatchObject({
      handled: [],
      stored: 10,
    });
  });

  test("O10: a committed offset below 0 is none", async () => {
    const got = await startOf({}, (memory) => memory.setCommitted(GROUP, TOPIC, 0, -1));
    expect(got.handled).toEqual([4, 5, 6, 7, 8, 9]);
    expect(got.resets).toEqual([]);
  });

  test("O10: a partition that was added later starts at the log start", async () => {
    const got = await startOf(
      { fromBeginning: false },
      (memory) => memory.setCommitted(GROUP, TOPIC, 1, 0),
      { [TOPIC]: 2 },
    );
    expect(got.handled).toEqual([4, 5, 6, 7, 8, 9]);
  });

  test("O10: the start is committed before the first message is handed out", async () => {
    const calls = new Calls();
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    memory.failNextCommit("retry", 3);
    const topic = { eachMessage: calls.eachMessage };
    await withRig({ topic, memory }, async ({ send, pass, consumer, events }) => {
      await send(keys(2));
      expect(calls.started).toEqual([]);
      expect(consumer.explain()[0]?.reason).toBe("commit-failing");
      await pass(5000);
      expect(calls.started).toEqual([0]);
      expect(memory.commits()[0]).toMatchObject({ offset: 0 });
      expect(events.map((event) => event.name).slice(0, 2)).toEqual(["assigned", "polled"]);
      calls.finishAll();
      await pass();
      calls.finishAll();
      await pass(100);
    });
  });

  const outside: [string, number][] = [
    ["below", 2],
    ["above", 11],
  ];
  for (const [where, committed] of outside) {
    test(`O11: an offset ${where} the log: earliest, latest, with an offsetReset event`, async () => {
      const commit = (memory: ReturnType<typeof memorySource>): void =>
        memory.setCommitted(GROUP, TOPIC, 0, committed);
      const earliest = await startOf({}, commit);
      expect(earliest.handled).toEqual([4, 5, 6, 7, 8, 9]);
      expect(earliest.resets).toMatchObject([
        { topic: TOPIC, partition: 0, from: committed, to: 4 },
      ]);
      const latest = await startOf({ onOutOfRange: "latest" }, commit);
      expect(latest).toMatchObject({ handled: [], stored: 10 });
      expect(latest.resets).toMatchObject([{ from: committed, to: 10 }]);
    });

    test(`O11, R8: an offset ${where} the log with "error" is fatal, and nothing is committed`, async () => {
      const got = await startOf({ onOutOfRange: "error" }, (memory) =>
        memory.setCommitted(GROUP, TOPIC, 0, committed),
      );
      expect(got).toMatchObject({ handled: [], stored: committed });
      expect(got.errors).toMatchObject([{ fatal: true, error: { code: "HEADRACE_OUT_OF_RANGE" } }]);
    });
  }

  test("O11: the log's start and end are inside it", async () => {
    for (const [committed, handled] of [
      [4, [4, 5, 6, 7, 8, 9]],
      [10, []],
    ] as const) {
      const got = await startOf({}, (memory) => memory.setCommitted(GROUP, TOPIC, 0, committed));
      expect(got).toMatchObject({ handled, resets: [] });
    }
  });
});
