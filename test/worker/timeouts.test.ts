import { describe, expect, test } from "bun:test";
import { laneByKey } from "../consumer/rig.ts";
import { TOPIC, withLab } from "./lab.ts";

const topic = { virtualPartitions: laneByKey(8), onError: "isolate" as const };
const consumer = { workers: 1, concurrency: 4, handlerTimeoutMs: 60, drainTimeoutMs: 100 };

describe("handlerTimeoutMs in worker threads", () => {
  test("R12: the signal aborts with a TimeoutError, stalled is emitted, and a call that ends then has just ended", async () => {
    await withLab({ topic, consumer }, async ({ send, until, noted, events, stored, threads }) => {
      send(["0", ["untilAborted"]], ["1"]);
      await until(() => stored() === 2);
      expect(noted("aborted")).toMatchObject([
        { name: "TimeoutError", message: "The handler ran for 60 ms" },
      ]);
      expect(events("stalled")).toMatchObject([
        { topic: TOPIC, partition: 0, kind: "handler-timeout" },
      ]);
      expect([events("failed"), events("error"), threads.length]).toEqual([[], [], 1]);
    });
  });

  test("R12: a handler that never gives its thread back sees it when it asks", async () => {
    await withLab({ topic, consumer }, async ({ send, until, noted, stored, threads }) => {
      send(["0", ["pollSignal"]]);
      await until(() => stored() === 1);
      expect(noted("aborted")).toMatchObject([{ name: "TimeoutError" }]);
      expect(threads).toHaveLength(1);
    });
  });

  test.each([
    ["waits for ever", "forever"],
    ["loops for ever", "spin"],
  ] as const)(
    "R12, W3: a call that %s is given up after drainTimeoutMs, and its thread is replaced",
    async (_name, step) => {
      const queue = { topic: false as const, maxRetries: 0 };
      await withLab(
        { topic: { ...topic, deadLetterQueue: queue }, consumer },
        async ({ send, until, events, stored, threads }) => {
          const beganMs = performance.now();
          send(["0", [step]]);
          await until(() => events("failed").length === 1);
          expect(performance.now() - beganMs).toBeGreaterThan(155);
          expect(events("failed")).toMatchObject([
            { offset: 0, attempt: 1, error: { code: "HEADRACE_WORKER_TIMEOUT" } },
          ]);
          expect(events("failed")[0]!.error.message).toBe(
            "Cannot go on as a call must end within 100 ms once its signal has aborted: " +
              `received ${TOPIC}#0@0, which still runs`,
          );
          send(["1"]);
          await until(() => stored() === 2);
          expect(threads).toHaveLength(2);
          expect(events("error")).toMatchObject([{ error: { code: "HEADRACE_WORKER_TIMEOUT" } }]);
        },
      );
    },
  );

  test("R12: calls that lie behind one that blocks the thread are not timed before they begin", async () => {
    const patient = { ...consumer, handlerTimeoutMs: 200, drainTimeoutMs: 20_000 };
    await withLab({ topic, consumer: patient }, async ({ send, until, events, stored, open }) => {
      send(["0", ["block", 1]], ["1"], ["2"], ["3"]);
      await until(() => events("stalled").length === 1);
      open(1);
      await until(() => stored() === 4);
      // One call was late, though all four were sent at once.
      expect(events("stalled")).toHaveLength(1);
    });
  });

  test("R12: a call behind others is timed from its own beginning", async () => {
    const patient = { ...consumer, handlerTimeoutMs: 150, drainTimeoutMs: 20_000 };
    await withLab(
      { topic, consumer: patient },
      async ({ send, until, noted, events, stored, open }) => {
        // The first one gives the thread back, so that the second one begins without a sign of the first.
        send(["0", ["gate", 1]], ["1", ["untilAborted"]]);
        await until(() => noted("start").length === 2);
        open(1);
        await until(() => stored() === 2);
        expect(noted("aborted")).toMatchObject([{ name: "TimeoutError" }]);
        expect(events("stalled").length).toBeLessThanOrEqual(2);
      },
    );
  });

  test("R12, W3: other calls of the thread that is given up run again, and are not to blame", async () => {
    await withLab({ topic, consumer }, async ({ send, until, noted, events, stored, open }) => {
      send(["0", ["gate", 1]], ["1", ["redeliverOnce", [9, {}]], ["forever"]]);
      await until(() => events("error").length >= 1);
      open(1);
      await until(() => stored() === 1);
      const first = noted("start").filter(({ offsets }) => offsets![0] === 0);
      expect(first.map(({ attempt }) => attempt)).toEqual([1, 1]);
      expect(events("failed").every(({ offset }) => offset === 1)).toBe(true);
    });
  });
});
