/**
 * The raw path against the decoded path of the same build: a consumer over the embedded log with
 * virtual partitions and an empty synchronous handler.
 *
 *   node bench/raw.ts [--json] [--rounds N] [--count N] [--bytes N] [--batch N] [--keys N]
 *                     [--profile]
 *
 * raw      the log as it is: batches are parsed and hashed in the kernel, views made on demand
 * decoded  the same log behind a source that makes one object per message, as kafkajs does
 *
 * Both run in this process, in turns. "read" handlers look at key and offset of each message, the
 * others only count. Before that both are run once with every key, value and the order checked.
 * --profile (Node only) profiles one more run of each and shows its time by stage.
 */

import { Buffer } from "node:buffer";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { log, openLog } from "../src/adapters/log.ts";
import { createConsumer } from "../src/index.ts";
import type { VirtualPartitionsOptions } from "../src/options.ts";
import type { SourceFactory } from "../src/source/source.ts";
import type { Message } from "../src/types.ts";
import { RunChecker } from "./support/check.ts";
import { decodedLog } from "./support/decoded-log.ts";
import { median, report, takeTurns } from "./support/rounds.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    count: { type: "string", default: "500000" },
    bytes: { type: "string", default: "100" },
    batch: { type: "string", default: "1000" },
    keys: { type: "string", default: "1000" },
    profile: { type: "boolean", default: false },
  },
});
const COUNT = Number(values.count);
const KEYS = Number(values.keys);
const VALUE_BYTES = Number(values.bytes);
const TOPIC = "raw";

type Distribution = NonNullable<VirtualPartitionsOptions["distribution"]>;
/** @returns true with the last message. */
type Handle = (message: Message) => boolean;

/** The value of each message names its offset. */
async function fill(directory: string): Promise<void> {
  const store = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
  for (let next = 0; next < COUNT; ) {
    const size = Math.min(Number(values.batch), COUNT - next);
    const records = Array.from({ length: size }, () => {
      const key = Buffer.from(`k${next % KEYS}`);
      const value = Buffer.from(`${next++}`.padEnd(VALUE_BYTES, "x"));
      return { key, value, headers: [], timestamp: 1_700_000_000_000, id: null };
    });
    await store.append(TOPIC, 0, records);
  }
  await store.close();
}

let groups = 0;

/** @returns Seconds from the first message to the last. */
async function consume(
  source: SourceFactory,
  distribution: Distribution,
  handle: Handle,
): Promise<number> {
  let firstMs = 0;
  let lastMs = 0;
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const consumer = createConsumer({
    source,
    groupId: `raw-${groups++}`,
    concurrency: 100,
    fromBeginning: true,
    topics: {
      [TOPIC]: {
        eachMessage: (message) => {
          if (firstMs === 0) firstMs = performance.now();
          if (!handle(message)) return;
          lastMs = performance.now();
          finish();
        },
        virtualPartitions: { distribution },
      },
    },
  });
  await Promise.race([finished, consumer.run()]);
  const { uncommitted } = await consumer.close();
  if (uncommitted.length > 0) throw new Error("Cannot use this run as its last commit failed");
  return (lastMs - firstMs) / 1000;
}

/** Touches nothing of the message; only their number is known. */
function counting(): Handle {
  let done = 0;
  return () => ++done === COUNT;
}

/** Reads key and offset, as the bare loop of the overhead bench does. */
function reading(): Handle {
  let done = 0;
  let sum = 0;
  let keyBytes = 0;
  return (message) => {
    keyBytes += message.key!.length;
    sum += message.offset;
    if (++done < COUNT) return false;
    if (sum !== (COUNT * (COUNT - 1)) / 2 || keyBytes < COUNT * 2) {
      throw new Error(`Cannot use this run as it must be complete: received a sum of ${sum}`);
    }
    return true;
  };
}

/** Every key and value as written, none missing or twice, keys in order; else the run is void. */
async function check(source: SourceFactory, distribution: Distribution): Promise<void> {
  const checker = new RunChecker(COUNT, KEYS);
  await consume(source, distribution, (message) => {
    const { key, offset } = message;
    const number = RunChecker.keyNumber(key!);
    checker.start(number, offset);
    if (number !== offset % KEYS || Number.parseInt(message.text()!, 10) !== offset) {
      throw new Error(`Cannot use this run as messages must be as written: received ${offset}`);
    }
    checker.end(number);
    return checker.finished;
  });
  if (checker.seconds < 0) throw new Error("unreachable");
}

const directory = await mkdtemp(path.join(tmpdir(), "headrace-bench-raw-"));
try {
  await fill(directory);
  const sources = { decoded: decodedLog(directory), raw: log(directory) };
  const distributions = ["consistent", "balanced", "per-key"] as const;
  for (const distribution of distributions) {
    for (const source of Object.values(sources)) await check(source, distribution);
  }
  for (const distribution of distributions) {
    const subjects = Object.entries(sources).flatMap(([name, source]) => [
      [name, () => consume(source, distribution, counting())] as const,
      [`${name}, read`, () => consume(source, distribution, reading())] as const,
    ]);
    const rounds = await takeTurns(
      distribution,
      Number(values.rounds),
      Object.fromEntries(subjects),
    );
    report(distribution, COUNT, rounds, "decoded", values.json);
    const ns = (median(rounds.raw!) * 1e9) / COUNT;
    if (!values.json) console.log(`${distribution}: raw ${ns.toFixed(0)} ns/message in all`);
    if (!values.profile) continue;
    // The profiler exists on Node only.
    const { profileStages } = await import("./support/stage-profile.ts");
    for (const [name, source] of Object.entries(sources)) {
      const times = await profileStages(() => consume(source, distribution, counting()));
      const list = [...times]
        .map(([stage, ms]) => [stage, Math.round((ms * 1e6) / COUNT)] as const)
        .filter(([stage, stageNs]) => stage !== "idle" && stageNs > 0)
        .sort((one, other) => other[1] - one[1])
        .map((entry) => entry.join(" "));
      console.log(`  ${name}, ns/message: ${list.join(", ")}`);
    }
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
