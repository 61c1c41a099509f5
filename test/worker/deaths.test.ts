import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { laneByKey, range } from "../consumer/rig.ts";
import { TOPIC, withLab } from "./lab.ts";

const isolate = { virtualPartitions: laneByKey(8), onError: "isolate" as const };
const one = { workers: 1, concurrency: 4 };

describe("errors of handlers in worker threads", () => {
  test("E1: keep name, message, code and stack, and are of the language's own class", async () => {
    const topic = { ...isolate };
    await withLab({ topic, consumer: one }, async ({ send, until, events, consumer }) => {
      const errors: unknown[] = [];
      consumer.on("failed", ({ error }) => {
        errors.push((error as unknown as { error: unknown }).error);
      });
      send(
        ["0", ["throw", ["TypeError", "wrong kind", "E_KIND"]]],
        ["1", ["throw", ["OddError", "odd"]]],
        ["2", ["throwValue", "just text"]],
        ["3", ["throwValue", { a: 1 }]],
      );
      await until(() => new Set(events("failed").map(({ offset }) => offset)).size === 4);
      const failed = (offset: number) => events("failed").find((event) => event.offset === offset)!;
      expect(failed(0)).toMatchObject({
        ...{ topic: TOPIC, partition: 0, virtualPartition: 0, attempt: 1, collapsed: false },
        error: { name: "TypeError", message: "wrong kind", code: "E_KIND" },
      });
      expect(failed(1).error).toMatchObject({ name: "OddError", message: "odd", code: null });
      expect(failed(2).error).toMatchObject({ name: "Error", message: "just text" });
      const typed = errors.find((error) => (error as Error).name === "TypeError") as Error;
      expect(typed).toBeInstanceOf(TypeError);
      expect(typed.stack).toContain("lab-steps");
      expect(errors).toContain("just text");
      expect(errors).toContainEqual({ a: 1 });
    });
  });

  test("E2, E3: a failed call collapses the partition, and is tried again from memory", async () => {
    const topic = { virtualPartitions: laneByKey(8) };
    const consumer = { workers: 2, concurrency: 4 };
    await withLab({ topic, consumer }, async ({ send, until, noted, events, stored, open }) => {
      send(["0", ["throwUntil", 3]], ["1", ["gate", 1]], ["2"], ["3"], ["0"]);
      await until(() => events("failed").length === 1);
      open(1);
      await until(() => stored() === 5);
      expect(events("failed").map(({ attempt, collapsed }) => [attempt, collapsed])).toEqual([
        [1, false],
        [2, true],
      ]);
      expect(events("collapsed")).toHaveLength(1);
      const tries = noted("start").filter(({ offsets }) => offsets![0] === 0);
      expect(tries.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
      expect(events("error")).toEqual([]);
    });
  });

  test("E6: Redeliver brings the messages again without an attempt, after its pause", async () => {
    await withLab({ topic: isolate }, async ({ send, until, noted, events, stored }) => {
      send(["0", ["redeliverOnce", [9, { pauseMs: 30, collapseUntil: 0 }]]]);
      await until(() => stored() === 1);
      expect(noted("start").map(({ attempt }) => attempt)).toEqual([1, 1]);
      expect([events("failed"), events("paused").length]).toEqual([[], 1]);
      expect(events("collapsed")).toMatchObject([{ until: 1 }]);
    });
  });
});

describe("threads that die", () => {
  test("W3: a call that was alone there has failed; its messages are tried again in a new thread", async () => {
    await withLab({ topic: isolate, consumer: one }, async (lab) => {
      lab.send(["0", ["exitUntil", 3]]);
      await lab.until(() => lab.stored() === 1);
      expect(lab.events("failed")).toMatchObject([
        { offset: 0, attempt: 1, error: { name: "WorkerError", code: "HEADRACE_WORKER_EXIT" } },
        { offset: 0, attempt: 2, error: { code: "HEADRACE_WORKER_EXIT" } },
      ]);
      expect(lab.events("error")).toMatchObject([
        { fatal: false, error: { code: "HEADRACE_WORKER_EXIT" } },
        { fatal: false, error: { code: "HEADRACE_WORKER_EXIT" } },
      ]);
      expect(lab.threads).toHaveLength(3);
    });
  });

  test.each([
    ["throws outside of a handler", "crash"],
    ["leaves a rejection unhandled", "reject"],
  ] as const)("W3: a thread that %s is one that died", async (_name, step) => {
    const dead = { topic: false as const, maxRetries: 1 };
    const topic = { ...isolate, deadLetterQueue: dead };
    await withLab({ topic, consumer: one }, async ({ send, until, events, stored }) => {
      send(["0", [step]], ["1"]);
      await until(() => stored() === 2);
      const ofFirst = events("failed").filter(({ offset }) => offset === 0);
      expect(ofFirst).toMatchObject([
        { attempt: 1, error: { code: "HEADRACE_WORKER_CRASH" } },
        { attempt: 2, error: { code: "HEADRACE_WORKER_CRASH" } },
      ]);
      expect(ofFirst[0]!.error.message).toContain("planned");
      expect(events("failed")).toHaveLength(2);
    });
  });

  test("W3: of several calls none is to blame: they run again, one at a time, until it is known which one it is", async () => {
    const topic = { ...isolate, deadLetterQueue: { topic: false as const, maxRetries: 1 } };
    await withLab(
      { topic, consumer: one },
      async ({ send, until, noted, events, stored, open }) => {
        send(["0", ["gate", 2]], ["1", ["gate", 2]], ["2", ["gate", 1], ["exit", 4]], ["3"]);
        await until(() => noted("end").length === 1 && noted("start").length === 4);
        open(1);
        await until(() => noted("start").length > 4);
        expect(events("failed")).toEqual([]);
        open(2);
        await until(() => stored() === 4);
        expect(events("failed").map(({ offset, attempt }) => [offset, attempt])).toEqual([
          [2, 1],
          [2, 2],
        ]);
        const tries = (offset: number): unknown[] =>
          noted("start")
            .filter(({ offsets }) => offsets![0] === offset)
            .map(({ attempt }) => attempt);
        expect([0, 1, 2, 3].map(tries)).toEqual([[1, 1], [1, 1], [1, 1, 2], [1]]);
      },
    );
  });

  test("W3: calls that run again after a death run alone in their thread, and others go on elsewhere", async () => {
    const consumer = { workers: 2, concurrency: 8 };
    const topic = { ...isolate, virtualPartitions: laneByKey(10) };
    await withLab(
      { topic, consumer },
      async ({ send, until, noted, entries, stored, open, threads }) => {
        send(...range(8).map((i) => [String(i), ["gate", 1]] as const));
        await until(() => noted("start").length === 8);
        const dying = noted("start")[0]!.thread;
        await threads.find(({ threadId }) => threadId === dying)!.terminate();
        await until(() => noted("start").length > 8);
        send(...range(40).map(() => ["9"] as const));
        open(1);
        await until(() => stored() === 48);
        const lost = noted("start").filter(({ thread }) => thread === dying);
        const restarted = new Set(lost.map(({ offsets }) => offsets![0]!));
        expect(restarted.size).toBe(4);
        const running = new Map<number, Set<number>>();
        for (const { what, thread, offsets } of entries) {
          if (thread === dying || offsets === undefined) continue;
          const here = running.get(thread) ?? new Set();
          running.set(thread, here);
          if (what === "end") here.delete(offsets[0]!);
          else {
            here.add(offsets[0]!);
            if ([...here].some((offset) => restarted.has(offset))) expect(here.size).toBe(1);
          }
        }
      },
    );
  });

  test("W3: a call that had not begun is no part of it: it just begins elsewhere", async () => {
    const topic = { ...isolate, deadLetterQueue: { topic: false as const, maxRetries: 0 } };
    await withLab({ topic, consumer: one }, async ({ send, until, noted, events, stored }) => {
      // The first call blocks the thread, then ends it; the others lie behind it.
      send(["0", ["exit", 0]], ["1"], ["2"], ["3"]);
      await until(() => stored() === 4);
      expect(events("failed")).toMatchObject([{ offset: 0, attempt: 1 }]);
      const others = noted("start").filter(({ offsets }) => offsets![0] !== 0);
      expect(others.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
      expect(others).toHaveLength(3);
    });
  });

  test("W3: what a thread had finished before it died counts", async () => {
    await withLab(
      { topic: isolate, consumer: one },
      async ({ send, until, noted, threads, stored, consumer }) => {
        send(["0"], ["1", ["gate", 1]]);
        await until(() => consumer.stats().processed === 1 && noted("start").length === 2);
        await threads[0]!.terminate();
        await until(() => threads.length === 2 && noted("start").length === 3);
        expect(noted("start").at(-1)!.offsets).toEqual([1]);
        await until(() => stored() === 1);
      },
    );
  });

  test("W3, Q1: a batch whose thread died is tried again one message per call, and only the culprit is given up", async () => {
    const topic = {
      ...isolate,
      maxMessages: 10,
      deadLetterQueue: { topic: false as const, maxRetries: 1 },
    };
    await withLab({ form: "eachBatch", topic, consumer: one }, async (lab) => {
      lab.send(["0"], ["0"], ["0", ["exit", 1]], ["0"]);
      await lab.until(() => lab.stored() === 4);
      const calls = lab
        .noted("start")
        .map(({ offsets, attempt }) => [...offsets!, `try ${attempt}`]);
      expect(calls).toEqual([
        [0, 1, 2, 3, "try 1"],
        [0, "try 2"],
        [1, "try 2"],
        [2, "try 2"],
        // Messages before it have succeeded since, so its budget was whole again (Q5).
        [2, "try 3"],
        [3, "try 2"],
      ]);
      expect(lab.events("failed").map(({ offset }) => offset)).toEqual([0, 2, 2]);
    });
  });

  test("W3, E2: a death in a collapse is a failure of the message that ran", async () => {
    const topic = {
      virtualPartitions: laneByKey(8),
      deadLetterQueue: { topic: false as const, maxRetries: 2 },
    };
    await withLab({ topic, consumer: one }, async ({ send, until, events, stored }) => {
      send(["0", ["throwUntil", 2]], ["1", ["exit", 1]], ["2"]);
      await until(() => stored() === 3);
      expect(events("failed").filter(({ offset }) => offset === 1).length).toBeGreaterThan(1);
      expect(events("collapsed").length).toBeGreaterThan(0);
    });
  });

  test("C1, W3: instances that died with their thread are made again", async () => {
    const topic = { ...isolate, maxMessages: 1 };
    await withLab(
      { form: "consumer", topic, consumer: one },
      async ({ send, until, noted, stored }) => {
        send(["0"], ["1"]);
        await until(() => stored() === 2);
        send(["0", ["exitUntil", 2]], ["1"]);
        await until(() => stored() === 4);
        const made = noted("made").map(({ virtualPartition }) => virtualPartition);
        expect(made).toEqual([0, 1, 0, 1]);
      },
    );
  });

  // Bun takes no notice of resourceLimits: there a handler without bounds takes all of the machine's memory.
  test.skipIf("Bun" in globalThis)(
    "W3: a thread that runs out of memory is replaced, and the process lives",
    async () => {
      const file = fileURLToPath(new URL("./memory-child.ts", import.meta.url));
      const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
      const child = spawn(process.execPath, [...deno, file], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      let output = "";
      child.stdout.on("data", (chunk) => {
        output += chunk;
      });
      await new Promise((resolve) => child.once("close", resolve));
      expect(JSON.parse(output)).toEqual({
        report: { drained: 0, abandoned: 0, uncommitted: [] },
        failed: [[1, "HEADRACE_WORKER_OUT_OF_MEMORY"]],
      });
    },
  );

  test("W3: a thread that cannot be had again for a while holds nothing up for good", async () => {
    let refusals = 0;
    await withLab({ topic: isolate, consumer: one }, async (lab) => {
      const { threads, send, until, stored, noted, events } = lab;
      const push = threads.push.bind(threads);
      threads.push = (...more) => {
        if (refusals++ < 2) throw new Error("no thread today");
        return push(...more);
      };
      send(["0", ["exitUntil", 2]]);
      await until(() => stored() === 1);
      expect(noted("start")).toHaveLength(2);
      expect(events("error").map(({ error }) => error.message)).toEqual([
        "Cannot go on as a worker thread must not end by itself: received exit code 3",
        "Cannot start a worker thread as the runtime must allow it: received no thread today",
        "Cannot start a worker thread as the runtime must allow it: received no thread today",
      ]);
    });
  });
});
