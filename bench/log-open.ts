/**
 * What opening a log costs: 16 sealed segments and an active one, 1 GiB of values of 1,000 B.
 *
 *   node bench/log-open.ts [--json] [--rounds N] [--mib N]
 *
 * closed   it was closed: only footers, heads and the end of the active segment are looked at
 * killed   its writer was killed: the active segment is walked from the last sync on
 * read     the same bytes read through once, for comparison: what opening must not do
 *
 * Bytes read are counted by the system (/proc/self/io), where there is such a count. The page cache
 * is warm. A run in which the log has not all of its records throws.
 */
import { Buffer } from "node:buffer";
import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { openLog } from "../src/adapters/log.ts";
import { table } from "../src/cli/table.ts";
import { median } from "./support/rounds.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    mib: { type: "string", default: "1024" },
  },
});
const TOPIC = "open";
const BATCH = 1000;
const rounds = Number(values.rounds);

/** Bytes that this process has asked the system to read; NaN where nobody counts. */
function readSoFar(): number {
  try {
    const counts = readFileSync("/proc/self/io", "utf8");
    return Number(/rchar: (\d+)/.exec(counts)?.[1]);
  } catch {
    return Number.NaN;
  }
}

interface Cost {
  readonly ms: number;
  readonly bytes: number;
}

async function costOf(run: () => Promise<void>): Promise<Cost> {
  const bytes = readSoFar();
  const startMs = performance.now();
  await run();
  return { ms: performance.now() - startMs, bytes: readSoFar() - bytes };
}

/** Fills the log; `killed` gets a copy of its directory before it is closed. @returns Log end. */
async function fill(directory: string, killed: string): Promise<number> {
  const records = Array.from({ length: BATCH }, (_, index) => {
    const key = Buffer.from(`key-${index}`);
    return { key, value: Buffer.alloc(1000, index), headers: [], timestamp: 0, id: null };
  });
  const log = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
  const frames = BATCH * (40 + 1000 + 7);
  for (let left = Number(values.mib) * 2 ** 20; left > 0; left -= frames) {
    await log.append(TOPIC, 0, records);
  }
  const { logEnd } = await log.bounds(TOPIC, 0);
  // What a killed writer leaves. The lock names this process, which is not gone.
  cpSync(directory, killed, { recursive: true });
  await rm(path.join(killed, "LOCK"));
  await log.close();
  return logEnd;
}

/** Sealed and active segments, and their bytes. */
function segments(directory: string): { count: number; bytes: number } {
  const files = readdirSync(directory, { recursive: true }).map(String);
  const logs = files.filter((file) => file.endsWith(".log"));
  const bytes = logs.reduce((sum, file) => sum + statSync(path.join(directory, file)).size, 0);
  return { count: logs.length, bytes };
}

async function open(directory: string, logEnd: number): Promise<void> {
  const log = await openLog(directory);
  const bounds = await log.bounds(TOPIC, 0);
  if (bounds.logEnd !== logEnd) {
    throw new Error(`Cannot use this run as all must be there: ${bounds.logEnd} of ${logEnd}`);
  }
  await log.close();
}

async function readThrough(directory: string, logEnd: number): Promise<void> {
  const log = await openLog(directory);
  let offset = 0;
  while (offset < logEnd) {
    for (const batch of await log.read(TOPIC, 0, offset)) offset += batch.count;
  }
  await log.close();
}

const directory = await mkdtemp(path.join(tmpdir(), "headrace-bench-open-"));
const whole = path.join(directory, "closed");
const killed = path.join(directory, "killed");
try {
  const logEnd = await fill(whole, killed);
  const { count, bytes } = segments(whole);
  const costs: Record<string, Cost[]> = { closed: [], killed: [], read: [] };
  for (let round = 0; round < rounds; round++) {
    const copy = path.join(directory, "copy");
    // Only the first open after the kill has something to recover.
    cpSync(killed, copy, { recursive: true });
    costs.closed!.push(await costOf(() => open(whole, logEnd)));
    costs.killed!.push(await costOf(() => open(copy, logEnd)));
    costs.read!.push(await costOf(() => readThrough(whole, logEnd)));
    await rm(copy, { recursive: true });
  }
  const mib = (amount: number): string => (amount / 2 ** 20).toFixed(2);
  const rows = Object.entries(costs).map(([cell, runs]) => {
    const ms = median(runs.map((run) => run.ms));
    const read = median(runs.map((run) => run.bytes));
    if (values.json) {
      console.log(JSON.stringify({ cell, segments: count, bytes, ms, bytesRead: read, rounds }));
    }
    return [cell, ms.toFixed(1), mib(read)];
  });
  if (!values.json) {
    console.log(`${count} segments, ${mib(bytes)} MiB`);
    const lines = table([["", "ms", "MiB read"], ...rows], ["left", "right", "right"]);
    for (const line of lines) console.log(line);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
