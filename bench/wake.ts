/**
 * How long a consumer over the embedded log waits for a record, from before its append to its
 * handler: written by the same process, by another one with the system's notifications, and by
 * another one without them, when the consumer looks four times a second.
 *
 *   node bench/wake.ts [--json] [--records N]
 *
 * Default: 300 records, one each 5 ms or so. Every record must come once and in order.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Log, openLog } from "../src/adapters/log.ts";
import { table } from "../src/cli/table.ts";
import { createConsumer } from "../src/index.ts";
import { LogSource } from "../src/log/log-source.ts";
import { ReaderStore } from "../src/log/reader-store.ts";
import { type FileWatch, watchFile } from "../src/log/watch-file.ts";
import type { SourceFactory } from "../src/source/source.ts";

const TOPIC = "t";
const PAUSE_MS = 5;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    records: { type: "string", default: "300" },
    /** Used by the bench itself: writes into this directory when it is told to. */
    write: { type: "string" },
  },
});
const count = Number(values.records);

/** Milliseconds since the epoch, finer than `Date.now()`: the same for all processes. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function write(log: Log): Promise<void> {
  for (let at = 0; at < count; at++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS + (at % 3)));
    const value = new TextEncoder().encode(String(now()));
    const record = { key: null, value, headers: [], timestamp: Date.now(), id: null };
    await log.append(TOPIC, 0, [record]);
  }
}

/** A source over the log's files that watches them in its own way. */
function sourceOf(directory: string, watch: FileWatch): SourceFactory {
  return {
    open: (group) =>
      new LogSource(group, async () => {
        const reader = new ReaderStore(directory, "written", watch);
        return { reader, close: async () => reader.close() };
      }),
  };
}

/** Waits of all records, in milliseconds, ascending. */
async function measure(
  directory: string,
  watch: FileWatch,
  writeAll: () => Promise<void>,
): Promise<number[]> {
  const waits: number[] = [];
  let all = (): void => {};
  const complete = new Promise<void>((resolve) => {
    all = resolve;
  });
  const consumer = createConsumer({
    source: sourceOf(directory, watch),
    groupId: "g",
    fromBeginning: true,
    topics: {
      [TOPIC]: {
        eachMessage: (message) => {
          if (message.offset !== waits.length) throw new Error(`${message.offset} out of order`);
          waits.push(now() - Number(message.text()));
          if (waits.length === count) all();
        },
      },
    },
  });
  await consumer.start();
  await Promise.all([writeAll(), complete]);
  await consumer.close();
  return waits.sort((a, b) => a - b);
}

/** The writing process: says "ready", writes when it gets a line. */
async function writeWhenTold(directory: string): Promise<void> {
  const log = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
  process.stdout.write("ready\n");
  for await (const _line of createInterface({ input: process.stdin })) {
    await write(log);
    break;
  }
  await log.close();
}

function startWriter(directory: string): { ready: Promise<void>; go(): Promise<void> } {
  const script = fileURLToPath(import.meta.url);
  const deno = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const args = [...deno, script, "--write", directory, "--records", String(count)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    ready: new Promise((resolve) => child.stdout.once("data", () => resolve())),
    go: async () => {
      child.stdin.end("go\n");
      await ended;
    },
  };
}

async function fromAnotherProcess(watch: FileWatch): Promise<number[]> {
  return inDirectory(async (directory) => {
    const writer = startWriter(directory);
    await writer.ready;
    return measure(directory, watch, () => writer.go());
  });
}

async function fromThisProcess(): Promise<number[]> {
  return inDirectory(async (directory) => {
    const log = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
    const waits = await measure(directory, watchFile, () => write(log));
    await log.close();
    return waits;
  });
}

async function inDirectory<R>(use: (directory: string) => Promise<R>): Promise<R> {
  const directory = mkdtempSync(join(tmpdir(), "headrace-wake-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

async function main(): Promise<void> {
  const runs: [string, number[]][] = [
    ["this process", await fromThisProcess()],
    ["another, notified", await fromAnotherProcess(watchFile)],
    ["another, by looks", await fromAnotherProcess(() => undefined)],
  ];
  const rows = runs.map(([writer, waits]) => {
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(waits, share));
    return { writer, p50: p50!, p99: p99!, max: max! };
  });
  if (values.json) {
    for (const row of rows) console.log(JSON.stringify(row));
    return;
  }
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  const cells = rows.map(({ writer, p50, p99, max }) => [writer, ms(p50), ms(p99), ms(max)]);
  const lines = [["written by", "p50", "p99", "max"], ...cells];
  console.log(table(lines, ["left", "right", "right", "right"]).join("\n"));
}

if (values.write !== undefined) await writeWhenTold(values.write);
else await main();
