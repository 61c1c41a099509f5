import { describe, expect, test } from "bun:test";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message, PartitionKey } from "../../src/types.ts";
import { keys, laneByKey } from "../consumer/rig.ts";
import { TOPIC, withLab } from "./lab.ts";

const HERE = { topic: TOPIC, partition: 0 };
const lanes = { virtualPartitions: laneByKey(8) };

describe("the context of a call in a worker thread", () => {
  test("has what it has elsewhere", async () => {
    const consumer = { workers: 1 };
    await withLab({ topic: lanes, consumer }, async ({ send, until, noted, groupId, stored }) => {
      send(["3", ["context"]]);
      await until(() => stored() === 1);
      expect(noted("start")).toMatchObject([
        { offsets: [0], virtualPartition: 3, attempt: 1, collapsed: false },
      ]);
      expect(noted("context")).toMatchObject([
        { groupId, offsetMetadata: null, draining: false, failing: false, aborted: false },
      ]);
    });
  });

  test("S1: says which segment it is of, and a long-lived consumer is told too", async () => {
    const parallelSegments = {
      count: 3,
      partitioner: (message: Message) => message.key,
      reducer: (key: PartitionKey) => Number(new TextDecoder().decode(key as Uint8Array)),
      run: [0, 2],
    };
    const options = { consumer: { parallelSegments }, form: "consumer" as const };
    await withLab(options, async ({ send, until, noted, groupId, memory }) => {
      send(["2", ["context"]], ["1", ["context"]], ["0", ["context"]]);
      const groups = [0, 1, 2].map((index) => `${groupId}-parallel-${index}`);
      const stored = () => groups.map((group) => memory.committed(group, TOPIC, 0)?.offset);
      await until(() => String(stored()) === "3,0,3");
      for (const what of ["context", "made"]) {
        const said = noted(what).map((entry) => [entry.groupId, entry.segment]);
        expect(new Map(said as [string, unknown][])).toEqual(
          new Map([0, 2].map((index) => [groups[index]!, { index, count: 3, origin: groupId }])),
        );
      }
    });
  });

  test("of a batch has its partition, its offsets and its lag", async () => {
    const topic = { virtualPartitions: laneByKey(2), maxMessages: 3 };
    await withLab({ form: "eachBatch", topic }, async ({ send, until, noted, stored }) => {
      send(["0", ["context"]], ["1"], ["0"], ["1"], ["0"], ["1"]);
      await until(() => stored() === 6);
      expect(noted("context")[0]).toMatchObject({
        batch: { ...HERE, firstOffset: 0, lastOffset: 4, lag: 1 },
      });
      expect(noted("start").map(({ offsets }) => offsets)).toEqual([
        [0, 2, 4],
        [1, 3, 5],
      ]);
    });
  });

  test("O7: reads the text that was stored, and stores another one", async () => {
    let memory: Parameters<typeof withLab>[0]["memory"];
    const consumer = { groupId: "texts" };
    await withLab({ consumer }, async (lab) => {
      memory = lab.memory;
      lab.send(["a", ["text", "before"]]);
      await lab.until(() => lab.stored() === 1);
    });
    const again = { consumer, ...(memory === undefined ? {} : { memory }) };
    await withLab(again, async ({ send, until, noted, stored, consumer: one }) => {
      send(["a", ["context"], ["mark", "by mark"]]);
      await until(() => stored() === 2);
      expect(noted("context")).toMatchObject([{ offsetMetadata: "before" }]);
      const assigned: unknown[] = [];
      one.on("assigned", ({ offsetMetadata }) => void assigned.push(offsetMetadata));
    });
    await withLab(again, async ({ send, until, noted, stored }) => {
      send(["a", ["context"]]);
      await until(() => stored() === 3);
      expect(noted("context")).toMatchObject([{ offsetMetadata: "by mark" }]);
    });
  });

  test("O2, O9: markAsConsumed() marks a message and earlier ones of its lane, in the call and after it", async () => {
    const topic = { ...lanes, acknowledge: "manual" as const };
    await withLab({ topic }, async ({ send, until, noted, stored, consumer }) => {
      send(["1", ["keep"]], ["2"], ["1"]);
      await until(() => consumer.stats().processed === 3);
      expect(consumer.stats().partitions).toMatchObject([{ unacknowledged: 3, committable: 0 }]);
      // Also what is kept, detached or not, marks.
      send(["2", ["markKept"]]);
      await until(() => stored() === 1);
      expect(noted("mark")).toMatchObject([{ results: [true, true], own: false }]);
      send(["2", ["mark"]]);
      await until(() => stored() === 2);
      send(["1", ["markDefault"]]);
      await until(() => stored() === 6);
    });
  });

  test("O2: in a batch a mark in the middle is all that counts when the call fails then", async () => {
    const topic = { ...lanes, retry: { backoffMs: 1, maxBackoffMs: 1 } };
    await withLab({ form: "eachBatch", topic }, async ({ send, until, noted, stored }) => {
      send(["1"], ["1", ["mark"]], ["1", ["throwUntil", 2]], ["1"]);
      await until(() => stored() === 4);
      const calls = noted("start").map(({ offsets, attempt }) => [offsets, attempt]);
      expect(calls).toEqual([
        [[0, 1, 2, 3], 1],
        [[2], 2],
        [[3], 2],
      ]);
    });
  });

  test("O8: a mark is false once the lease has ended, and changes nothing", async () => {
    const topic = { ...lanes, acknowledge: "manual" as const };
    await withLab({ topic }, async ({ send, until, noted, memory, stored, open }) => {
      send(["1", ["gate", 1], ["mark"]]);
      await until(() => noted("start").length === 1);
      await memory.lose([HERE]);
      open(1);
      await until(() => noted("end").length === 1);
      expect(noted("mark")).toMatchObject([{ result: false }]);
      expect(stored()).toBe(0);
    });
  });

  test("E6: collapseUntil() puts the partition into offset order, up to and including that offset", async () => {
    const consumer = { workers: 2, concurrency: 4 };
    await withLab({ topic: lanes, consumer }, async ({ send, until, noted, stored, events }) => {
      send(["0", ["collapseUntil", 6]]);
      await until(() => events("collapsed").length === 1);
      send(...keys(12, "").map((key) => [key.slice(-1)] as const));
      await until(() => stored() === 13);
      expect(events("collapsed")).toMatchObject([{ ...HERE, until: 7 }]);
      expect(events("expanded")).toHaveLength(1);
      const inOrder = noted("start").filter(({ collapsed }) => collapsed);
      const offsets = inOrder.flatMap((entry) => entry.offsets!);
      expect(offsets).toEqual([1, 2, 3, 4, 5, 6]);
    });
  });

  test("E8: pause() holds the whole partition for its time", async () => {
    await withLab({ topic: lanes }, async ({ send, until, noted, stored, events }) => {
      send(["0", ["pause", 60]]);
      await until(() => noted("end").length === 1 && events("paused").length === 1);
      const pausedMs = performance.now();
      send(["1"], ["2"]);
      await until(() => stored() === 3);
      expect(performance.now() - pausedMs).toBeGreaterThan(40);
      expect(events("resumed")).toHaveLength(1);
    });
  });

  test("C4: synchronize() runs alone among the lanes of a partition, threads included, and marks inside", async () => {
    const consumer = { workers: 3, concurrency: 9 };
    const topic = { virtualPartitions: laneByKey(9), acknowledge: "manual" as const };
    await withLab(
      { topic, consumer, partitions: 2 },
      async ({ sendTo, until, entries, stored }) => {
        const value = JSON.stringify([["synchronize", 20]]);
        for (const partition of [0, 1]) {
          sendTo(
            partition,
            keys(60, "").map((key) => ({ key: key.slice(-1), value })),
          );
        }
        await until(() => stored(0) === 60 && stored(1) === 60);
        const inside = entries.filter(({ what }) => what === "in" || what === "out");
        expect(inside).toHaveLength(240);
        // Two partitions: at most two inside, one each.
        let now = 0;
        let most = 0;
        for (const { what } of inside) {
          now += what === "in" ? 1 : -1;
          most = Math.max(most, now);
        }
        expect(most).toBeLessThanOrEqual(2);
        expect(new Set(inside.map(({ thread }) => thread)).size).toBe(3);
      },
    );
  });

  test("C4: of one partition nothing else is inside, in any thread", async () => {
    const consumer = { workers: 3, concurrency: 9 };
    const topic = { virtualPartitions: laneByKey(9) };
    await withLab({ topic, consumer }, async ({ send, until, entries, stored }) => {
      send(...keys(90, "").map((key) => [key.slice(-1), ["synchronize", 5]] as const));
      await until(() => stored() === 90);
      const inside = entries.filter(({ what }) => what === "in" || what === "out");
      expect(inside).toHaveLength(180);
      expect(inside.every(({ what }, i) => what === (i % 2 === 0 ? "in" : "out"))).toBe(true);
    });
  });

  test("C4: a thread that dies inside lets the others in", async () => {
    const consumer = { workers: 2, concurrency: 2 };
    const topic = { virtualPartitions: laneByKey(2), onError: "isolate" as const };
    await withLab({ topic, consumer }, async ({ send, until, noted, threads, stored, open }) => {
      send(["0", ["synchronizeGate", 1]], ["1", ["gate", 2], ["synchronize", 1]]);
      await until(() => noted("in").length === 1);
      open(2);
      const inside = noted("in")[0]!.thread;
      await threads.find((thread) => thread.threadId === inside)!.terminate();
      open(1);
      await until(() => stored() === 2);
      expect(noted("out").length).toBe(2);
    });
  });

  test("Q6: deadLetter() sends the message and marks it alone", async () => {
    const topic = {
      ...lanes,
      acknowledge: "manual" as const,
      deadLetterQueue: { topic: "dead" },
    };
    const memory = memorySource({ topics: { [TOPIC]: 1, dead: 1 } });
    await withLab({ topic, memory }, async ({ send, until, noted, stored, events }) => {
      send(["1", ["deadLetter", "too blue"]], ["1"], ["2", ["deadLetter"]]);
      await until(() => noted("deadLettered").length === 2);
      await until(() => stored() === 1);
      expect(
        events("deadLettered")
          .map(({ offset }) => offset)
          .sort(),
      ).toEqual([0, 2]);
      const first = memory.records("dead", 0).find(({ key }) => key![0] === 0x31);
      const headers = new Map(first!.headers);
      const text = (name: string): string => new TextDecoder().decode(headers.get(name));
      expect(text("headrace-error-message")).toBe("too blue");
      expect(text("headrace-source-offset")).toBe("0");
      expect(text("headrace-virtual-partition")).toBe("1");
    });
  });

  test("Q6: a message of an earlier call can be dead-lettered when it was detached, and not when it has expired", async () => {
    const topic = {
      ...lanes,
      acknowledge: "manual" as const,
      deadLetterQueue: { topic: "dead" },
    };
    const memory = memorySource({ topics: { [TOPIC]: 1, dead: 1 } });
    await withLab({ topic, memory }, async ({ send, sendTo, until, noted, stored }) => {
      const value = JSON.stringify([["keep"]]);
      sendTo(0, [{ key: "1", value, headers: [["kind", "x"]], timestamp: 77 }]);
      await until(() => noted("end").length === 1);
      send(["1", ["deadLetterKept", 0]]);
      await until(() => noted("refused").length === 1);
      expect(noted("refused")).toMatchObject([{ code: "HEADRACE_MESSAGE_EXPIRED" }]);
      send(["1", ["deadLetterKept", 1]]);
      await until(() => stored() === 1);
      const [record] = memory.records("dead", 0);
      const show = (bytes: Uint8Array | null): string => new TextDecoder().decode(bytes!);
      expect([show(record!.key), show(record!.value)]).toEqual(["1", value]);
      const headers = new Map(record!.headers.map(([name, bytes]) => [name, show(bytes)]));
      expect(headers.get("kind")).toBe("x");
      expect(headers.get("headrace-source-timestamp")).toBe("77");
    });
  });

  test("deadLetter() without a queue, and wrong arguments, are refused there and then", async () => {
    await withLab({}, async ({ send, until, noted, events, stored }) => {
      send(
        ["a", ["misuse", ["pause", -1]]],
        ["a", ["misuse", ["collapseUntil", 1.5]]],
        ["a", ["misuse", ["setOffsetMetadata", 7]]],
        ["a", ["misuse", ["setOffsetMetadata", "x".repeat(5000)]]],
        ["a", ["misuse", ["markAsConsumed", {}]]],
      );
      await until(() => stored() === 5);
      expect(noted("misuse").map(({ name, message }) => `${name}: ${message}`)).toEqual([
        "RangeError: Cannot use the context of a call as pause's ms must be from 0 to 2147483647: received -1",
        "RangeError: Cannot use the context of a call as collapseUntil's offset must be an integer: received 1.5",
        "TypeError: Cannot use the context of a call as offset metadata must be a string: received 7",
        "RangeError: Cannot keep offset metadata as it may have at most 4032 UTF-16 units: received 5000",
        "TypeError: Cannot mark a message as it must be one that headrace handed over: received {  }",
      ]);
      expect(events("failed")).toEqual([]);
      send(["a", ["deadLetter"]]);
      await until(() => events("failed").length > 0);
      expect(events("failed")[0]!.error).toMatchObject({
        name: "TypeError",
        message:
          "Cannot dead-letter a message as its topic must have a deadLetterQueue: received none",
      });
    });
  });

  test("failing is true while another lane has just failed", async () => {
    const consumer = { workers: 2, concurrency: 4 };
    await withLab(
      { topic: lanes, consumer },
      async ({ send, until, noted, open, events, stored }) => {
        send(["0", ["gate", 1], ["context"]], ["1", ["throwUntil", 2]]);
        await until(() => events("failed").length === 1);
        open(1);
        await until(() => stored() === 2);
        expect(noted("context")).toMatchObject([{ failing: true }]);
      },
    );
  });
});
