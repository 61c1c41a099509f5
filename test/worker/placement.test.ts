import { describe, expect, test } from "bun:test";
import { keys, laneByKey, range } from "../consumer/rig.ts";
import { type LabEntry, withLab } from "./lab.ts";

/** Most calls that ran at once, by thread. */
function mostAtOnce(entries: readonly LabEntry[]): number[] {
  const running = new Map<number, number>();
  const most = new Map<number, number>();
  for (const { thread, what } of entries) {
    if (what !== "start" && what !== "end") continue;
    const now = (running.get(thread) ?? 0) + (what === "start" ? 1 : -1);
    running.set(thread, now);
    most.set(thread, Math.max(most.get(thread) ?? 0, now));
  }
  return [...most.values()];
}

describe("calls in worker threads", () => {
  test("W1: each thread runs up to ⌈concurrency ÷ workers⌉ calls at once, and all of them together concurrency", async () => {
    const consumer = { workers: 2, concurrency: 5 };
    await withLab({ consumer }, async ({ send, until, noted, entries, open, stored }) => {
      send(...keys(40).map((key) => [key, ["gate", 1]] as const));
      await until(() => noted("start").length === 5);
      open(1);
      await until(() => stored() === 40);
      expect(mostAtOnce(entries).sort()).toEqual([2, 3]);
      const all = entries.map((entry) => ({ ...entry, thread: 0 }));
      expect(mostAtOnce(all)).toEqual([5]);
    });
  });

  test("W1: a handler that blocks its thread does not hold up another thread", async () => {
    const consumer = { workers: 2, concurrency: 2 };
    const topic = { virtualPartitions: { distribution: "per-key" as const } };
    await withLab({ consumer, topic }, async ({ send, until, noted, open, stored }) => {
      send(["a", ["block", 1]], ...keys(30).map((key) => [key] as const));
      await until(() => noted("end").length === 30);
      expect(new Set(noted("end").map(({ thread }) => thread)).size).toBe(1);
      open(1);
      await until(() => stored() === 31);
    });
  });

  test("W1, D7: lanes get a thread oldest first", async () => {
    const consumer = { workers: 1, concurrency: 1 };
    const topic = { virtualPartitions: laneByKey(10) };
    await withLab({ consumer, topic }, async ({ send, until, noted, open }) => {
      send(["9", ["gate", 1]], ...range(9).map((key) => [String(8 - key)] as const));
      await until(() => noted("start").length === 1);
      open(1);
      await until(() => noted("end").length === 10);
      expect(noted("start").flatMap(({ offsets }) => offsets)).toEqual(range(10));
    });
  });

  test("W1, D4: the messages of a key are handled in offset order, whatever the thread", async () => {
    const consumer = { workers: 3, concurrency: 6 };
    await withLab({ consumer }, async ({ send, until, entries, stored }) => {
      const order = range(300).map((i) => `k${(i * 7) % 11}`);
      send(...order.map((key) => [key] as const));
      await until(() => stored() === 300);
      const ended = new Map<string, number>();
      for (const { what, offsets } of entries) {
        const key = order[offsets![0]!]!;
        if (what === "start") expect(ended.get(key) ?? -1).toBeLessThan(offsets![0]!);
        else ended.set(key, offsets![0]!);
      }
      expect(entries).toHaveLength(600);
    });
  });

  test("W1: a higher concurrency counts at once", async () => {
    const consumer = { workers: 2, concurrency: 2 };
    const topic = { virtualPartitions: { maxPartitions: 8 } };
    await withLab({ consumer, topic }, async ({ consumer: one, send, until, noted }) => {
      send(...keys(40).map((key) => [key, ["gate", 1]] as const));
      await until(() => noted("start").length === 2);
      one.concurrency = 6;
      await until(() => noted("start").length === 6);
      const perThread = Map.groupBy(noted("start"), ({ thread }) => thread);
      expect([...perThread.values()].map(({ length }) => length)).toEqual([3, 3]);
    });
  });
});

describe("long-lived consumers in worker threads", () => {
  const consumer = { workers: 3, concurrency: 9 };

  test("W1, C1: each virtual partition has one instance, which stays on one thread and never sees two calls at once", async () => {
    const topic = { virtualPartitions: laneByKey(9), maxMessages: 3 };
    await withLab({ form: "consumer", consumer, topic }, async (lab) => {
      for (let round = 0; round < 10; round++) {
        lab.send(...range(90).map((i) => [String(i % 9)] as const));
      }
      await lab.until(() => lab.stored() === 900);
      const made = lab.noted("made");
      expect(made.map(({ virtualPartition }) => virtualPartition).sort()).toEqual(range(9));
      const home = new Map(made.map((entry) => [entry.virtualPartition, entry.thread]));
      const running = new Set<unknown>();
      for (const { what, thread, virtualPartition, offsets } of lab.entries) {
        if (what === "start") {
          expect(home.get(virtualPartition)).toBe(thread);
          expect(running.has(virtualPartition)).toBe(false);
          running.add(virtualPartition);
        } else if (what === "end") running.delete(offsets![0]! % 9);
      }
      const perThread = Map.groupBy(made, ({ thread }) => thread);
      expect([...perThread.values()].map(({ length }) => length)).toEqual([3, 3, 3]);
    });
  });

  test("W1, C1: a virtual partition waits for its own thread, and others go on meanwhile", async () => {
    const topic = { virtualPartitions: laneByKey(9), maxMessages: 1 };
    const few = { workers: 2, concurrency: 2 };
    await withLab({ form: "consumer", consumer: few, topic }, async (lab) => {
      lab.send(["0"], ["1"], ["2"], ["3"]);
      await lab.until(() => lab.stored() === 4);
      const [first] = lab.noted("made");
      const mine = lab.noted("made").filter(({ thread }) => thread === first!.thread);
      const [a, b] = mine.map(({ virtualPartition }) => String(virtualPartition));
      const other = lab.noted("made").find(({ thread }) => thread !== first!.thread)!;
      const c = String(other.virtualPartition);
      lab.send([a!, ["block", 1]], [b!], [c], [c]);
      // The thread that blocks may be slow to begin: both are waited for.
      await lab.until(() => lab.noted("end").length === 6 && lab.noted("start").length === 7);
      const started = lab.noted("start").map(({ offsets }) => offsets![0]!);
      expect(started.toSorted((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 6, 7]);
      expect(lab.consumer.explain()).toMatchObject([{ reason: "handler-running", offset: 4 }]);
      lab.open(1);
      await lab.until(() => lab.stored() === 8);
    });
  });

  test("D3: they are refused with per-key distribution, by run()", async () => {
    const topic = { virtualPartitions: { distribution: "per-key" as const } };
    const ran = withLab({ form: "consumer", topic }, async () => {});
    await expect(ran).rejects.toThrow(
      'Cannot run a consumer as topics["orders"].virtualPartitions.distribution "per-key" works',
    );
  });
});
