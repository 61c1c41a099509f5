/** Dead letters on a real broker: 1 % of the messages can never be handled. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bootstrap, unique } from "./consumer-harness.ts";
import { CrashBench, type MemberJob } from "./members/crash-bench.ts";
import { isPoison } from "./members/poison.ts";
import { type ReadRecord, readTopic } from "./members/read-topic.ts";

/** As many in both topics: a key then has the same partition in both. */
const PARTITIONS = 4;
const MESSAGES = 20_000;
/** Not of long ago: retention would take them away. */
const START_MS = Date.now();
const KEYS = 1000;
/** One message in this many has no key. */
const KEYLESS = 50;
const MAX_RETRIES = 1;
const MAX_ERROR_BYTES = 1024;
const LIMIT_MS = 180_000;

function job(deadLetters: string): MemberJob {
  return {
    consumer: { concurrency: 100, commitIntervalMs: 100 },
    topic: {
      virtualPartitions: { distribution: "consistent" },
      onError: "collapse",
      retry: { backoffMs: 1, maxBackoffMs: 10 },
      deadLetterQueue: { topic: deadLetters, maxRetries: MAX_RETRIES },
    },
    work: { minMs: 0, maxMs: 1 },
    poison: true,
  };
}

describe.skipIf(bootstrap === "")("poison", () => {
  const deadLetters = unique("dead-letters");
  let bench: CrashBench;
  beforeAll(async () => {
    bench = await CrashBench.open("poison", bootstrap, PARTITIONS);
    await bench.createTopic(deadLetters, PARTITIONS);
    await bench.produce(
      Array.from({ length: MESSAGES }, (_, n) => ({
        key: n % KEYLESS === 0 ? null : `k${n % KEYS}`,
        value: `value ${n}`,
        headers: { number: `${n}`, twice: [`a${n}`, `b${n}`] },
        timestamp: String(START_MS + n),
      })),
    );
  }, LIMIT_MS);
  afterAll(() => bench.close(), LIMIT_MS);

  test(
    "Q3, Q6: every poison message is dead-lettered once and in order, every other handled once",
    async () => {
      const startedAt = performance.now();
      const member = bench.start("member", job(deadLetters));
      await bench.untilEnd();
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      await bench.terminate(member);
      const report = await bench.check();
      const failures = bench.view.count("fail");
      console.log(`poison: ${report.handled} handled, ${failures} attempts failed, ${seconds} s`);

      const sources = await readTopic(bench.kafka, bench.topic, MESSAGES);
      const poison = sources.filter(({ offset }) => isPoison(offset));
      expect(poison.length).toBeGreaterThan(MESSAGES / 200);
      expect(report).toMatchObject({
        handled: MESSAGES - poison.length,
        repeats: 0,
        lost: [],
        orderBreaks: [],
        earlyCommits: [],
      });
      expect(await bench.count(deadLetters)).toBe(poison.length);
      checkDeadLetters(await readTopic(bench.kafka, deadLetters, poison.length), poison);
    },
    LIMIT_MS,
  );

  /** Record for record: both lists are by partition and offset, and the partitions are the same. */
  function checkDeadLetters(letters: readonly ReadRecord[], poison: readonly ReadRecord[]): void {
    for (const [index, source] of poison.entries()) {
      const letter = letters[index]!;
      expect([letter.partition, letter.key, letter.value]).toEqual([
        source.partition,
        source.key,
        source.value,
      ]);
      const own = Object.entries(letter.headers).filter(([name]) => !name.startsWith("headrace-"));
      expect(Object.fromEntries(own)).toEqual(source.headers);
      const header = (name: string): string | undefined => letter.headers[`headrace-${name}`]?.[0];
      expect([
        header("source-topic"),
        header("source-partition"),
        header("source-offset"),
        header("source-timestamp"),
        header("group-id"),
        header("error-name"),
      ]).toEqual([
        bench.topic,
        `${source.partition}`,
        `${source.offset}`,
        `${source.timestamp}`,
        bench.groupId,
        "PoisonError",
      ]);
      checkRest(header, source.offset);
    }
  }

  function checkRest(header: (name: string) => string | undefined, offset: number): void {
    const message = header("error-message") ?? "";
    expect(message.startsWith(`Cannot digest offset ${offset}`)).toBe(true);
    expect(new TextEncoder().encode(message).length).toBeLessThanOrEqual(MAX_ERROR_BYTES);
    expect(message.includes("\ufffd")).toBe(false);
    // The budget is the partition's: the culprit need not have had all of the failures (Q5).
    const attempts = Number(header("attempts"));
    expect(Number.isInteger(attempts) && attempts >= 1).toBe(true);
    const lane = Number(header("virtual-partition") ?? Number.NaN);
    expect(Number.isInteger(lane) && lane >= 0 && lane < 100).toBe(true);
  }
});
