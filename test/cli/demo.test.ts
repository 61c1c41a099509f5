import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { main } from "../../src/cli/cli.ts";
import { type DemoResult, judge } from "../../src/cli/demo/demo-result.ts";
import { fakeIo } from "./fake-io.ts";

const TIMEOUT_MS = 30_000;

/** Runs the demo with a temporary directory of its own, and says what it left there. */
async function runDemo(
  argv: string[],
  io: ReturnType<typeof fakeIo>,
): Promise<{ code: number; left: string[] }> {
  const own = mkdtempSync(join(tmpdir(), "headrace-demo-test-"));
  const usual = process.env.TMPDIR;
  process.env.TMPDIR = own;
  try {
    const code = await main(["demo", ...argv], io);
    return { code, left: readdirSync(own) };
  } finally {
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
    rmSync(own, { recursive: true, force: true });
  }
}

describe("headrace demo", () => {
  test(
    "--json prints one object: all handled, in order, none twice without a kill",
    async () => {
      const io = fakeIo();
      const { code, left } = await runDemo(["--messages", "400", "--keys", "40", "--json"], io);
      expect(io.output.err).toBe("");
      const result = JSON.parse(io.output.out) as DemoResult;
      expect(result.failures).toEqual([]);
      expect(code).toBe(0);
      expect(io.output.out.trimEnd().split("\n").length).toBe(1);
      for (const way of [result.consistent, result.balanced]) {
        expect([way.messages, way.missing]).toEqual([400, 0]);
        expect([way.orderBreaks, way.handledTwice]).toEqual([0, 0]);
        expect(way.perVirtualPartition.reduce((a, b) => a + b, 0)).toBe(400);
      }
      const { hashInline, hashThreads } = result;
      expect([hashInline.threads, hashThreads.threads]).toEqual([0, 2]);
      for (const way of [hashInline, hashThreads]) {
        expect([way.messages, way.missing]).toEqual([400, 0]);
        expect([way.orderBreaks, way.handledTwice]).toEqual([0, 0]);
      }
      expect(hashInline.answer).toBeGreaterThan(400);
      expect(hashThreads.answer).toBe(hashInline.answer);
      const { restarted } = result;
      expect([restarted.missing, restarted.orderBreaks]).toEqual([0, 0]);
      expect(restarted.resumedAt).toBeGreaterThan(0);
      expect(restarted.doneAtKill).toBeGreaterThanOrEqual(200);
      const doneAbove = restarted.doneAtKill - restarted.resumedAt;
      expect(restarted.handledTwice).toBeLessThanOrEqual(doneAbove);
      expect(result.speedUp.balanced).toBeGreaterThan(1);
      expect(left).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "writes plain lines, a table and a chart when the screen is no terminal",
    async () => {
      const io = fakeIo();
      const { code } = await runDemo(["--messages", "60", "--keys", "12"], io);
      expect(code).toBe(0);
      expect(io.output.out).not.toContain("\u001b");
      expect(io.output.out).not.toContain("\r");
      expect(io.output.out).toContain("60 orders of 12 customers");
      for (const text of ["serial loop", "balanced", "hash inline", "hash threads", "kill -9"]) {
        expect(io.output.out).toContain(text);
      }
      expect(io.output.out).toContain("order breaks  handled twice");
      expect(io.output.out).toContain("Orders per virtual partition");
      expect(io.output.out).toContain("ok  every order handled");
    },
    TIMEOUT_MS,
  );

  test(
    "a signal ends it with 130 and removes its directory",
    async () => {
      const io = fakeIo();
      const ended = runDemo(["--messages", "5000", "--json"], io);
      io.send("SIGINT");
      expect(await ended).toEqual({ code: 130, left: [] });
      expect(io.output.out).toBe("");
    },
    TIMEOUT_MS,
  );
});

describe("judge()", () => {
  const way = {
    ...{ messages: 10, sample: false, ms: 10, allMs: 10, rate: 1000 },
    ...{ missing: 0, orderBreaks: 0, handledTwice: 0, perVirtualPartition: [10] },
  };
  const measured = {
    ...{ messages: 10, keys: 2, busiestKey: 6, lanes: 1, writeMs: 1 },
    serial: { ...way, way: "serial" as const, rate: 100 },
    consistent: { ...way, way: "consistent" as const },
    balanced: { ...way, way: "balanced" as const, rate: 2000 },
    hashInline: { ...way, way: "hashInline" as const, threads: 0, answer: 7 },
    hashThreads: { ...way, way: "hashThreads" as const, threads: 2, answer: 7, rate: 1500 },
    restarted: {
      ...{ ...way, way: "restarted" as const, handledTwice: 2 },
      ...{ doneAtKill: 6, committedAtKill: 4, resumedAt: 4 },
    },
  };

  test("accepts what holds, a kill's repetitions included", () => {
    const result = judge(measured);
    expect(result.failures).toEqual([]);
    expect(result.ok).toBe(true);
    expect(result.speedUp).toEqual({ consistent: 10, balanced: 20, hashThreads: 1.5 });
  });

  test.each([
    ["consistent", { missing: 1 }, "consistent: no order may be missing: received 1"],
    ["balanced", { orderBreaks: 3 }, "balanced: no order may break: received 3"],
    ["balanced", { handledTwice: 1 }, "balanced: none may be handled twice: received 1"],
    ["hashThreads", { orderBreaks: 1 }, "hashThreads: no order may break: received 1"],
    ["hashThreads", { answer: 5 }, "hashes must be those of the polling thread: received -2"],
    ["restarted", { handledTwice: 3 }, "restarted: 2 may be handled again: received 3"],
    ["restarted", { resumedAt: 3 }, "restarted: it must go on where it was: received 3"],
    ["restarted", { committedAtKill: 0 }, "an offset must be stored before the kill: received 0"],
  ] as const)("finds a broken rule of %s: %j", (name, change, message) => {
    const result = judge({ ...measured, [name]: { ...measured[name], ...change } });
    expect(result.ok).toBe(false);
    expect(result.failures.join("\n")).toContain(message);
  });
});
