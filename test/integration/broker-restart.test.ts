/** The broker dies by `kill -9` in the middle of the work, and comes back with its data. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, missingTool, startBroker } from "../kafka/broker.mjs";
import { bootstrap } from "./consumer-harness.ts";
import { CrashBench, type MemberJob } from "./members/crash-bench.ts";

const PARTITIONS = 4;
const MESSAGES = 8000;
const KEYS = 400;
/** A fetch takes 1 MiB of a partition, whatever is in flight: it must be far from all of it. */
const VALUE_BYTES = 4096;
/** Handled before the broker is killed. */
const BEFORE = 2000;
/** And at least so many must still be at the broker then. */
const AFTER = 2000;
/** Longer than the broker is away: its group then goes on with the members that it knew. */
const SESSION_TIMEOUT_MS = 20_000;
const LIMIT_MS = 180_000;

const JOB: MemberJob = {
  // Few in flight: most of the log must still be at the broker when it dies.
  consumer: { concurrency: 100, commitIntervalMs: 50, maxInFlightMessages: 400 },
  topic: { virtualPartitions: { distribution: "balanced" } },
  work: { minMs: 10, maxMs: 40 },
};

/** A broker that is given is not ours to kill, and without Java there is no other. */
const missing = bootstrap === "" ? undefined : missingTool();
const reason = missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(bootstrap === "" || missing !== undefined)(`a broker that crashes${reason}`, () => {
  let directory: string;
  let broker: Broker | undefined;
  let bench: CrashBench | undefined;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "headrace-broker-"));
    broker = await startBroker({ directory });
    const { bootstrap: own } = broker;
    bench = await CrashBench.open("broker-restart", own, PARTITIONS, SESSION_TIMEOUT_MS);
    await bench.fill(MESSAGES, KEYS, VALUE_BYTES);
  }, LIMIT_MS);
  afterAll(async () => {
    await bench?.close();
    await broker?.stop();
    rmSync(directory, { recursive: true, force: true });
  }, LIMIT_MS);

  test(
    "a consumer goes on by itself when the broker is back, and loses nothing",
    async () => {
      const subject = bench!;
      const member = subject.start("member", JOB);
      await subject.until("work", (view) => view.done >= BEFORE && view.count("committed") > 0);
      const { port } = broker!;
      await broker!.kill();
      subject.note("killed");
      broker = await startBroker({ directory, port });
      subject.note("back");
      await subject.untilEnd(MESSAGES);
      await subject.terminate(member);

      const report = await subject.check();
      const { killed, back, first, before } = moments(subject);
      const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
      console.log(
        `broker-restart: ${before} handled before, away for ${seconds(back - killed)}, ` +
          `first message ${seconds(first - back)} after its return, ` +
          `handled again: ${report.repeats}, leases lost: ${subject.view.count("lost")}`,
      );
      expect(MESSAGES - before).toBeGreaterThanOrEqual(AFTER);
      expect(first).toBeGreaterThan(killed);
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

/** When the broker died and answered again, and when the first message that came after it started. */
function moments(bench: CrashBench): Record<"killed" | "back" | "first" | "before", number> {
  const { entries } = bench.view;
  const note = (text: string): number =>
    entries.findIndex((entry) => entry.kind === "note" && entry.text === text);
  const killed = note("killed");
  const at = (index: number): number => entries[index]?.atMs ?? Number.NaN;
  const starts = entries.flatMap(({ kind, atMs }, index) =>
    kind === "start" && index > killed ? [atMs] : [],
  );
  // What was polled before is handled while the broker is away; then there is a long pause.
  const pauses = starts.map((atMs, index) => atMs - (starts[index - 1] ?? atMs));
  const first = starts[pauses.indexOf(Math.max(...pauses))] ?? Number.NaN;
  const before = entries.filter(({ kind, atMs }) => kind === "end" && atMs < first).length;
  return { killed: at(killed), back: at(note("back")), first, before };
}
