/**
 * Which distribution when keys are skewed: 10,000 × 2 ms, 1 partition, Zipf keys, in memory (no broker).
 *
 *   node bench/skew.ts [--json] [--rounds N]
 *
 * No distribution can beat max(work ÷ lanes, the hottest key's work); the ratio is to that bound. Timers round up, so
 * the work of a message is measured in the same run: a pool with one lane less than it could need is not a baseline.
 */
import { parseArgs } from "node:util";
import { createConsumer } from "../src/index.ts";
import type { VirtualPartitionsOptions } from "../src/options.ts";
import { memorySource } from "../src/testing/index.ts";
import { RunChecker } from "./support/check.ts";
import { median, takeTurns } from "./support/rounds.ts";
import { zipfKeys } from "./support/zipf-keys.ts";

const COUNT = 10_000;
const WORK_MS = 2;
const BATCH = 1000;
const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "3" } },
});
const encoder = new TextEncoder();

/** What one handler call really takes when `atOnce` of them wait: timers round up and queue. */
async function workMs(atOnce: number): Promise<number> {
  const began = performance.now();
  const rounds = 200;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = 0; i < rounds; i++) await new Promise((resolve) => setTimeout(resolve, WORK_MS));
    }),
  );
  return (performance.now() - began) / rounds;
}

async function run(
  keys: readonly number[],
  distribution: NonNullable<VirtualPartitionsOptions["distribution"]>,
  lanes: number,
): Promise<number> {
  const check = new RunChecker(COUNT, Math.max(...keys) + 1);
  const memory = memorySource({ maxBatchRecords: BATCH });
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const consumer = createConsumer({
    source: memory.source,
    groupId: "skew",
    concurrency: lanes,
    fromBeginning: true,
    maxInFlightMessages: COUNT,
    topics: {
      skew: {
        eachMessage: (message) => {
          const key = RunChecker.keyNumber(message.key!);
          check.start(key, message.offset);
          return new Promise<void>((resolve) => {
            setTimeout(() => {
              check.end(key);
              if (check.finished) finish();
              resolve();
            }, WORK_MS);
          });
        },
        virtualPartitions: { distribution, maxPartitions: lanes },
      },
    },
  });
  await consumer.start();
  for (let from = 0; from < COUNT; from += BATCH) {
    const batch = keys.slice(from, from + BATCH);
    memory.deliver(
      "skew",
      0,
      batch.map((key) => ({ key: encoder.encode(`k${key}`), value: null })),
    );
  }
  await finished;
  await consumer.close();
  return check.seconds;
}

const cells = [
  { name: "zipf 0.8", exponent: 0.8, keys: 1000, lanes: 8 },
  { name: "zipf 1.0", exponent: 1.0, keys: 1000, lanes: 16 },
  { name: "even", exponent: 0, keys: 200, lanes: 16 },
];
for (const cell of cells) {
  const keys = Array.from({ length: COUNT }, zipfKeys(cell.keys, cell.exponent));
  const counts = new Map<number, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  const hottest = Math.max(...counts.values());
  const callMs = await workMs(cell.lanes);
  const bound = (Math.max(COUNT / cell.lanes, hottest) * callMs) / 1000;
  const rounds = await takeTurns(cell.name, Number(values.rounds), {
    consistent: () => run(keys, "consistent", cell.lanes),
    balanced: () => run(keys, "balanced", cell.lanes),
    "per-key": () => run(keys, "per-key", cell.lanes),
  });
  const consistent = median(rounds.consistent!);
  for (const [distribution, seconds] of Object.entries(rounds)) {
    const ofBound = Number((bound / median(seconds)).toFixed(3));
    const timesConsistent = Number((consistent / median(seconds)).toFixed(3));
    const binds = hottest > COUNT / cell.lanes ? "hottest key" : "work";
    const line = {
      cell: cell.name,
      lanes: cell.lanes,
      distribution,
      binds,
      ofBound,
      timesConsistent,
    };
    if (values.json) console.log(JSON.stringify(line));
    else {
      const name = `${cell.name}, ${cell.lanes} lanes`.padEnd(24);
      const of = `${ofBound.toFixed(3)} of the bound (${binds})`.padEnd(34);
      console.log(
        `${name} ${distribution.padEnd(12)} ${of} ${timesConsistent.toFixed(2)} × consistent`,
      );
    }
  }
}
