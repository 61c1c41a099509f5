/**
 * Parallel segments: what foreign messages cost, and what several segments bring.
 *
 *   node bench/segments.ts [--json] [--rounds N] [--only foreign,log,waiting,processes]
 *
 * foreign    200,000 messages on a real broker, read by a segment that owns none of them, against a bare kafkajs
 *            `eachBatch` that ignores its messages
 * log        1,000,000 messages of the embedded log, read by such a segment
 * waiting    a handler that waits 5 ms, no virtual partitions: 1, 2, 4 and 8 segments in one process, on the log
 * processes  a handler that hashes, and one that parses: one process against two processes with a segment each, on the
 *            log and on a broker. What the machine gives to two processes, two groups at once show: each handles all
 *
 * Everything is one partition. Subjects run in turns; offsets must reach the end, and each message must be handled
 * once and in the order of its key, or the run is void.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { kafkajs } from "../src/adapters/kafkajs.ts";
import { log, openLog } from "../src/adapters/log.ts";
import { byKey, createConsumer, multiplyShift } from "../src/index.ts";
import type { ParallelSegmentsOptions } from "../src/options.ts";
import type { SourceFactory } from "../src/source/source.ts";
import { RunChecker } from "./support/check.ts";
import { client, fillTopic, newGroup, withBroker } from "./support/kafka.ts";
import { report, takeTurns } from "./support/rounds.ts";
import type { SegmentCount, SegmentPlan } from "./support/segment-child.ts";
import { timedSource } from "./support/timed-source.ts";

const FOREIGN_COUNT = 200_000;
const LOG_COUNT = 1_000_000;
const WAITING_COUNT = 1200;
const WAIT_MS = 5;
const COMPUTING_COUNT = 20_000;
const KEYS = 500;
const TOPIC = "segments";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    only: { type: "string", default: "foreign,log,waiting,processes" },
  },
});
const rounds = Number(values.rounds);
const cells = values.only.split(",");

/** Of two segments, the one that these keys are all foreign to: its number, and the keys. */
const FOREIGN_TO = 1;
const foreignKeys: string[] = [];
for (let i = 0; foreignKeys.length < KEYS; i++) {
  if (multiplyShift(`k${i}`, 2) !== FOREIGN_TO) foreignKeys.push(`k${i}`);
}

async function fillLog(
  directory: string,
  count: number,
  keyOf: (index: number) => string,
): Promise<void> {
  const store = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
  const encoder = new TextEncoder();
  for (let next = 0; next < count; ) {
    const records = Array.from({ length: Math.min(1000, count - next) }, () => {
      const key = encoder.encode(keyOf(next));
      const value = encoder.encode(`${next++}`.padEnd(100, "x"));
      return { key, value, headers: [], timestamp: 1_700_000_000_000, id: null };
    });
    await store.append(TOPIC, 0, records);
  }
  await store.close();
}

async function withLog(
  count: number,
  keyOf: (index: number) => string,
  run: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), "headrace-segments-"));
  try {
    await fillLog(directory, count, keyOf);
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Seconds in which a segment reads what it owns nothing of. */
async function readForeign(
  inner: SourceFactory,
  topic: string,
  count: number,
  rule: Pick<ParallelSegmentsOptions, "partitioner" | "reducer">,
): Promise<number> {
  const { source, read } = timedSource(inner, count);
  const consumer = createConsumer({
    source,
    groupId: newGroup(),
    fromBeginning: true,
    parallelSegments: { count: 2, run: [FOREIGN_TO], ...rule },
    topics: {
      [topic]: {
        eachMessage: () => {
          throw new Error("Cannot use this run as everything must be foreign");
        },
        virtualPartitions: true,
      },
    },
  });
  const failed = new Promise<never>((_, reject) => {
    consumer.on("failed", ({ error }) => reject(new Error(error.message)));
  });
  const closed = consumer.run();
  const seconds = (await Promise.race([read, failed, closed])) as number;
  const committed = await consumer.commit();
  await consumer.close();
  if (committed[0]?.offset !== count) {
    throw new Error(`Cannot use this run as its offset must be ${count}: ${committed[0]?.offset}`);
  }
  return seconds;
}

async function readBare(bootstrap: string, topic: string): Promise<number> {
  const consumer = client(bootstrap).consumer({ groupId: newGroup(), maxWaitTimeInMs: 100 });
  let firstMs = 0;
  let finish: (seconds: number) => void = () => {};
  const read = new Promise<number>((resolve) => {
    finish = resolve;
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      if (firstMs === 0) firstMs = performance.now();
      if (Number(batch.lastOffset()) + 1 < FOREIGN_COUNT) return;
      finish((performance.now() - firstMs) / 1000);
    },
  });
  const seconds = await read;
  await consumer.disconnect();
  return seconds;
}

const byKeyRule = { partitioner: byKey() };
/** Asked message by message. */
const ownRule = { partitioner: (message: { keyText(): string | null }) => message.keyText() };

async function foreign(bootstrap: string): Promise<void> {
  const keyOf = (index: number): string => foreignKeys[index % KEYS]!;
  const topic = await fillTopic(bootstrap, "foreign", {
    count: FOREIGN_COUNT,
    keys: KEYS,
    bytes: 100,
    keyOf,
  });
  const source = kafkajs({ brokers: [bootstrap] });
  const read = (rule: typeof byKeyRule | typeof ownRule) => (): Promise<number> =>
    readForeign(source, topic, FOREIGN_COUNT, rule);
  const turns = await takeTurns("foreign", rounds, {
    "kafkajs eachBatch": () => readBare(bootstrap, topic),
    "segment, by key": read(byKeyRule),
    "segment, own partitioner": read(ownRule),
  });
  report("foreign", FOREIGN_COUNT, turns, "kafkajs eachBatch", values.json);
}

async function foreignLog(directory: string): Promise<void> {
  const read = (rule: typeof byKeyRule | typeof ownRule) => (): Promise<number> =>
    readForeign(log(directory), TOPIC, LOG_COUNT, rule);
  const turns = await takeTurns("log", rounds, {
    "segment, by key": read(byKeyRule),
    "segment, own partitioner": read(ownRule),
  });
  report("log", LOG_COUNT, turns, "segment, by key", values.json);
}

async function waiting(directory: string, segments: number): Promise<number> {
  const checker = new RunChecker(WAITING_COUNT, 0);
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const consumer = createConsumer({
    source: log(directory),
    groupId: newGroup(),
    concurrency: segments,
    fromBeginning: true,
    parallelSegments: { count: segments, partitioner: byKey() },
    topics: {
      [TOPIC]: {
        eachMessage: async (message) => {
          const key = RunChecker.keyNumber(message.key!);
          checker.start(key, message.offset);
          await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
          checker.end(key);
          if (checker.finished) finish();
        },
      },
    },
  });
  await Promise.race([finished, consumer.run()]);
  await consumer.close();
  return checker.seconds;
}

type Place = Pick<SegmentPlan, "bootstrap" | "directory" | "topic">;
type OwnPlan = Pick<SegmentPlan, "groupId" | "segments" | "run">;

/** Runs one process for each plan; they handle all messages `times` times. */
async function inProcesses(
  facts: Place & Pick<SegmentPlan, "work">,
  plans: readonly OwnPlan[],
  times = 1,
): Promise<number> {
  const file = new URL("./support/segment-child.ts", import.meta.url);
  const children: ChildProcess[] = [];
  const counts = plans.map((own) => {
    const plan: SegmentPlan = { ...facts, ...own, count: COMPUTING_COUNT };
    const child = fork(file, [JSON.stringify(plan)]);
    children.push(child);
    return new Promise<SegmentCount>((resolve, reject) => {
      child.on("message", (count) => resolve(count as SegmentCount));
      child.on("exit", (code) => reject(new Error(`A child ended too soon: exit code ${code}`)));
    });
  });
  const all = await Promise.all(counts);
  for (const child of children) {
    child.removeAllListeners("exit");
    child.send("stop");
    await new Promise((resolve) => child.once("exit", resolve));
  }
  const sum = (of: "handled" | "offsetSum" | "orderBreaks"): number =>
    all.reduce((total, one) => total + one[of], 0);
  const offsetSum = (times * (COMPUTING_COUNT * (COMPUTING_COUNT - 1))) / 2;
  const complete = sum("handled") === times * COMPUTING_COUNT && sum("offsetSum") === offsetSum;
  if (!complete || sum("orderBreaks") > 0) {
    throw new Error(`Cannot use this run as it must be complete: ${JSON.stringify(all)}`);
  }
  const busy = all.filter(({ handled }) => handled > 0);
  const firstMs = Math.min(...busy.map((one) => one.firstMs));
  return (Math.max(...busy.map(({ lastMs }) => lastMs)) - firstMs) / 1000;
}

async function processes(where: string, place: Place): Promise<void> {
  const whole = (): OwnPlan => ({ groupId: newGroup(), segments: 0, run: 0 });
  for (const work of ["sha256", "json"] as const) {
    const facts = { ...place, work };
    const cell = `${work}, ${where}`;
    const turns = await takeTurns(cell, Math.ceil(rounds / 2), {
      "1 process": () => inProcesses(facts, [whole()]),
      "2 such processes at once": async () => {
        return (await inProcesses(facts, [whole(), whole()], 2)) / 2;
      },
      "2 segments, 2 processes": () => {
        const groupId = newGroup();
        const plans = [0, 1].map((run) => ({ groupId, segments: 2, run }));
        return inProcesses(facts, plans);
      },
    });
    report(cell, COMPUTING_COUNT, turns, "1 process", values.json);
  }
}

const anyKey = (index: number): string => `k${index % KEYS}`;
if (cells.includes("log")) {
  await withLog(LOG_COUNT, (index) => foreignKeys[index % KEYS]!, foreignLog);
}
if (cells.includes("waiting")) {
  await withLog(
    WAITING_COUNT,
    (index) => `k${index}`,
    async (directory) => {
      const turns = await takeTurns("waiting", Math.ceil(rounds / 2), {
        "1 segment": () => waiting(directory, 1),
        "2 segments": () => waiting(directory, 2),
        "4 segments": () => waiting(directory, 4),
        "8 segments": () => waiting(directory, 8),
      });
      report("waiting", WAITING_COUNT, turns, "1 segment", values.json);
    },
  );
}
if (cells.includes("processes")) {
  await withLog(COMPUTING_COUNT, anyKey, (directory) =>
    processes("log", { directory, topic: TOPIC }),
  );
}
if (cells.includes("foreign") || cells.includes("processes")) {
  await withBroker(async (bootstrap) => {
    if (cells.includes("foreign")) await foreign(bootstrap);
    if (!cells.includes("processes")) return;
    const shape = { count: COMPUTING_COUNT, keys: KEYS, bytes: 100 };
    const topic = await fillTopic(bootstrap, "processes", shape);
    await processes("kafka", { bootstrap, topic });
  });
}
process.exit(0);
