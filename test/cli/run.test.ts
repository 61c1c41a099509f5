import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { main } from "../../src/cli/cli.ts";
import type { RunResult } from "../../src/cli/run/run-report.ts";
import { type FakeIo, fakeIo } from "./fake-io.ts";
import { ORDERS, storedOffset, writeOrderLog } from "./order-log.ts";

const ORDER_COUNT = 200;
const TIMEOUT_MS = 20_000;

let directory: string;
let logDirectory: string;
let groupId = "";
let groups = 0;
beforeEach(async () => {
  // A call that never ends holds its keys for its group in this process (R6): every test has a group of its own.
  groupId = `g-${++groups}`;
  directory = mkdtempSync(join(tmpdir(), "headrace-run-"));
  logDirectory = join(directory, "log");
  await writeOrderLog(logDirectory, ORDER_COUNT);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Arguments of a run over the log, with a module of this text. */
function runArguments(text: string, ...more: string[]): string[] {
  writeFileSync(join(directory, "handler.mjs"), text);
  const source = ["--topic", ORDERS, "--group", groupId, "--log", "log"];
  return ["run", "handler.mjs", ...source, "--from-beginning", ...more];
}

/** What the handler module exports: the import gives the instance that the command used. */
async function handlerModule(): Promise<{
  handled: { offset: number; key: string; at: number }[];
}> {
  return await import(pathToFileURL(join(directory, "handler.mjs")).href);
}

const RECORDING = `
  export const handled = [];
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  export async function eachMessage(message, { virtualPartition }) {
    await wait(message.offset % 3);
    handled.push({ offset: message.offset, key: message.keyText(), at: virtualPartition });
  }`;

describe("headrace run", () => {
  test(
    "handles everything that is there, in key order, commits it and ends",
    async () => {
      const io = fakeIo({ cwd: directory });
      const options = ["--until-end", "--json", "--concurrency", "8", "--distribution", "balanced"];
      expect(await main(runArguments(RECORDING, ...options), io)).toBe(0);
      const { handled } = await handlerModule();
      expect(handled.length).toBe(ORDER_COUNT);
      expect(new Set(handled.map(({ at }) => at)).size).toBeGreaterThan(1);
      const last = new Map<string, number>();
      for (const { offset, key } of handled) {
        expect(offset).toBeGreaterThan(last.get(key) ?? -1);
        last.set(key, offset);
      }
      const result = JSON.parse(io.output.out) as RunResult;
      expect(result.processed).toBe(ORDER_COUNT);
      expect(result.uncommitted).toEqual([]);
      expect(await storedOffset(logDirectory, groupId)).toBe(ORDER_COUNT);
    },
    TIMEOUT_MS,
  );

  test(
    "W1: --workers runs the module in threads of its own, each message once and in key order",
    async () => {
      const file = join(directory, "handled");
      const text = `
        import { appendFileSync } from "node:fs";
        import { isMainThread, threadId } from "node:worker_threads";
        if (isMainThread) throw new Error("imported in the command's own thread");
        export function eachMessage({ offset }) {
          appendFileSync(${JSON.stringify(file)}, offset + " " + threadId + "\\n");
        }`;
      const io = fakeIo({ cwd: directory });
      const options = ["--until-end", "--json", "--workers", "2"];
      expect(await main(runArguments(text, ...options), io)).toBe(0);
      const lines = readFileSync(file, "utf8").trimEnd().split("\n");
      const handled = lines.map((line) => line.split(" ").map(Number) as [number, number]);
      expect(handled.length).toBe(ORDER_COUNT);
      expect(new Set(handled.map(([, thread]) => thread)).size).toBe(2);
      const last = new Map<number, number>();
      for (const [offset] of handled) {
        expect(offset).toBeGreaterThan(last.get(offset % 10) ?? -1);
        last.set(offset % 10, offset);
      }
      expect((JSON.parse(io.output.out) as RunResult).processed).toBe(ORDER_COUNT);
      expect(await storedOffset(logDirectory, groupId)).toBe(ORDER_COUNT);
    },
    TIMEOUT_MS,
  );

  test(
    "a second run of the group has nothing left to do",
    async () => {
      expect(await main(runArguments(RECORDING, "--until-end"), fakeIo({ cwd: directory }))).toBe(
        0,
      );
      const again = fakeIo({ cwd: directory });
      expect(await main(runArguments(RECORDING, "--until-end", "--json"), again)).toBe(0);
      expect((JSON.parse(again.output.out) as RunResult).processed).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    "a new group without --from-beginning starts at the end and says so",
    async () => {
      const io = fakeIo({ cwd: directory });
      const argv = runArguments(RECORDING, "--until-end", "--json");
      expect(
        await main(
          argv.filter((one) => one !== "--from-beginning"),
          io,
        ),
      ).toBe(0);
      expect((JSON.parse(io.output.out) as RunResult).processed).toBe(0);
      expect(io.output.err).toContain("--from-beginning starts at the first message");
    },
    TIMEOUT_MS,
  );

  test.each(["key", "header:customer", "json:customer.id"])(
    "--key %s keeps the order of that key",
    async (key) => {
      const text = `
        export const batches = [];
        export function eachBatch(batch) {
          batches.push(batch.messages.map((message) => message.offset % 10));
        }`;
      const io = fakeIo({ cwd: directory });
      const options = ["--until-end", "--key", key, "--distribution", "per-key"];
      expect(await main(runArguments(text, ...options), io)).toBe(0);
      const module = await import(pathToFileURL(join(directory, "handler.mjs")).href);
      const batches = module.batches as number[][];
      expect(batches.flat().length).toBe(ORDER_COUNT);
      // Ten keys, each of them whole: what a call gets has one key.
      for (const customers of batches) expect(new Set(customers).size).toBe(1);
    },
    TIMEOUT_MS,
  );

  test(
    "SIGTERM drains: the running call ends, is committed, and the exit code is 0",
    async () => {
      const text = `
        export const state = { started: 0, ended: 0 };
        export let release = () => {};
        const released = new Promise((resolve) => { release = resolve; });
        export async function eachMessage() {
          state.started++;
          globalThis.headraceTestStarted?.();
          await released;
          state.ended++;
        }`;
      const io = fakeIo({ cwd: directory });
      const started = startedCall();
      const done = main(runArguments(text, "--concurrency", "1"), io);
      await started;
      io.send("SIGTERM");
      expect(io.output.err).toContain("Closing: waits for 1 running call");
      const module = await import(pathToFileURL(join(directory, "handler.mjs")).href);
      module.release();
      expect(await done).toBe(0);
      expect(module.state).toEqual({ started: 1, ended: 1 });
      expect(await storedOffset(logDirectory, groupId)).toBe(1);
      expect(io.exits).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "a second %s leaves at once with %d; calls past the drain deadline fail the command",
    async (signal, code) => {
      const text = `
        export function eachMessage() {
          globalThis.headraceTestStarted?.();
          return new Promise(() => {});
        }`;
      const io = fakeIo({ cwd: directory });
      const started = startedCall();
      const options = ["--concurrency", "1", "--drain-timeout-ms", "100"];
      const done = main(runArguments(text, ...options), io);
      await started;
      io.send(signal);
      expect(io.exits).toEqual([]);
      io.send(signal);
      expect(io.exits).toEqual([code]);
      expect(await done).toBe(1);
      expect(io.output.err).toContain("still running at the drain deadline");
    },
    TIMEOUT_MS,
  );

  test(
    "says which message failed, tries again and goes on",
    async () => {
      const text = `
        let failed = false;
        export function eachMessage(message) {
          if (message.offset !== 7 || failed) return;
          failed = true;
          throw new Error("no stock");
        }`;
      const io = fakeIo({ cwd: directory });
      expect(await main(runArguments(text, "--until-end", "--json"), io)).toBe(0);
      expect(io.output.err).toContain("failed: orders#0 offset 7, attempt 1: no stock\n");
      const { processed, failed } = JSON.parse(io.output.out) as RunResult;
      expect([processed, failed]).toEqual([ORDER_COUNT, 1]);
    },
    TIMEOUT_MS,
  );
});

/** Settles when a handler of a test module calls it. */
function startedCall(): Promise<void> {
  return new Promise((resolve) => {
    (globalThis as { headraceTestStarted?: () => void }).headraceTestStarted = resolve;
  });
}

describe("headrace run with wrong input", () => {
  const handler = "export function eachMessage() {}";

  async function fails(argv: string[], code: number, message: string): Promise<FakeIo> {
    const io = fakeIo({ cwd: directory });
    expect(await main(argv, io)).toBe(code);
    const lines = io.output.err.trimEnd().split("\n");
    expect(lines.filter((line) => line.startsWith("headrace: ")).length).toBe(1);
    expect(lines.at(-1)).toContain(message);
    expect(io.output.out).toBe("");
    return io;
  }

  test.each([
    [["--concurrency", "0"], '--concurrency must be a whole number from 1 to 100000: received "0"'],
    [["--workers", "0"], '--workers must be a whole number from 1 to 1024: received "0"'],
    [["--max-partitions", "1.5"], "--max-partitions must be a whole number from 1 to 65536"],
    [["--drain-timeout-ms", "-1"], "--drain-timeout-ms must be a whole number from 0 to 3600000"],
    [["--distribution", "fair"], "--distribution must be consistent, balanced or per-key"],
    [["--key", "value"], '--key must be key, header:NAME or json:PATH: received "value"'],
    [["--key", "header:"], 'received "header:"'],
    [["--key", "json:a..b"], 'received "json:a..b"'],
    [["--brokers", "localhost:9092"], "one of --brokers and --log is required: received both"],
  ])("refuses %j", async (options, message) => {
    await fails(runArguments(handler, ...options), 2, message);
  });

  test("refuses a missing module", async () => {
    const argv = runArguments(handler).with(1, "none.mjs");
    await fails(argv, 2, 'Cannot run as the module must be a file: received "none.mjs"');
  });

  test("refuses a module without a handler", async () => {
    await fails(runArguments("export const a = 1;"), 2, "must export exactly one of eachMessage");
  });

  test(
    "W3: says why threads cannot load the module",
    async () => {
      const argv = runArguments("export const a = 1;", "--workers", "2");
      await fails(argv, 1, "must export exactly one of eachMessage, eachBatch, consumer");
      const missing = argv.with(1, "none.mjs");
      await fails(missing, 2, 'the module must be a file: received "none.mjs"');
    },
    TIMEOUT_MS,
  );

  test("refuses a log directory that is not there, and makes none", async () => {
    const argv = runArguments(handler).map((one) => (one === "log" ? "other" : one));
    await fails(argv, 2, 'Cannot run as --log must be a directory: received "other"');
    expect(readdirSync(directory)).not.toContain("other");
  });

  test("refuses a directory that holds no log", async () => {
    mkdirSync(join(directory, "empty"));
    const argv = runArguments(handler).map((one) => (one === "log" ? "empty" : one));
    await fails(argv, 1, "the directory must hold one: received no store.json");
  });

  test("refuses a missing topic", async () => {
    const argv = runArguments(handler).map((one) => (one === ORDERS ? "bills" : one));
    await fails(argv, 1, "topic bills must exist at log: received no such topic");
  });

  test.each(["localhost", "localhost:", ":9092", "a:1,,b:2", "a:70000", "http://a:1"])(
    "refuses --brokers %s",
    async (brokers) => {
      const argv = runArguments(handler)
        .map((one) => (one === "--log" ? "--brokers" : one))
        .map((one) => (one === "log" ? brokers : one));
      await fails(argv, 2, `Cannot run as --brokers must be HOST:PORT[,…]: received "${brokers}"`);
    },
  );

  test(
    "says that no broker answers",
    async () => {
      const argv = runArguments(handler)
        .map((one) => (one === "--log" ? "--brokers" : one))
        .map((one) => (one === "log" ? "127.0.0.1:1" : one));
      await fails(argv, 1, "a broker of 127.0.0.1:1 must answer");
    },
    TIMEOUT_MS,
  );

  test(
    "says that the log is corrupt",
    async () => {
      corruptFirstBatch(logDirectory);
      await fails(runArguments(handler, "--until-end"), 1, "every batch must be intact");
    },
    TIMEOUT_MS,
  );
});

/** Overwrites bytes in the middle of the log's only segment. */
function corruptFirstBatch(path: string): void {
  const [segment] = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".log"),
  );
  const file = openSync(join(path, segment!), "r+");
  writeSync(file, "damage", 1000);
  closeSync(file);
}
