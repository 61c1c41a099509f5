/** Positions that the log does not have, or not any more: rules O11 and O12. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { type Log, log, openLog } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import { HeadraceError } from "../../src/errors.ts";
import { declareHole } from "../../src/log/holes.ts";
import type { LogHandle } from "../../src/log/log.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { segmentName } from "../../src/log/segment-names.ts";
import type { ConsumerOptions } from "../../src/options.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { RecordingListener } from "../../src/source/recording-listener.ts";
import type { Source } from "../../src/source/source.ts";
import { numbered, removeTemporary, temporaryDirectory } from "../log/temporary.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const signal = new AbortController().signal;
const BATCH = 2;

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise<void>((resolve) => systemClock.defer(resolve));
  }
}

describe("a position outside the log", () => {
  let directory = "";
  let handle: Log;
  const closing: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    directory = temporaryDirectory();
    await reopen();
  });

  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await handle.close();
    removeTemporary();
  });

  async function reopen(): Promise<void> {
    const topics = { orders: { partitions: 1 } };
    handle = await openLog(directory, { topics, segment: { bytes: 1024 } });
  }

  function partition(): PartitionLog {
    return (handle as LogHandle).writer.topic("orders")!.partitions[0]!;
  }

  async function append(from: number, batches: number): Promise<void> {
    for (let at = 0; at < batches; at++) {
      await handle.append("orders", 0, numbered(from + at * BATCH, BATCH));
    }
  }

  function member(groupId = "g"): { source: Source; listener: RecordingListener } {
    const common = { groupId, clock: systemClock, logger, member: 0, drainTimeoutMs: 1000 };
    const source = log(directory).open({ ...common, topics: ["orders"] });
    const listener = new RecordingListener();
    closing.push(async () => {
      await source.stop({ leave: true, signal });
      expect(listener.breaches).toEqual([]);
    });
    return { source, listener };
  }

  /** A consumer, the offsets that it has handled, and its events about its lease. */
  function consume(options: Partial<ConsumerOptions<{ orders: unknown }>> = {}) {
    const offsets: number[] = [];
    const events: [string, object][] = [];
    const consumer: Consumer = createConsumer({
      source: log(directory),
      groupId: "g",
      logger,
      fromBeginning: true,
      ...options,
      topics: { orders: { eachMessage: ({ offset }) => void offsets.push(offset) } },
    });
    for (const name of ["assigned", "lost", "revoked", "offsetReset", "error"] as const) {
      consumer.on(name, (payload) => events.push([name, payload]));
    }
    closing.push(() => consumer.close().catch(() => {}));
    return { consumer, offsets, events };
  }

  /** The log as a power cut leaves it under a reader of another machine: its end is gone. */
  async function cut(batches: number): Promise<void> {
    const last = partition().sealed.at(-1)?.nextOffset ?? 0;
    const path = join(partition().place.directory, segmentName(last));
    const before = partition().logEnd;
    const size = readFileSync(path).length;
    const bytes = (size / ((before - last) / BATCH)) * batches;
    await handle.close();
    const head = join(path, "..", "head");
    const kept = readFileSync(head);
    truncateSync(path, size - bytes);
    // What was synced at close is not what a power cut leaves.
    rmSync(head);
    expect(kept.length).toBeGreaterThan(0);
    await reopen();
    expect(partition().logEnd).toBe(before - batches * BATCH);
  }

  test("O11: retention passes a reader: the lease is lost, and begins anew at the log's start", async () => {
    await append(0, 30);
    const { source, listener } = member();
    listener.onDeliver = ({ lease }) => source.pause(lease);
    await source.start(listener);
    await until("the first batch came", () => listener.batches.length > 0);
    const first = listener.leaseOf(0)!;
    await source.commit([{ lease: first, offset: 1, metadata: "m" }], signal);
    // What was read ahead may still be handed over, so it is thrown away.
    source.seek(first, 2);
    listener.sought(first, 2);
    partition().dropOldest();
    listener.onDeliver = () => {};
    listener.onAssigned = (one) => one.logStart;
    source.resume(first);
    await until("a lease is there again", () => listener.assignments.length === 2);
    expect(listener.lostLeases).toEqual([first]);
    const { committed, logStart, logEnd } = listener.assignments[1]!;
    expect([committed, logStart, logEnd]).toEqual([
      { offset: 1, metadata: "m" },
      partition().logStart,
      60,
    ]);
    await until("the rest came", () => listener.offsetsOf(0).at(-1) === 59);
    expect(await source.commit([{ lease: first, offset: 2, metadata: "" }], signal)).toEqual([
      "fenced",
    ]);
  });

  test("O11: the consumer says where it was reset, and goes on", async () => {
    await append(0, 30);
    const { consumer, offsets, events } = consume();
    await consumer.start();
    await until("all came", () => offsets.length === 60);
    await consumer.commit();
    consumer.pause();
    await append(60, 30);
    while (partition().logStart <= 60) partition().dropOldest();
    const start = partition().logStart;
    // Read ahead before the pause, or not at all: a seek empties it.
    await consumer.seek({ topic: "orders", partition: 0 }, 60);
    events.length = 0;
    consumer.resume();
    await until("it goes on", () => offsets.at(-1) === 119);
    expect(events.map(([name]) => name)).toEqual(["lost", "assigned", "offsetReset"]);
    expect(events[2]![1]).toMatchObject({ topic: "orders", partition: 0, from: 60, to: start });
    expect(offsets.slice(60)[0]).toBe(start);
  });

  test("O11: with error it is fatal, and nothing is committed", async () => {
    await append(0, 30);
    await handle.commit("g", "orders", [{ partition: 0, offset: 100 }]);
    const { consumer } = consume({ onOutOfRange: "error" });
    const ended = await consumer.run().catch((error: unknown) => error);
    expect(HeadraceError.is(ended) && ended.code).toBe("HEADRACE_OUT_OF_RANGE");
    expect((await handle.committed("g", "orders"))[0]!.offset).toBe(100);
  });

  test("O12: a log end below the position: the lease is lost, nothing is committed", async () => {
    await append(0, 4);
    const { source, listener } = member();
    await source.start(listener);
    await until("all came", () => listener.offsetsOf(0).length === 8);
    const first = listener.leaseOf(0)!;
    await source.commit([{ lease: first, offset: 4, metadata: "" }], signal);
    await cut(1);
    await until("a lease is there again", () => listener.assignments.length === 2);
    expect([listener.lostLeases, listener.revoked]).toEqual([[first], []]);
    expect(listener.assignments[1]).toMatchObject({
      committed: { offset: 4, metadata: "" },
      logEnd: 6,
    });
    await append(100, 1);
    await until("the new end came", () => listener.offsetsOf(0).length === 12);
    const values = listener.recordsOf(0).map(({ value }) => new TextDecoder().decode(value!));
    expect(values.slice(8)).toEqual(["v4", "v5", "v100", "v101"]);
  });

  test("O12: a log that was cut and has grown past the position unseen is noticed by its writer's epoch", async () => {
    await append(0, 4);
    const { source, listener } = member();
    await source.start(listener);
    await until("all came", () => listener.offsetsOf(0).length === 8);
    const first = listener.leaseOf(0)!;
    source.pause(first);
    await cut(2);
    await append(100, 3);
    expect(partition().logEnd).toBe(10);
    source.resume(first);
    await until("a lease is there again", () => listener.assignments.length === 2);
    expect(listener.lostLeases).toEqual([first]);
    expect(listener.failures).toEqual([]);
    // Nothing was committed and the position proves nothing: all is read again, nothing skipped.
    expect(listener.assignments[1]).toMatchObject({ committed: null, groupKnowsTopic: true });
    await until("all came again", () => listener.offsetsOf(0).length === 18);
    expect(listener.offsetsOf(0).slice(8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("another writer alone is no reason to lose a lease", async () => {
    await append(0, 4);
    const { source, listener } = member();
    await source.start(listener);
    await until("all came", () => listener.offsetsOf(0).length === 8);
    await handle.close();
    await reopen();
    await append(8, 4);
    await until("the rest came", () => listener.offsetsOf(0).length === 16);
    expect([listener.lostLeases, listener.assignments.length]).toEqual([[], 1]);
  });

  test("O12: a topic that is removed is lost; one of its name that is made anew is read from its start", async () => {
    await append(0, 4);
    const { consumer, offsets, events } = consume({ fromBeginning: false });
    await consumer.start();
    await append(8, 1);
    await until("the new ones came", () => offsets.length === 2);
    await consumer.commit();
    await handle.close();
    const topic = join(directory, "topics", "1-orders");
    renameSync(topic, `${topic}.tmp`);
    await until("it is lost", () => events.some(([name]) => name === "lost"));
    rmSync(`${topic}.tmp`, { recursive: true });
    offsets.length = 0;
    await reopen();
    await append(0, 3);
    await until("all of it came", () => offsets.length === 6);
    expect(offsets).toEqual([0, 1, 2, 3, 4, 5]);
    expect(events.map(([name]) => name)).toEqual(["assigned", "lost", "assigned"]);
    await consumer.commit();
    expect((await handle.committed("g", "orders"))[0]!.offset).toBe(6);
  });

  test("O3: offsets that were set aside as damaged are no holes of ours: all else is handled, and committed", async () => {
    await append(0, 30);
    const { sealed, place } = partition();
    const { baseOffset: from, nextOffset: to } = sealed[1]!;
    const file = segmentName(from);
    declareHole(place.directory, { from, to, file: `${file}.bad`, reason: "a wrong checksum" });
    renameSync(join(place.directory, file), join(place.directory, `${file}.bad`));
    const { consumer, offsets } = consume();
    await consumer.start();
    const there = Array.from({ length: 60 }, (_, at) => at).filter((at) => at < from || at >= to);
    await until("all that is there came", () => offsets.length === there.length);
    expect(offsets).toEqual(there);
    await consumer.commit();
    expect((await handle.committed("g", "orders"))[0]!.offset).toBe(60);
  });

  test("O3: when all up to the end was set aside, the position moves there", async () => {
    await append(0, 4);
    const { directory: place } = partition().place;
    await handle.close();
    const file = segmentName(0);
    declareHole(place, { from: 2, to: 8, file: `${file}.bad`, reason: "a wrong checksum" });
    renameSync(join(place, file), join(place, `${file}.bad`));
    const { source, listener } = member();
    listener.onAssigned = () => 2;
    const moved: number[] = [];
    const { advanced } = listener;
    listener.advanced = (lease, nextOffset) => {
      moved.push(nextOffset);
      advanced.call(listener, lease, nextOffset);
    };
    await source.start(listener);
    await until("it moved", () => moved.length > 0);
    expect([moved, listener.failures, listener.batches]).toEqual([[8], [], []]);
  });

  test("a seek outside the log is O12 too, as with a broker", async () => {
    await append(0, 4);
    const { consumer, offsets, events } = consume();
    await consumer.start();
    await until("all came", () => offsets.length === 8);
    await consumer.seek({ topic: "orders", partition: 0 }, 1000);
    await until("it was reset", () => events.some(([name]) => name === "lost"));
    await until("it is assigned", () => events.at(-1)![0] !== "lost");
    await append(8, 1);
    await until("it goes on", () => offsets.at(-1) === 9);
  });
});
