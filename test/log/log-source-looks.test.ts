/**
 * Readers whose notifications are lost (network file systems, containers, too many watches): they
 * look at times, by the consumer's clock.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { LogSource } from "../../src/log/log-source.ts";
import { ReaderStore } from "../../src/log/reader-store.ts";
import { type FileWatch, LOOK_MS } from "../../src/log/watch-file.ts";
import { watchTopic } from "../../src/log/watch-topic.ts";
import { RecordingListener } from "../../src/source/recording-listener.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import { removeTemporary, temporaryDirectory } from "./temporary.ts";
import { WriterProcess } from "./writer-process.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const signal = new AbortController().signal;
const TOPIC = "orders";

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  removeTemporary();
});

const deaf: FileWatch = () => () => {};
const refused: FileWatch = () => undefined;

async function startWriter(partitions = 1): Promise<{ directory: string; writer: WriterProcess }> {
  const directory = temporaryDirectory();
  const writer = new WriterProcess(directory, { topics: { [TOPIC]: { partitions } } });
  closing.push(() => writer.child.kill());
  await writer.ready();
  return { directory, writer };
}

async function follow(directory: string, clock: FakeClock, watch: FileWatch) {
  const reader = new ReaderStore(directory, "written", watch);
  const group = { groupId: "g", topics: [TOPIC], member: 0, drainTimeoutMs: 1000, clock, logger };
  const source = new LogSource(group, async () => ({ reader, close: async () => reader.close() }));
  const listener = new RecordingListener();
  closing.push(async () => {
    await source.stop({ leave: true, signal });
    expect(listener.breaches).toEqual([]);
  });
  await source.start(listener);
  return { source, listener };
}

function append(writer: WriterProcess, partition: number, value: string): Promise<unknown> {
  const records = [{ key: "k", value }];
  return writer.do({ act: "append", topic: TOPIC, partition, records });
}

describe("a reader without notifications", () => {
  test.each([
    ["that never come", deaf],
    ["that the system refuses", refused],
  ] as [string, FileWatch][])(
    "%s: sees what is new by a look, no later than LOOK_MS",
    async (_name, watch) => {
      const { directory, writer } = await startWriter();
      const clock = fakeClock();
      const { listener } = await follow(directory, clock, watch);
      await clock.advance(0);
      for (let round = 0; round < 5; round++) {
        await append(writer, 0, `v${round}`);
        await clock.advance(0);
        expect(listener.offsetsOf(0).length).toBe(round);
        await clock.advance(LOOK_MS);
        expect(listener.offsetsOf(0).length).toBe(round + 1);
      }
    },
  );

  test("does not look while it is paused, and looks when it is resumed", async () => {
    const { directory, writer } = await startWriter();
    const clock = fakeClock();
    const { source, listener } = await follow(directory, clock, deaf);
    const lease = listener.leaseOf(0)!;
    source.pause(lease);
    await clock.advance(LOOK_MS);
    await append(writer, 0, "v0");
    await clock.advance(10 * LOOK_MS);
    expect(listener.batches.length).toBe(0);
    source.resume(lease);
    await clock.advance(0);
    expect(listener.batches.length).toBe(1);
  });

  test("gets partitions that another process adds, within a second", async () => {
    const { directory, writer } = await startWriter();
    const clock = fakeClock();
    const { listener } = await follow(directory, clock, deaf);
    await writer.do({ act: "grow", topic: TOPIC, partitions: 3 });
    await append(writer, 2, "v0");
    await clock.advance(1000);
    expect(listener.leases.map(({ partition }) => partition)).toEqual([0, 1, 2]);
    await clock.advance(LOOK_MS);
    expect(listener.offsetsOf(2)).toEqual([0]);
  });

  test("tries a read that failed again after a second, and tells", async () => {
    const { directory, writer } = await startWriter();
    const clock = fakeClock();
    const { listener } = await follow(directory, clock, deaf);
    await append(writer, 0, "v0");
    const partition = join(directory, "topics", `1-${TOPIC}`, "partitions", "0");
    unlinkSync(join(partition, `${"0".repeat(20)}.log`));
    await clock.advance(LOOK_MS);
    expect(listener.failures.map(({ error, fatal }) => [error.retriable, fatal])).toEqual([
      [true, false],
    ]);
    expect(listener.failures[0]!.error.message).toContain("must be there");
    await clock.advance(1000);
    expect(listener.failures.length).toBe(2);
  });

  test("has no timer left once it has stopped", async () => {
    const { directory } = await startWriter();
    const clock = fakeClock();
    const { source, listener } = await follow(directory, clock, deaf);
    await clock.advance(LOOK_MS);
    expect(clock.pendingTimers()).toBeGreaterThan(0);
    await source.stop({ leave: true, signal });
    listener.stopped = true;
    await clock.advance(0);
    expect(clock.pendingTimers()).toBe(0);
  });

  test("watchTopic() calls back after a look, for added partitions too, until it is stopped", async () => {
    const { directory, writer } = await startWriter();
    const clock = fakeClock();
    const reader = new ReaderStore(directory, "written", deaf);
    closing.push(async () => reader.close());
    let calls = 0;
    const stop = watchTopic(reader, TOPIC, () => calls++, clock);
    await clock.advance(1000);
    expect(calls).toBe(0);
    await append(writer, 0, "v0");
    await clock.advance(LOOK_MS);
    expect(calls).toBe(1);
    await writer.do({ act: "grow", topic: TOPIC, partitions: 2 });
    await clock.advance(LOOK_MS);
    const before = calls;
    await append(writer, 1, "v0");
    await clock.advance(LOOK_MS);
    expect(calls).toBe(before + 1);
    stop();
    await append(writer, 1, "v1");
    await clock.advance(1000);
    expect(calls).toBe(before + 1);
    expect(clock.pendingTimers()).toBe(0);
  });
});

describe("many readers", () => {
  test("100 consumers' leases over 20 partitions hear of each append of another process", async () => {
    const partitions = 20;
    const { directory, writer } = await startWriter(partitions);
    const clock = fakeClock();
    const reader = new ReaderStore(directory);
    closing.push(async () => reader.close());
    const listeners = await Promise.all(
      Array.from({ length: 5 }, async (_, at) => {
        const times = { member: 0, drainTimeoutMs: 1000, clock, logger };
        const group = { groupId: `g${at}`, topics: [TOPIC], ...times };
        const source = new LogSource(group, async () => ({ reader, close: async () => {} }));
        const listener = new RecordingListener();
        closing.push(() => source.stop({ leave: true, signal }));
        await source.start(listener);
        return listener;
      }),
    );
    for (let round = 1; round <= 3; round++) {
      for (let partition = 0; partition < partitions; partition++) {
        await append(writer, partition, `v${round}`);
      }
      // Notifications or a look: whichever comes first.
      await clock.advance(LOOK_MS);
      for (const listener of listeners) {
        const seen = Array.from({ length: partitions }, (_, at) => listener.offsetsOf(at).length);
        expect(seen).toEqual(Array(partitions).fill(round));
      }
    }
    for (const { breaches } of listeners) expect(breaches).toEqual([]);
  });
});
