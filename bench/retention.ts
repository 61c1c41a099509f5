/**
 * Memory and disk while much more passes through an embedded log than it keeps: retention by size, a
 * consumer with virtual partitions reading behind the producer.
 *
 *   node bench/retention.ts [--json] [--gib N] [--keep-mib N] [--directory PATH]
 *
 * Default: 5 GiB of records of 1,000 B pass, 256 MiB are kept, the consumer stays up to 64 MiB behind.
 * 60 samples are taken, each when it has just caught up and after a garbage collection. The bench
 * fails when a message is lost, comes twice or out of the order of its key; when the group's offsets do
 * not end at the log's end; when more lies on the disk than is kept, not yet committed, or in active
 * segments; and when the median of the last third of live memory is more than 20 % above that of the
 * first third, which begins after a warm-up of a tenth.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Log, log as logSource, openLog } from "../src/adapters/log.ts";
import { table } from "../src/cli/table.ts";
import { createConsumer, type Message } from "../src/index.ts";
import type { SinkRecord } from "../src/source/source.ts";
import { checkedHandler, RunChecker, tailWork } from "./support/check.ts";
import { type MemorySample, sampleMemory, slope } from "./support/memory.ts";
import { median } from "./support/rounds.ts";

const MIB: number = 2 ** 20;
const TOPIC = "passing";
const GROUP = "behind";
const PARTITIONS = 2;
const SEGMENT_BYTES: number = 16 * MIB;
const RECORD_BYTES = 1000;
const BATCH = 500;
const KEYS = 5000;
/** How far the consumer may stay behind before the producer waits. */
const MAX_BEHIND_BYTES: number = 64 * MIB;
const SLOW_ONE_IN = 10_000;
const SLOW_MS = 100;
const SAMPLES = 60;
/** Batches before each sample with which the consumer keeps up. */
const SETTLING = 24;
const LOOK_MS = 2;
/** Growth from the first third to the last that still counts as flat. */
const MOST_GROWTH = 1.2;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    gib: { type: "string", default: "5" },
    "keep-mib": { type: "string", default: "256" },
    directory: { type: "string", default: tmpdir() },
  },
});
const batches = Math.ceil((Number(values.gib) * 2 ** 30) / (RECORD_BYTES * BATCH));
const count = batches * BATCH;
const keepBytes = Number(values["keep-mib"]) * MIB;

interface Sample extends MemorySample {
  readonly done: number;
  /** Bytes of all `.log` files, MiB. */
  readonly disk: number;
}

const value = new Uint8Array(RECORD_BYTES).fill(0x76);
const keys = Array.from({ length: KEYS }, (_, key) => new TextEncoder().encode(`k${key}`));
const time = Date.now();

/** Keys in a walk that meets all of them, each always in the same partition. */
function batchOf(partition: number, first: number): SinkRecord[] {
  return Array.from({ length: BATCH }, (_, at) => {
    const key = ((first + at) * PARTITIONS + partition) % KEYS;
    return { key: keys[key]!, value, headers: [], timestamp: time, id: null };
  });
}

function diskBytes(root: string): number {
  const names = readdirSync(root, { recursive: true }) as string[];
  return names
    .filter((name) => name.endsWith(".log"))
    .reduce(
      (sum, name) => sum + (statSync(join(root, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));

/**
 * Appends everything, and looks at the memory 60 times: always when the consumer has caught up, so that
 * what is in flight does not blur what stays. For the last few batches it keeps up: the core lets go of
 * batches that are done when others come.
 */
async function pass(log: Log, root: string, check: RunChecker): Promise<Sample[]> {
  const samples: Sample[] = [];
  const next = new Array<number>(PARTITIONS).fill(0);
  let sent = 0;
  for (let sample = 1; sample <= SAMPLES; sample++) {
    const end = BATCH * Math.round((sample * batches) / SAMPLES);
    while (sent < end) {
      const mayLag = end - sent > SETTLING * BATCH;
      const most = mayLag ? MAX_BEHIND_BYTES / RECORD_BYTES : 0;
      while (sent - check.done > most) await pause();
      const partition = (sent / BATCH) % PARTITIONS;
      await log.append(TOPIC, partition, batchOf(partition, next[partition]!));
      next[partition]! += BATCH;
      sent += BATCH;
    }
    const disk = diskBytes(root) / MIB;
    while (check.done < sent) await pause();
    // What lies outside of the heap is given back a little after the collection that frees it.
    sampleMemory();
    await pause();
    samples.push({ done: check.done, disk, ...sampleMemory() });
    const line = `${sample} of ${SAMPLES}: ${check.done} of ${count} messages`;
    process.stderr.write(`\r${line.padEnd(72)}`);
  }
  process.stderr.write(`\r${"".padEnd(72)}\r`);
  return samples;
}

/** @throws {Error} When what is left in the log is not what must be there. */
async function verifyLog(log: Log): Promise<void> {
  const committed = await log.committed(GROUP, TOPIC);
  for (const { partition, offset } of committed) {
    const { logStart, logEnd } = await log.bounds(TOPIC, partition);
    let next = logStart;
    while (next < logEnd) {
      for (const batch of await log.read(TOPIC, partition, next)) {
        if (batch.baseOffset !== next) throw new Error(`${next} is missing: ${batch.baseOffset}`);
        next += batch.count;
      }
    }
    if (offset !== logEnd || logStart === 0) {
      throw new Error(`Cannot use this run: committed ${offset} of ${logStart} to ${logEnd}`);
    }
  }
}

async function run(root: string): Promise<{ samples: Sample[]; seconds: number }> {
  const log = await openLog(root, {
    topics: { [TOPIC]: { partitions: PARTITIONS } },
    segment: { bytes: SEGMENT_BYTES },
    retention: { maxTopicBytes: keepBytes, deleteOldestSegments: true },
  });
  const check = new RunChecker(count, KEYS);
  const handle = checkedHandler(check, tailWork(0, SLOW_MS, SLOW_ONE_IN));
  const consumer = createConsumer({
    source: logSource(log),
    groupId: GROUP,
    concurrency: 50,
    fromBeginning: true,
    topics: {
      [TOPIC]: {
        eachMessage: (message: Message) => {
          const key = RunChecker.keyNumber(message.key!);
          return handle(key, message.offset, message.partition);
        },
        virtualPartitions: { distribution: "balanced" },
      },
    },
  });
  await consumer.start();
  const samples = await pass(log, root, check);
  await consumer.close();
  await verifyLog(log);
  await log.close();
  return { samples, seconds: check.seconds };
}

function thirds(samples: readonly Sample[], of: (sample: Sample) => number): [number, number] {
  const warm = samples.slice(Math.floor(samples.length / 10));
  const third = Math.floor(warm.length / 3);
  return [median(warm.slice(0, third).map(of)), median(warm.slice(-third).map(of))];
}

function print(samples: readonly Sample[]): void {
  const step = Math.ceil(samples.length / 12);
  const rows = samples
    .filter((_, at) => at % step === step - 1)
    .map(({ done, heap, external, rss, disk }) => {
      const mib = [heap, external, heap + external, rss, disk].map((one) => one.toFixed(1));
      return [((done * RECORD_BYTES) / 2 ** 30).toFixed(2), ...mib];
    });
  const names = ["GiB passed", "heap MiB", "external", "both", "rss", "on disk"];
  for (const line of table(
    [names, ...rows],
    names.map(() => "right"),
  ))
    console.log(line);
}

const root = mkdtempSync(join(values.directory, "headrace-bench-"));
try {
  const { samples, seconds } = await run(root);
  const [first, last] = thirds(samples, ({ heap, external }) => heap + external);
  const growth = last / first;
  const bytes = slope(
    samples.map(({ done }) => done),
    samples.map(({ heap, external }) => (heap + external) * MIB),
  );
  const most = Math.max(...samples.map(({ disk }) => disk));
  // One active segment a partition, and one that is sealed and not yet removed.
  const room = (keepBytes + MAX_BEHIND_BYTES + 2 * PARTITIONS * SEGMENT_BYTES) / MIB;
  const perSecond = Math.round(count / seconds);
  if (values.json) {
    for (const sample of samples) console.log(JSON.stringify(sample));
    console.log(
      JSON.stringify({ count, perSecond, growth, bytes, mostDiskMib: most, roomMib: room }),
    );
  } else {
    print(samples);
    console.log(`${perSecond.toLocaleString("en")} messages/s of ${RECORD_BYTES} B, all complete`);
    console.log(`on disk at most ${most.toFixed(0)} MiB, allowed ${room.toFixed(0)}`);
    const verdict = growth <= MOST_GROWTH ? "flat" : "GROWS";
    console.log(
      `live memory, last third ÷ first third: ${growth.toFixed(2)}: ${verdict} (${bytes.toFixed(1)} B a message)`,
    );
  }
  if (growth > MOST_GROWTH || most > room) process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
