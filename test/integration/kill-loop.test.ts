/** `kill -9` in a loop, with a message in every partition that never finishes until the last round. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Random } from "../simulation/random.ts";
import { bootstrap } from "./consumer-harness.ts";
import { CrashBench, type MemberJob } from "./members/crash-bench.ts";

const ROUNDS = 10;
const PARTITIONS = 2;
const MESSAGES = 12_000;
const KEYS = 500;
const STUCK_AT = 150;
/** With the defaults of a broker every killed member holds its partitions for 6 s. */
const LIMIT_MS = 240_000;
const DISTRIBUTIONS = ["consistent", "balanced", "per-key"] as const;

function job(round: number): MemberJob {
  return {
    consumer: { concurrency: 100, commitIntervalMs: 50, drainTimeoutMs: 5000 },
    // Who restarts may do so with other options.
    topic: { virtualPartitions: { distribution: DISTRIBUTIONS[round % 3]! } },
    work: { minMs: 20, maxMs: 60 },
    ...(round < ROUNDS ? { stuckAt: STUCK_AT } : {}),
  };
}

describe.skipIf(bootstrap === "")("a consumer that is killed again and again", () => {
  let bench: CrashBench;
  beforeAll(async () => {
    bench = await CrashBench.open("kill-loop", bootstrap, PARTITIONS);
    await bench.fill(MESSAGES, KEYS);
  }, LIMIT_MS);
  afterAll(() => bench.close(), LIMIT_MS);

  test(
    "O5: loses nothing, keeps the order of keys, handles nothing again that is stored as done",
    async () => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      const random = new Random(seed);
      const offsets: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const name = `round-${round}`;
        const member = bench.start(name, job(round));
        const wanted = random.integer(300, 700);
        await bench.until(`round ${round}`, (view) => {
          const handled = view.count("end", name);
          return handled >= wanted && view.count("committed", name) > 0;
        });
        await bench.kill(member);
        offsets.push((await bench.writeStored()).join(","));
      }
      const last = bench.start("last", job(ROUNDS));
      await bench.untilEnd();
      await bench.terminate(last);

      const report = await bench.check();
      const names = [...offsets.keys()].map((round) => `round-${round}`);
      const rounds = [...names, "last"].map((name, round) => ({
        handled: bench.view.count("end", name),
        again: report.repeatsOf.get(name) ?? 0,
        stored: offsets[round] ?? "all",
      }));
      console.log(`kill-loop, seed ${seed}, handled again: ${report.repeats}`);
      for (const [round, figures] of rounds.entries()) console.log(round, JSON.stringify(figures));
      expect(report).toMatchObject({
        lost: [],
        orderBreaks: [],
        storedRepeats: [],
        earlyCommits: [],
      });
    },
    LIMIT_MS,
  );
});
