/** Three members under load; each is closed in order and replaced by a new one. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bootstrap } from "./consumer-harness.ts";
import { CrashBench, type MemberJob } from "./members/crash-bench.ts";
import { SteadyLoad } from "./members/steady-load.ts";

const PARTITIONS = 12;
const MEMBERS = 3;
/** Nobody is killed here: long, so that a busy machine makes nobody late. */
const SESSION_TIMEOUT_MS = 20_000;
const LIMIT_MS = 120_000;
const DISTRIBUTIONS = ["consistent", "balanced", "per-key"] as const;
/** Between two restarts the group must get so far. */
const BETWEEN = 2000;

function job(index: number): MemberJob {
  return {
    // With two of three members the load is more than they can do: lanes have queues.
    consumer: { concurrency: 30, commitIntervalMs: 100, drainTimeoutMs: 5000 },
    topic: { virtualPartitions: { distribution: DISTRIBUTIONS[index % 3]! } },
    work: { minMs: 20, maxMs: 60 },
    // Longer than a rebalance takes, so that it must wait; shorter than the drain deadline.
    slow: { every: 400, ms: 1000 },
  };
}

describe.skipIf(bootstrap === "")("a rolling restart", () => {
  let bench: CrashBench;
  let load: SteadyLoad;
  beforeAll(async () => {
    bench = await CrashBench.open("rolling", bootstrap, PARTITIONS, SESSION_TIMEOUT_MS);
    load = await SteadyLoad.start(bench.kafka, bench.topic);
  }, LIMIT_MS);
  afterAll(async () => {
    await load.stop();
    await bench.close();
  }, LIMIT_MS);

  test(
    "O5: under load nothing is lost, nothing is handled twice, across members keys keep their order",
    async () => {
      const members = Array.from({ length: MEMBERS }, (_, i) => bench.start(`old-${i}`, job(i)));
      await bench.until("work by every member", (view) =>
        members.every(({ name }) => view.count("end", name) > 0),
      );
      for (const [index, member] of members.entries()) {
        await bench.terminate(member);
        const name = `new-${index}`;
        members[index] = bench.start(name, job(index));
        const from = bench.view.done;
        await bench.until(
          `work by ${name}`,
          (view) => view.count("end", name) > 0 && view.done >= from + BETWEEN,
        );
      }
      await load.stop();
      await bench.untilEnd();
      for (const member of members) await bench.terminate(member);

      const report = await bench.check();
      const count = await bench.count();
      const closed = bench.view.entries.filter((entry) => entry.kind === "closed");
      const { repeats } = report;
      const lost = bench.view.count("lost");
      console.log(`rolling-restart: ${count} messages, handled again: ${repeats}, lost: ${lost}`);
      expect(closed.map(({ abandoned, uncommitted }) => [abandoned, uncommitted])).toEqual(
        closed.map(() => [0, 0]),
      );
      expect([closed.length, lost]).toEqual([2 * MEMBERS, 0]);
      expect(report).toMatchObject({
        lost: [],
        orderBreaks: [],
        storedRepeats: [],
        earlyCommits: [],
      });
      expect(repeats).toBe(0);
    },
    LIMIT_MS,
  );
});
