import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../src/cli/cli.ts";
import { readLine } from "../../src/cli/run/member-report.ts";
import type { ProcessesResult } from "../../src/cli/run/run-processes.ts";
import { fakeIo } from "./fake-io.ts";
import { ORDERS, storedOffset, writeOrderLog } from "./order-log.ts";

const ORDER_COUNT = 200;
const TIMEOUT_MS = 30_000;
const GROUP = "g";

let directory: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "headrace-processes-"));
  await writeOrderLog(join(directory, "log"), ORDER_COUNT);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Arguments of a run over the log, with a module of this text; `file()` in it is a path in the directory. */
function runArguments(text: string, ...more: string[]): string[] {
  const head = `
    import { appendFileSync, existsSync } from "node:fs";
    import process from "node:process";
    const file = (name) => ${JSON.stringify(`${directory}/`)} + name;`;
  writeFileSync(join(directory, "handler.mjs"), head + text);
  const source = ["--topic", ORDERS, "--group", GROUP, "--log", "log"];
  return ["run", "handler.mjs", ...source, "--from-beginning", ...more];
}

/** Settles once a handler has made this file. */
async function made(name: string): Promise<void> {
  while (!existsSync(join(directory, name))) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("headrace run --processes", () => {
  test(
    "a process killed -9 is started again, and nothing is lost",
    async () => {
      const text = `
        export async function eachMessage({ offset }) {
          console.log("handled " + offset);
          appendFileSync(file("handled"), offset + "\\n");
          if (offset !== 50 || existsSync(file("killed"))) return;
          appendFileSync(file("killed"), String(process.pid));
          process.kill(process.pid, "SIGKILL");
        }`;
      const io = fakeIo({ cwd: directory });
      const argv = runArguments(text, "--processes", "1", "--until-end", "--json");
      const code = await main(argv, io);
      expect(code === 0 ? "" : io.output.err).toBe("");
      const handled = readFileSync(join(directory, "handled"), "utf8").trimEnd().split("\n");
      expect(new Set(handled).size).toBe(ORDER_COUNT);
      expect(await storedOffset(join(directory, "log"), GROUP)).toBe(ORDER_COUNT);
      expect(io.output.err).toContain("[1] was ended by SIGKILL; starts again in 250 ms\n");
      expect(io.output.err).not.toContain("\u001e");
      expect(io.output.err).not.toContain(String(process.pid));
      const lines = io.output.out.trimEnd().split("\n");
      const result = JSON.parse(lines.pop()!) as ProcessesResult;
      expect(result).toMatchObject({ topic: ORDERS, groupId: GROUP, processes: 1, restarts: 1 });
      expect(result.processed).toBeGreaterThan(ORDER_COUNT / 2);
      // What a handler prints comes through, in whole lines.
      expect(new Set(lines).size).toBe(ORDER_COUNT);
      expect(lines.every((line) => /^handled \d+$/.test(line))).toBe(true);
    },
    TIMEOUT_MS,
  );

  test(
    "a process that ends with an error that would come again ends the command",
    async () => {
      // Dies once while the topic is there; the process that follows finds none.
      const text = `
        import { rmSync } from "node:fs";
        export async function eachMessage({ offset }) {
          if (offset !== 50) return;
          rmSync(file("log/topics/1-${ORDERS}"), { recursive: true });
          process.kill(process.pid, "SIGKILL");
        }`;
      const io = fakeIo({ cwd: directory });
      expect(await main(runArguments(text, "--processes", "1"), io)).toBe(1);
      expect(io.output.err).toContain("[1] was ended by SIGKILL; starts again in 250 ms\n");
      const log = join(directory, "log");
      const error = `headrace: Cannot run as topic ${ORDERS} must exist at ${log}: received no such topic`;
      expect(io.output.err.split("\n").filter((line) => line.includes("Cannot"))).toEqual([error]);
    },
    TIMEOUT_MS,
  );

  test(
    "SIGTERM is passed on: the running call ends, is committed, and the exit code is 0",
    async () => {
      const text = `
        export async function eachMessage(message, context) {
          appendFileSync(file("started"), "");
          while (!context.draining) await new Promise((resolve) => setTimeout(resolve, 5));
          appendFileSync(file("ended"), message.offset + "\\n");
        }`;
      const io = fakeIo({ cwd: directory });
      const done = main(runArguments(text, "--processes", "1", "--concurrency", "1"), io);
      await made("started");
      io.send("SIGTERM");
      expect(io.output.err).toContain("Closing: waits for 1 process; a second signal leaves at");
      expect([await done, io.exits]).toEqual([0, []]);
      expect(readFileSync(join(directory, "ended"), "utf8")).toBe("0\n");
      expect(await storedOffset(join(directory, "log"), GROUP)).toBe(1);
    },
    TIMEOUT_MS,
  );

  test(
    "a second signal ends all processes at once",
    async () => {
      const text = `
        export function eachMessage() {
          appendFileSync(file("started"), "");
          return new Promise(() => {});
        }`;
      const io = fakeIo({ cwd: directory });
      const done = main(runArguments(text, "--processes", "1", "--concurrency", "1"), io);
      await made("started");
      io.send("SIGINT");
      expect(io.exits).toEqual([]);
      io.send("SIGINT");
      expect(io.exits).toEqual([130]);
      expect(await done).toBe(1);
    },
    TIMEOUT_MS,
  );

  test(
    "a process drains and commits when the command that started it is gone",
    async () => {
      const text = `
        export async function eachMessage(message, context) {
          globalThis.headraceTestStarted();
          while (!context.draining) await new Promise((resolve) => setTimeout(resolve, 5));
        }`;
      const started = new Promise<void>((resolve) => {
        (globalThis as { headraceTestStarted?: () => void }).headraceTestStarted = resolve;
      });
      // Its stdin ends once a handler runs.
      async function* input(): AsyncGenerator<Uint8Array, void, undefined> {
        await started;
        yield new Uint8Array(0);
      }
      const io = fakeIo({ cwd: directory, input: input() });
      const argv = runArguments(text, "--concurrency", "1").with(0, "run-member");
      expect([await main(argv, io), io.output.out]).toEqual([0, ""]);
      const reports = io.output.err
        .trimEnd()
        .split("\n")
        .map((line) => readLine(line).report);
      const kinds = reports.map((report) => report?.kind).filter((kind) => kind !== "figures");
      expect(kinds).toEqual(["loaded", "started", "result"]);
      expect(reports.at(-1)).toMatchObject({ result: { processed: 1, drained: 1, abandoned: 0 } });
      expect(await storedOffset(join(directory, "log"), GROUP)).toBe(1);
    },
    TIMEOUT_MS,
  );

  test(
    "a module that cannot be used is one error, whatever the number of processes",
    async () => {
      const io = fakeIo({ cwd: directory });
      const argv = runArguments("export const a = 1;", "--processes", "1");
      expect(await main(argv, io)).toBe(2);
      const errors = io.output.err.split("\n").filter((line) => line.includes("Cannot"));
      expect(errors.length).toBe(1);
      expect(errors[0]).toContain("headrace: Cannot run as ");
      expect(errors[0]).toContain("must export exactly one of eachMessage");
    },
    TIMEOUT_MS,
  );

  test.each([
    [["--processes", "0"], '--processes must be a whole number from 1 to 1024: received "0"'],
    [["--processes", "two"], 'to 1024: received "two"'],
    [
      ["--processes", "2"],
      '--processes must be 1 with --log, where one process runs a group: received "2"',
    ],
    [["--processes", "1", "--workers", "0"], "--workers must be a whole number from 1 to 1024"],
  ])("refuses %j", async (options, message) => {
    const io = fakeIo({ cwd: directory });
    expect(await main(runArguments("", ...options), io)).toBe(2);
    expect(io.output.err).toContain(message);
    expect(io.output.err.trimEnd().split("\n").length).toBe(1);
  });

  test("refuses a missing module before any process starts", async () => {
    const io = fakeIo({ cwd: directory });
    const argv = runArguments("", "--processes", "1").with(1, "none.mjs");
    expect(await main(argv, io)).toBe(2);
    const error = 'headrace: Cannot run as the module must be a file: received "none.mjs"\n';
    expect(io.output.err).toBe(error);
  });
});
