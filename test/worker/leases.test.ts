import { describe, expect, test } from "bun:test";
import { laneByKey, range } from "../consumer/rig.ts";
import { TOPIC, withLab } from "./lab.ts";

const HERE = { topic: TOPIC, partition: 0 };
const topic = { virtualPartitions: laneByKey(4), maxMessages: 2 };
const consumer = { workers: 2, concurrency: 4 };

describe("leases and worker threads", () => {
  test("C3: flush runs on each instance when its lease drains, revoked once it has ended, shutdown never there", async () => {
    await withLab({ form: "consumer", topic, consumer }, async (lab) => {
      const { send, until, noted, memory, entries } = lab;
      send(["0"], ["1"], ["2"], ["0"]);
      await until(() => lab.stored() === 4);
      await memory.revoke([HERE]);
      await until(() => noted("revoked").length === 3);
      const hooks = (name: string) => noted(name).map(({ virtualPartition }) => virtualPartition);
      expect(hooks("flush").sort()).toEqual([0, 1, 2]);
      expect(hooks("shutdown")).toEqual([]);
      expect(hooks("revoked").sort()).toEqual([0, 1, 2]);
      const last = (what: string) => entries.findLastIndex((entry) => entry.what === what);
      expect(last("end")).toBeLessThan(entries.findIndex(({ what }) => what === "flush"));
      // C2: the next lease has instances of its own.
      await memory.assign([HERE]);
      send(["0"]);
      await until(() => lab.stored() === 5);
      expect(noted("made")).toHaveLength(4);
    });
  });

  test("C3: at close each instance has flush, shutdown, revoked, in this order", async () => {
    await withLab({ form: "consumer", topic, consumer }, async (lab) => {
      lab.send(["0"], ["3"]);
      await lab.until(() => lab.stored() === 2);
      await lab.consumer.close();
      await lab.until(() => lab.noted("revoked").length === 2);
      for (const lane of [0, 3]) {
        const own = lab.entries.filter(({ virtualPartition }) => virtualPartition === lane);
        expect(own.map(({ what }) => what)).toEqual([
          "made",
          "start",
          "flush",
          "shutdown",
          "revoked",
        ]);
      }
    });
  });

  test("R3, C1: a lease that is continued keeps its instances; what it gains afterwards is flushed too", async () => {
    await withLab({ form: "consumer", topic, consumer }, async (lab) => {
      lab.send(["0"]);
      await lab.until(() => lab.stored() === 1);
      await lab.memory.revoke([HERE], { keep: [HERE] });
      lab.send(["0"], ["1"]);
      await lab.until(() => lab.stored() === 3);
      await lab.memory.revoke([HERE]);
      await lab.until(() => lab.noted("revoked").length === 2);
      expect(lab.noted("made")).toHaveLength(2);
      const flushed = lab.noted("flush").map(({ virtualPartition }) => virtualPartition);
      expect(flushed).toEqual([0, 1]);
    });
  });

  test("R2: a drain waits for running calls, which see draining, and their results are committed", async () => {
    await withLab({ topic, consumer }, async ({ send, until, noted, memory, stored, open }) => {
      send(["0", ["gate", 1]], ["1", ["pollDraining"]], ["0"]);
      await until(() => noted("start").length === 2);
      const revoked = memory.revoke([HERE]);
      await until(() => noted("draining").length === 1);
      open(1);
      await revoked;
      expect(noted("start")).toHaveLength(2);
      expect(stored()).toBe(2);
    });
  });

  test("R2, E9: after the drain deadline the signal aborts; a throw is abandoned then, and nothing is lost", async () => {
    const slow = { ...consumer, drainTimeoutMs: 50 };
    await withLab({ topic, consumer: slow }, async (lab) => {
      lab.send(["0", ["untilAborted"], ["throw", ["Error", "gave up"]]], ["1"]);
      await lab.until(() => lab.noted("end").length === 1);
      await lab.memory.revoke([HERE]);
      await lab.until(() => lab.noted("aborted").length === 1);
      expect(lab.noted("aborted")).toMatchObject([{ message: "The drain deadline passed" }]);
      expect(lab.events("failed")).toEqual([]);
      expect(lab.stored()).toBe(0);
      // Whoever has the partition next has the message again, and not the one that was done.
      await lab.memory.assign([HERE]);
      await lab.until(() => lab.noted("start").length === 3);
      expect(lab.noted("start").at(-1)).toMatchObject({ offsets: [0], attempt: 1 });
    });
  });

  test("R2: the signal of a lost lease aborts at once", async () => {
    await withLab({ topic, consumer }, async ({ send, until, noted, memory }) => {
      send(["0", ["untilAborted"]]);
      await until(() => noted("start").length === 1);
      await memory.lose([HERE]);
      await until(() => noted("aborted").length === 1);
      expect(noted("aborted")).toMatchObject([{ message: "The lease is over" }]);
    });
  });

  test("R6: a call of an ended lease holds its key until it settles, or its thread is gone", async () => {
    await withLab({ topic, consumer }, async ({ send, until, noted, memory, threads, stored }) => {
      send(["0", ["redeliverOnce", [9, {}]], ["forever"]], ["1"]);
      await until(() => noted("start").length >= 3);
      await memory.lose([HERE]);
      await memory.assign([HERE]);
      send(["2"]);
      await until(() => noted("end").some(({ offsets }) => offsets![0] === 2));
      const before = noted("start").filter(({ offsets }) => offsets![0] === 0).length;
      const { thread } = noted("start")
        .filter(({ offsets }) => offsets![0] === 0)
        .at(-1)!;
      await threads.find(({ threadId }) => threadId === thread)!.terminate();
      const again = (): number => noted("start").filter(({ offsets }) => offsets![0] === 0).length;
      await until(() => again() > before);
      expect(stored()).toBe(0);
    });
  });

  test("R4, W5: close() gives calls their time, then ends the threads, whatever runs there", async () => {
    await withLab({ topic, consumer }, async ({ send, until, noted, consumer: one, threads }) => {
      // The third one gets the thread of the first.
      send(["1", ["forever"]], ["0", ["spin"]], ["2"]);
      await until(() => noted("end").length === 1);
      const exits = threads.map(
        (thread) => new Promise<void>((resolve) => thread.once("exit", () => resolve())),
      );
      const report = await one.close({ drainTimeoutMs: 30 });
      expect(report).toMatchObject({ abandoned: 2, uncommitted: [] });
      await Promise.all(exits);
      expect(one.stats().running).toBe(0);
    });
  });

  test("R11: seek() drops what runs, and goes on at its offset", async () => {
    await withLab(
      { topic, consumer },
      async ({ send, until, noted, stored, open, consumer: one }) => {
        send(...range(8).map((i) => [String(i % 4), ["gate", 1]] as const));
        await until(() => noted("start").length === 4);
        await one.seek(HERE, 6);
        open(1);
        await until(() => stored() === 8);
        const offsets = noted("start").flatMap((entry) => entry.offsets!);
        expect(offsets.slice(4).sort()).toEqual([6, 7]);
        expect(one.stats().droppedResults).toBe(4);
      },
    );
  });
});
