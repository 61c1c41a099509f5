import { afterEach, describe, expect, test } from "bun:test";
import { type Log, log as logSource } from "../../src/adapters/log.ts";
import { ProduceError, TopicFullError } from "../../src/errors.ts";
import { createProducer } from "../../src/index.ts";
import { openHandle } from "../../src/log/log.ts";
import { resolveLogOptions } from "../../src/log/log-options.ts";
import type { RetentionOptions } from "../../src/log/topic-options.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import { numbered, removeTemporary, storedValues, temporaryDirectory } from "./temporary.ts";

const LIMIT: number = 4 * 4096;

const open: { close(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  removeTemporary();
});

async function openFull(
  clock: FakeClock,
  retention: RetentionOptions,
  root = temporaryDirectory(),
) {
  const options = { topics: { t: { partitions: 2 } }, segment: { bytes: 4096 }, retention };
  const log = await openHandle(root, resolveLogOptions(options), clock);
  open.push(log);
  return log;
}

/** Appends to both partitions until the topic refuses. */
async function fill(log: Log): Promise<{ appended: number; error: unknown }> {
  for (let appended = 0; ; appended++) {
    try {
      await log.append("t", appended % 2, numbered(100, 10));
    } catch (error) {
      return { appended, error };
    }
  }
}

describe("a full topic", () => {
  test("refuses appends at maxTopicBytes, over all partitions, and nothing is lost", async () => {
    const log = await openFull(fakeClock(), { maxTopicBytes: LIMIT });
    const { appended, error } = await fill(log);
    expect(error).toBeInstanceOf(TopicFullError);
    expect((error as TopicFullError).retriable).toBe(true);
    const batch = (await log.read("t", 0, 0, 1))[0]!.bytes.length;
    expect(String(error)).toContain(`maxTopicBytes, ${LIMIT}: received`);
    expect(appended).toBe(Math.floor(LIMIT / batch));
    expect((await storedValues(log)).length).toBe(10 * Math.ceil(appended / 2));
    // A smaller batch may still fit; the other partition is as full as this one.
    await expect(log.append("t", 1, numbered(0, 10))).rejects.toThrow(TopicFullError);
  });

  test("appends that wait to be written count too", async () => {
    const log = await openFull(fakeClock(), { maxTopicBytes: LIMIT });
    const all = Array.from({ length: 40 }, () => log.append("t", 0, numbered(0, 10)));
    const settled = await Promise.allSettled(all);
    const stored = settled.filter(({ status }) => status === "fulfilled").length;
    const batch = (await log.read("t", 0, 0, 1))[0]!.bytes.length;
    expect(stored).toBe(Math.floor(LIMIT / batch));
  });

  test("takes appends again when there is room", async () => {
    const clock = fakeClock();
    const log = await openFull(clock, { maxTopicBytes: LIMIT, maxAgeMs: 60_000 });
    const { appended } = await fill(log);
    await clock.advance(59_000);
    await expect(log.append("t", 0, numbered(0, 10))).rejects.toThrow(TopicFullError);
    await clock.advance(1000);
    const { logEnd } = await log.bounds("t", 0);
    expect((await log.append("t", 0, numbered(0, 10))).baseOffset).toBe(logEnd);
    expect((await fill(log)).appended).toBeGreaterThan(appended / 2);
  });

  test("says so to a producer, whose call may be repeated", async () => {
    const log = await openFull(fakeClock(), { maxTopicBytes: LIMIT });
    await fill(log);
    const producer = createProducer({ sink: logSource(log), logger: false });
    open.push(producer);
    const error = await producer
      .produce({ topic: "t", value: "x".repeat(1000), partition: 0 })
      .catch((one: unknown) => one);
    expect(error).toBeInstanceOf(ProduceError);
    expect((error as ProduceError).cause).toBeInstanceOf(TopicFullError);
    expect((error as ProduceError).retriable).toBe(true);
    await producer.flush().catch(() => {});
  });

  test("never with deleteOldestSegments, also when a group keeps segments from going", async () => {
    const clock = fakeClock();
    const log = await openFull(clock, { maxTopicBytes: LIMIT, deleteOldestSegments: true });
    await log.commit(
      "g",
      "t",
      [0, 1].map((partition) => ({ partition, offset: 0 })),
    );
    for (let batch = 0; batch < 60; batch++) await log.append("t", batch % 2, numbered(0, 10));
    await clock.advance(0);
    expect(await log.bounds("t", 0)).toEqual({ logStart: 0, logEnd: 300 });
    await log.commit(
      "g",
      "t",
      [0, 1].map((partition) => ({ partition, offset: 300 })),
    );
    await log.retain();
    expect((await log.bounds("t", 0)).logStart).toBeGreaterThan(0);
  });
});
