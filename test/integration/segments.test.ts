/** Four segments in four processes read a topic of two partitions. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { multiplyShift } from "../../src/distribute/reducers.ts";
import { bootstrap, TestTopics } from "./consumer-harness.ts";
import { CrashBench, type MemberJob } from "./members/crash-bench.ts";

const PARTITIONS = 2;
const COUNT = 4;
/** No key falls to this segment. */
const IDLE = 2;
const KEYS = 40;
const LIMIT_MS = 60_000;
/** Nobody is killed here. */
const SESSION_TIMEOUT_MS = 20_000;

const keys: string[] = [];
for (let i = 0; keys.length < KEYS; i++) {
  if (multiplyShift(`k${i}`, COUNT) !== IDLE) keys.push(`k${i}`);
}

function job(index: number): MemberJob {
  return {
    consumer: { concurrency: 20, commitIntervalMs: 100, drainTimeoutMs: 5000 },
    topic: index % 2 === 0 ? { virtualPartitions: { distribution: "balanced" } } : {},
    work: { minMs: 0, maxMs: 2 },
    segments: { count: COUNT, run: [index] },
  };
}

describe.skipIf(bootstrap === "")("parallel segments in processes", () => {
  test(
    "S1: a process runs several segments, and others go on where it stopped",
    async () => {
      const some = await CrashBench.open("several", bootstrap, PARTITIONS, SESSION_TIMEOUT_MS);
      const jobOf = (run: number[]): MemberJob => ({ ...job(0), segments: { count: COUNT, run } });
      try {
        await some.fill(1000, 50);
        const first = some.start("all", jobOf([0, 1, 2, 3]));
        await some.until("some work", (view) => view.count("end", "all") > 300);
        await some.terminate(first);
        await some.fill(500, 50);
        const next = [some.start("even", jobOf([0, 2])), some.start("odd", jobOf([1, 3]))];
        await some.untilEnd();
        for (const member of next) await some.terminate(member);
        const report = await some.check();
        expect(report).toMatchObject({ lost: [], orderBreaks: [], repeats: 0, handled: 1500 });
      } finally {
        await some.close();
      }
    },
    LIMIT_MS,
  );

  const topics = new TestTopics();
  let bench: CrashBench;
  beforeAll(async () => {
    await topics.connect();
    bench = await CrashBench.open("segments", bootstrap, PARTITIONS, SESSION_TIMEOUT_MS);
  }, LIMIT_MS);
  afterAll(async () => {
    await topics.disconnect();
    await bench.close();
  }, LIMIT_MS);

  test(
    "S1, S2, S7: each message is handled by one segment, in key order, and all offsets reach the end",
    async () => {
      const send = (count: number): Promise<void> =>
        bench.produce(
          Array.from({ length: count }, (_, i) => ({ key: keys[i % KEYS]!, value: "v" })),
        );
      await send(2000);
      const members = Array.from({ length: COUNT }, (_, i) => bench.start(`segment-${i}`, job(i)));
      await bench.until("work by each segment that owns keys", (view) =>
        members.every(({ name }, index) => index === IDLE || view.count("end", name) > 0),
      );
      await send(1000);
      await bench.untilEnd();
      for (const member of members) await bench.terminate(member);

      const report = await bench.check();
      expect(report).toMatchObject({ lost: [], orderBreaks: [], repeats: 0, handled: 3000 });
      for (const entry of bench.view.entries) {
        if (entry.kind !== "start") continue;
        expect(entry.member).toBe(`segment-${multiplyShift(entry.key, COUNT)}`);
      }
      expect(bench.view.count("start", `segment-${IDLE}`)).toBe(0);
      const ends = await topics.ends(bench.topic);
      expect(ends.reduce((sum, end) => sum + end, 0)).toBe(3000);
      for (let index = 0; index < COUNT; index++) {
        const groupId = `${bench.groupId}-parallel-${index}`;
        expect(await topics.committed(groupId, bench.topic)).toEqual(ends);
      }
    },
    LIMIT_MS,
  );
});
