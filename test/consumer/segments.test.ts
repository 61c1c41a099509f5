import { describe, expect, test } from "bun:test";
import { createConsumer } from "../../src/consumer.ts";
import { multiplyShift } from "../../src/distribute/reducers.ts";
import { byKey } from "../../src/group/partitioners.ts";
import type { ConsumerOptions, ParallelSegmentsOptions, TopicOptions } from "../../src/options.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message, MessageContext, VirtualPartitionInfo } from "../../src/types.ts";
import { Calls, keys, type makeRig, type Rig, TOPIC, withRig } from "./rig.ts";

const byNumber = {
  partitioner: (message: Message) => message.keyText(),
  reducer: (key: unknown, count: number) => Number(key) % count,
};

interface Handled {
  readonly segment: number | undefined;
  readonly groupId: string;
  readonly offset: number;
}

/** Notes what is handled, and by which segment. */
function noting(into: Handled[]): TopicOptions["eachMessage"] {
  return ({ offset }: Message, { segment, groupId }: MessageContext) => {
    into.push({ segment: segment?.index, groupId, offset });
  };
}

function segmented(
  parallelSegments: ParallelSegmentsOptions,
  topic: TopicOptions,
  more: Partial<ConsumerOptions> = {},
): Parameters<typeof makeRig>[0] {
  return { topic, consumer: { ...more, parallelSegments } };
}

const groupOf = ({ groupId }: Rig, index: number): string => `${groupId}-parallel-${index}`;
const storedOf = (rig: Rig, index: number, partition = 0): number | null =>
  rig.memory.committed(groupOf(rig, index), TOPIC, partition)?.offset ?? null;

describe("parallel segments", () => {
  test("S1: segment i handles the messages whose reduced key is i, in a group of its own", async () => {
    const handled: Handled[] = [];
    const options = segmented(
      { count: 3, partitioner: byKey() },
      { eachMessage: noting(handled)! },
    );
    await withRig(options, async (rig) => {
      const names = keys(40);
      await rig.send(names);
      await rig.pass(1000);
      expect(handled.length).toBe(40);
      for (const { segment, groupId, offset } of handled) {
        expect(segment).toBe(multiplyShift(names[offset]!, 3));
        expect(groupId).toBe(groupOf(rig, segment!));
      }
      expect(new Set(handled.map(({ segment }) => segment))).toEqual(new Set([0, 1, 2]));
      expect([0, 1, 2].map((index) => storedOf(rig, index))).toEqual([40, 40, 40]);
      expect(rig.stored()).toBe(null);
    });
  });

  test("S1: a merge key of one's own, and one segment is the group itself", async () => {
    const handled: Handled[] = [];
    const topic = { eachMessage: noting(handled)! };
    await withRig(segmented({ count: 2, ...byNumber, mergeKey: "/" }, topic), async (rig) => {
      await rig.send(["0", "1"]);
      expect(handled.map(({ groupId }) => groupId).sort()).toEqual([
        `${rig.groupId}/0`,
        `${rig.groupId}/1`,
      ]);
    });
    handled.length = 0;
    await withRig(segmented({ count: 1, ...byNumber }, topic), async (rig) => {
      await rig.send(["0", "1"]);
      const { groupId } = rig;
      expect(handled).toEqual([0, 1].map((offset) => ({ segment: undefined, groupId, offset })));
    });
  });

  test("S2: an offset goes to the end of what was read, also when everything was foreign", async () => {
    const handled: Handled[] = [];
    const options = segmented(
      { count: 2, ...byNumber, run: [1] },
      { eachMessage: noting(handled)! },
    );
    await withRig(options, async (rig) => {
      await rig.send(["0", "2", "4"]);
      expect(rig.seen("processed")).toEqual([]);
      await rig.pass(50);
      expect(storedOf(rig, 1)).toBe(3);
      expect(handled).toEqual([]);
      // Segment 0 does not run here: it has its start, and nothing more.
      expect(storedOf(rig, 0)).toBe(0);
    });
  });

  test("S2: what is foreign costs no budget, no lane and no place in the map", async () => {
    const calls = new Calls();
    const limits = { maxInFlightMessages: 4, commitIntervalMs: 10 };
    const virtualPartitions = { distribution: "per-key" as const };
    const topic = { eachMessage: calls.eachMessage, virtualPartitions, maxMessages: 1 };
    const one = { count: 2, ...byNumber, run: [1] };
    await withRig(segmented(one, topic, limits), async (rig) => {
      await rig.send(["1"]);
      for (let i = 0; i < 50; i++) await rig.send(Array.from({ length: 100 }, () => "2"));
      await rig.pass(100);
      await rig.send(["3"]);
      expect(calls.open).toEqual([0, 5001]);
      const [stats] = rig.consumer.stats().partitions;
      expect(stats).toMatchObject({ inFlight: 2, queued: 0, committable: 0, lanes: 2 });
      calls.finish(5001);
      await rig.pass(100);
      // One hole, one run of 5001: a handful of units, not a mark for each.
      expect(rig.consumer.stats().partitions[0]!.mapSize).toBeLessThan(40);
      calls.finish(0);
      await rig.pass(100);
      expect(storedOf(rig, 1)).toBe(5002);
    });
  });

  test("S2: between foreign batches a segment commits in its interval, and at the end soon", async () => {
    const options = segmented({ count: 2, ...byNumber, run: [1] }, { eachMessage: () => {} });
    const memory = { topics: { [TOPIC]: 1 }, maxBatchRecords: 10, deliverMode: "manual" as const };
    await withRig({ ...options, memory }, async (rig) => {
      const before = rig.memory.commits().length;
      await rig.send(Array.from({ length: 100 }, () => "0"));
      for (let i = 0; i < 9; i++) {
        rig.memory.step(TOPIC, 0);
        await rig.pass(60);
      }
      expect(rig.memory.commits().length).toBe(before);
      rig.memory.step(TOPIC, 0);
      await rig.pass(50);
      expect(storedOf(rig, 1)).toBe(100);
    });
  });

  test("S3: a throw is partitionerFailed, and the message belongs to segment 0 everywhere", async () => {
    const handled: Handled[] = [];
    const partitioner = (message: Message) => {
      if (message.text() === "bad") throw new Error("no key");
      return "1";
    };
    const options = segmented(
      { count: 2, partitioner, reducer: byNumber.reducer },
      { eachMessage: noting(handled)! },
    );
    await withRig(options, async (rig) => {
      rig.memory.deliver(TOPIC, 0, [{ value: "v" }, { value: "bad" }, { value: "v" }]);
      await rig.pass(1000);
      const sorted = handled.sort((a, b) => a.offset - b.offset);
      expect(sorted.map(({ segment }) => segment)).toEqual([1, 0, 1]);
      const failed = rig.seen("partitionerFailed");
      expect(failed.map(({ offset, segment }) => [offset, segment?.index])).toEqual([
        [1, 0],
        [1, 1],
      ]);
      expect(failed[0]!.error.message).toBe("no key");
      expect(rig.seen("failed")).toEqual([]);
      expect([storedOf(rig, 0), storedOf(rig, 1)]).toEqual([3, 3]);
    });
  });

  test("S3: 'stop' holds the partition, asks again with back-off, and loses nothing", async () => {
    let broken = true;
    const handled: Handled[] = [];
    const partitioner = (message: Message) => {
      if (broken && message.offset === 1) throw new Error("registry away");
      return message.key;
    };
    const { reducer } = byNumber;
    const options = segmented(
      { count: 2, partitioner, reducer, onPartitionerError: "stop", run: [1] },
      { eachMessage: noting(handled)!, retry: { backoffMs: 100, jitter: 0 } },
    );
    await withRig(options, async (rig) => {
      await rig.send(["1", "1", "1"]);
      await rig.send(["0", "1"]);
      // What was on its way waits behind it.
      expect(rig.memory.step(TOPIC, 0, { late: true })).toBe(2);
      rig.memory.skip(TOPIC, 0, 2);
      expect(rig.memory.step(TOPIC, 0, { late: true })).toBe(0);
      await rig.pass(99);
      expect(handled).toEqual([]);
      expect(rig.seen("partitionerFailed").length).toBe(1);
      expect(rig.consumer.explain()).toMatchObject([
        { reason: "back-off", error: "registry away", segment: { index: 1 } },
      ]);
      await rig.pass(1);
      expect(rig.seen("partitionerFailed").length).toBe(2);
      await rig.pass(199);
      expect(rig.seen("partitionerFailed").length).toBe(2);
      broken = false;
      await rig.pass(1);
      expect(handled.map(({ offset }) => offset)).toEqual([0, 1, 2, 4]);
      await rig.pass(50);
      expect(storedOf(rig, 1)).toBe(7);
      await rig.send(["1"]);
      expect(handled.at(-1)!.offset).toBe(7);
    });
  });

  test("S3: a held partition can be closed, revoked and taken up again, and sought away from", async () => {
    let broken = true;
    const handled: Handled[] = [];
    const partitioner = (message: Message) => {
      if (broken && message.offset === 0) throw new Error("registry away");
      return message.key;
    };
    const { reducer } = byNumber;
    const options = segmented(
      { count: 2, partitioner, reducer, onPartitionerError: "stop", run: [1] },
      { eachMessage: noting(handled)!, retry: { backoffMs: 60_000, jitter: 0 } },
    );
    const where = { topic: TOPIC, partition: 0 };
    await withRig(options, async (rig) => {
      await rig.send(["1", "1", "1"]);
      await rig.memory.revoke([where], { keep: [where] });
      await rig.pass();
      expect(rig.consumer.stats().partitions[0]!.committable).toBe(0);
      // A continued lease asks at once, as all back-offs end.
      expect(rig.seen("partitionerFailed").length).toBe(2);
      await rig.consumer.seek(where, 2);
      await rig.pass();
      expect(handled.map(({ offset }) => offset)).toEqual([2]);
      await rig.consumer.seek(where, 0);
      await rig.pass();
      broken = false;
      await rig.pass(60_000);
      expect(handled.map(({ offset }) => offset)).toEqual([2, 0, 1, 2]);
      broken = true;
      await rig.consumer.seek(where, 0);
      await rig.pass();
      const closed = rig.consumer.close();
      await rig.pass(100);
      expect(await closed).toMatchObject({ drained: 0, abandoned: 0, uncommitted: [] });
    });
  });

  test("X2: a partition that is held for long is stalled", async () => {
    const partitioner = () => {
      throw new Error("registry away");
    };
    const rule = { count: 2, partitioner, onPartitionerError: "stop" as const, run: [1] };
    const options = segmented(rule, { eachMessage: () => {} }, { stallMs: 10_000 });
    await withRig(options, async (rig) => {
      await rig.pass(30_000);
      expect(rig.seen("stalled")).toEqual([]);
      await rig.send(["1"]);
      await rig.pass(13_000);
      expect(rig.seen("stalled")).toMatchObject([
        { kind: "back-off", segment: { index: 1 }, explanation: { error: "registry away" } },
      ]);
    });
  });

  test("S4: errors, collapse, pauses and dead letters are each segment's own", async () => {
    const calls: number[] = [];
    const topic: TopicOptions = {
      eachMessage: ({ offset, partition }: Message, { collapsed }: MessageContext) => {
        calls.push(offset);
        if (offset === 0) throw new Error(`poison ${partition} ${collapsed}`);
      },
      retry: { backoffMs: 100, jitter: 0 },
      virtualPartitions: true,
      deadLetterQueue: { topic: "dead", maxRetries: 1 },
    };
    const options = segmented({ count: 2, ...byNumber }, topic);
    const memory = { topics: { [TOPIC]: 1, dead: 1 } };
    await withRig({ ...options, memory }, async (rig) => {
      await rig.send(["0", "1", "0", "1"]);
      // Segment 0 collapses; segment 1 goes on.
      expect([...calls].sort()).toEqual([0, 1, 3]);
      expect(rig.seen("collapsed")).toMatchObject([
        { segment: { index: 0, count: 2, origin: rig.groupId } },
      ]);
      await rig.pass(10_000);
      expect(rig.seen("deadLettered")).toMatchObject([{ offset: 0, segment: { index: 0 } }]);
      const [letter] = rig.memory.records("dead", 0);
      const headers = Object.fromEntries(
        letter!.headers.map(([name, value]) => [name, new TextDecoder().decode(value)]),
      );
      expect(headers["headrace-group-id"]).toBe(groupOf(rig, 0));
      expect([storedOf(rig, 0), storedOf(rig, 1)]).toEqual([4, 4]);
    });
  });

  test("S4: a payload that cannot be read is S3 first, and then E1 in segment 0's handler", async () => {
    const topic: TopicOptions = {
      deserializer: (value) => JSON.parse(new TextDecoder().decode(value!)),
      eachMessage: (message: Message) => void message.payload,
      retry: { backoffMs: 100, jitter: 0 },
      deadLetterQueue: { topic: false, maxRetries: 1 },
    };
    const partitioner = (message: Message) => (message.payload as { id: string }).id;
    const rule = { count: 2, partitioner, reducer: byNumber.reducer };
    await withRig(segmented(rule, topic), async (rig) => {
      rig.memory.deliver(TOPIC, 0, [{ value: '{"id":"1"}' }, { value: "{" }]);
      await rig.pass();
      expect(rig.seen("partitionerFailed").length).toBe(2);
      expect(rig.seen("failed")).toMatchObject([
        { offset: 1, attempt: 1, segment: { index: 0 }, error: { name: "DeserializeError" } },
      ]);
      await rig.pass(10_000);
      expect(rig.seen("skipped")).toMatchObject([{ offset: 1, segment: { index: 0 } }]);
      expect([storedOf(rig, 0), storedOf(rig, 1)]).toEqual([2, 2]);
    });
  });

  test("S4: with virtual partitions, a segment's keys are spread over all of them", async () => {
    const used = new Map<number, Set<number>>();
    const infos: VirtualPartitionInfo[] = [];
    const topic: TopicOptions = {
      consumer: (info: VirtualPartitionInfo) => {
        infos.push(info);
        const lanes = used.get(info.segment!.index) ?? new Set();
        used.set(info.segment!.index, lanes.add(info.virtualPartition));
        return { consume: () => {} };
      },
      virtualPartitions: { maxPartitions: 8 },
    };
    await withRig(segmented({ count: 8, partitioner: byKey() }, topic), async (rig) => {
      await rig.send(keys(800));
      await rig.pass(1000);
      expect([...used.values()].map(({ size }) => size)).toEqual([8, 8, 8, 8, 8, 8, 8, 8]);
      expect(infos[0]!.groupId).toBe(groupOf(rig, infos[0]!.segment!.index));
    });
  });

  test("one process with several segments has one set of stats, explanations and commits", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    const options = segmented({ count: 3, ...byNumber, run: [0, 2] }, topic, { concurrency: 1 });
    await withRig(options, async (rig) => {
      await rig.send(["0", "1", "2"]);
      expect(calls.open.length).toBe(1);
      const segments = rig.consumer.stats().partitions.map(({ segment }) => segment?.index);
      expect(segments).toEqual([0, 2]);
      expect(
        rig.consumer
          .explain()
          .map(({ reason }) => reason)
          .sort(),
      ).toEqual(["handler-running", "no-slot"]);
      calls.finishAll();
      await rig.pass();
      calls.finishAll();
      await rig.pass();
      const report = rig.consumer.commit();
      await rig.pass();
      expect(
        (await report).map(({ segment, offset, outcome }) => [segment?.index, offset, outcome]),
      ).toEqual([
        [0, 3, "stored"],
        [2, 3, "stored"],
      ]);
      expect(rig.consumer.stats().processed).toBe(2);
      await rig.consumer.seek({ topic: TOPIC, partition: 0 }, 1);
      await rig.pass();
      expect(calls.open).toEqual([2]);
      calls.finishAll();
      const closed = rig.consumer.close();
      await rig.pass(100);
      await closed;
      expect(rig.seen("closed").length).toBe(1);
      expect(rig.seen("assigned").map(({ groupId }) => groupId)).toEqual([
        groupOf(rig, 0),
        groupOf(rig, 2),
      ]);
    });
  });

  test("several topics in one group: each is shared out by the same rule", async () => {
    const handled: string[] = [];
    const eachMessage = ({ topic, partition, offset }: Message, { segment }: MessageContext) => {
      handled.push(`${segment!.index} ${topic}#${partition}@${offset}`);
    };
    const options = segmented({ count: 2, ...byNumber, run: [1] }, { eachMessage });
    const topics = { [TOPIC]: { eachMessage }, other: { eachMessage } };
    const memory = { topics: { [TOPIC]: 1, other: 2 } };
    await withRig({ ...options, topics, memory }, async (rig) => {
      await rig.send(["0", "1"]);
      rig.memory.deliver("other", 1, [{ key: "3" }, { key: "4" }]);
      await rig.pass(100);
      expect(handled.sort()).toEqual([`1 ${TOPIC}#0@1`, "1 other#1@0"]);
    });
  });
});

describe("the start of segments", () => {
  const clock = fakeClock();
  const start = async (
    memory: ReturnType<typeof memorySource>,
    parallelSegments: Partial<ParallelSegmentsOptions>,
    more: Partial<ConsumerOptions> = {},
  ) => {
    const consumer = createConsumer({
      source: memory.source,
      groupId: "g",
      topics: { [TOPIC]: { eachMessage: () => {} } },
      clock,
      logger: false,
      parallelSegments: { count: 2, ...byNumber, ...parallelSegments },
      ...more,
    } as ConsumerOptions);
    const started = consumer.start();
    const error = started.then(
      () => null,
      (thrown: Error) => thrown,
    );
    await clock.advance(0);
    return { consumer, error: await error };
  };
  const close = async ({ consumer }: Awaited<ReturnType<typeof start>>) => {
    const closed = consumer.close();
    closed.catch(() => {});
    await clock.advance(30_000);
  };
  const offsetsOf = (memory: ReturnType<typeof memorySource>, partition = 0) =>
    ["g", "g-parallel-0", "g-parallel-1"].map(
      (group) => memory.committed(group, TOPIC, partition)?.offset ?? null,
    );

  test("S7: the first segment to start stores one start for all of them", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 2 } });
    memory.deliver(TOPIC, 0, [{ key: "0" }, { key: "1" }, { key: "2" }]);
    const first = await start(memory, { run: [1] });
    expect(first.error).toBe(null);
    expect([offsetsOf(memory, 0), offsetsOf(memory, 1)]).toEqual([
      [null, 3, 3],
      [null, 0, 0],
    ]);
    memory.deliver(TOPIC, 0, [{ key: "0" }]);
    // The other one starts later, and yet at the same offset.
    const second = await start(memory, { run: [0] });
    await clock.advance(100);
    expect(offsetsOf(memory)).toEqual([null, 4, 4]);
    expect(second.consumer.stats().processed).toBe(1);
    await close(first);
    await close(second);
  });

  test("S7: fromBeginning starts at the beginning", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    memory.deliver(TOPIC, 0, [{ key: "0" }, { key: "1" }, { key: "2" }]);
    memory.trim(TOPIC, 0, 1);
    const one = await start(memory, { run: [1] }, { fromBeginning: true });
    expect(offsetsOf(memory)).toEqual([null, 1, 1]);
    await close(one);
  });

  test("S7: a start that was not passed on, as its process died, is passed on by the next", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    const one = await start(memory, { run: [0] });
    await close(one);
    const { metadata } = memory.committed("g-parallel-0", TOPIC, 0)!;
    const half = memorySource({ topics: { [TOPIC]: 1 } });
    half.setCommitted("g-parallel-0", TOPIC, 0, 0, metadata);
    half.deliver(TOPIC, 0, [{ key: "0" }]);
    const next = await start(half, { run: [1] });
    expect([next.error, ...offsetsOf(half)]).toEqual([null, null, 0, 0]);
    await close(next);
  });

  test("S7: a segment without an offset refuses to start where the origin has one", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    memory.setCommitted("g", TOPIC, 0, 42);
    const one = await start(memory, {});
    expect(one.error).toMatchObject({ name: "SegmentError", code: "HEADRACE_SEGMENT" });
    expect(one.error!.message).toBe(
      'Cannot start segment 0 of "g" as its group "g-parallel-0" must have an offset where others ' +
        'have: received none for orders#0 ("g" has 42); "headrace segments distribute" gives it one',
    );
    expect(offsetsOf(memory)).toEqual([42, null, null]);
    expect(one.consumer.state).not.toBe("running");
    await expect(one.consumer.closed).rejects.toBe(one.error);
  });

  test("S7: nor where a sibling has one; one with an offset starts", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 2 } });
    for (const partition of [0, 1]) memory.setCommitted("g-parallel-0", TOPIC, partition, 0);
    memory.setCommitted("g-parallel-1", TOPIC, 0, 0);
    const other = await start(memory, { run: [1] });
    expect(other.error!.message).toContain("segment 1");
    expect(other.error!.message).toContain('orders#1 ("g-parallel-0" has 0)');
    const one = await start(memory, { run: [0] });
    expect(one.error).toBe(null);
    expect(offsetsOf(memory, 1)).toEqual([null, 0, null]);
    await close(one);
  });

  test("O10: a partition that is added later is read from its beginning by every segment", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    const first = await start(memory, {});
    await close(first);
    memory.createTopic(TOPIC, 2);
    memory.deliver(TOPIC, 1, [{ key: "0" }, { key: "1" }]);
    const second = await start(memory, {});
    await clock.advance(100);
    expect(second.consumer.stats().processed).toBe(2);
    await close(second);
  });

  test("S8: commits carry count and version, and another segmentation is fatal", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    const first = await start(memory, { version: "1" });
    memory.deliver(TOPIC, 0, [{ key: "0" }, { key: "1" }]);
    await clock.advance(100);
    expect(offsetsOf(memory)).toEqual([null, 2, 2]);
    await close(first);
    for (const [other, received] of [
      [{ version: "2" }, 'version "2": received count 2 version "1"'],
      [{}, 'without version: received count 2 version "1"'],
      [{ count: 3, version: "1", run: [0] }, 'count 3 version "1": received count 2'],
    ] as const) {
      const again = await start(memory, other as Partial<ParallelSegmentsOptions>);
      expect(again.error).toMatchObject({ name: "SegmentError" });
      expect(again.error!.message).toContain(received);
    }
    const same = await start(memory, { version: "1" });
    expect(same.error).toBe(null);
    await close(same);
  });

  test("S8: one that comes with an assignment is fatal too", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 }, assignment: "manual" });
    const one = await start(memory, { version: "2" });
    const other = memorySource({ topics: { [TOPIC]: 1 } });
    const two = await start(other, { version: "1" });
    const { offset, metadata } = other.committed("g-parallel-1", TOPIC, 0)!;
    memory.setCommitted("g-parallel-1", TOPIC, 0, offset, metadata);
    const assigned = memory.assign([{ topic: TOPIC, partition: 0 }], 1);
    await clock.advance(30_000);
    await assigned;
    await expect(one.consumer.closed).rejects.toThrow('received count 2 version "1"');
    await close(two);
  });
});
