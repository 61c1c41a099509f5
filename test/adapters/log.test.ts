import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { type Log, log, openLog } from "../../src/adapters/log.ts";
import { SourceError } from "../../src/errors.ts";
import { createProducer } from "../../src/produce/producer.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { type SourceHarness, sourceCases } from "../../src/source/conformance.ts";
import { RecordingListener } from "../../src/source/recording-listener.ts";
import type {
  CommitOutcome,
  Delivery,
  Lease,
  Source,
  SourceBatch,
} from "../../src/source/source.ts";
import { numbered, record, removeTemporary, temporaryDirectory } from "../log/temporary.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const signal = new AbortController().signal;
const DELIVERY: Delivery = {
  acks: -1,
  compression: "none",
  idempotent: false,
  requestTimeoutMs: 1000,
};

describe("log() conforms", () => {
  const handles: Promise<Log>[] = [];
  const bytes = (text: string | null) => (text === null ? null : new TextEncoder().encode(text));

  afterAll(async () => {
    for (const handle of handles) await (await handle).close();
    removeTemporary();
  });

  function harness(): SourceHarness {
    const directory = temporaryDirectory();
    const handle = openLog(directory);
    handles.push(handle);
    let names = 0;
    const newName = () => `name-${names++}`;
    return {
      factory: log(directory),
      clock: systemClock,
      logger,
      stepTimeoutMs: 3000,
      quietMs: 20,
      newName,
      createTopic: async (partitions) => {
        const topic = newName();
        await (await handle).createTopic(topic, partitions);
        return topic;
      },
      produce: async (topic, partition, records) => {
        const written = records.map(({ key, value, headers = [], timestamp = Date.now() }) => ({
          key: bytes(key),
          value: bytes(value),
          headers: headers.map(([name, text]) => [name, bytes(text)!] as const),
          timestamp,
          id: null,
        }));
        await (await handle).append(topic, partition, written);
      },
      committed: async (groupId, topic) => (await handle).committed(groupId, topic),
      moveToSecond: "joins",
    };
  }

  for (const { name, run } of sourceCases) test(name, () => run(harness()));
});

/**
 * A turn of the event loop in which nothing is left to do for `condition`, or an error after two
 * seconds.
 */
async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 2000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise<void>((resolve) => systemClock.defer(resolve));
  }
}

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    await new Promise<void>((resolve) => systemClock.defer(resolve));
  }
}

describe("log()", () => {
  let directory = "";
  let handle: Log;
  const sources: { source: Source; listener: RecordingListener }[] = [];

  beforeEach(async () => {
    directory = temporaryDirectory();
    handle = await openLog(directory, { topics: { orders: { partitions: 4 } } });
  });

  afterEach(async () => {
    for (const { source, listener } of sources.splice(0)) {
      await source.stop({ leave: true, signal });
      expect(listener.breaches).toEqual([]);
    }
    await handle.close();
    removeTemporary();
  });

  function member(topics = ["orders"], drainTimeoutMs = 10_000) {
    const common = { groupId: "workers", clock: systemClock, logger, member: sources.length };
    const source = log(directory).open({ ...common, topics, drainTimeoutMs });
    const one = { source, listener: new RecordingListener() };
    sources.push(one);
    return one;
  }

  function commit(source: Source, lease: Lease, offset: number): Promise<readonly CommitOutcome[]> {
    return source.commit([{ lease, offset, metadata: "" }], signal);
  }

  const owned = ({ leases }: RecordingListener) => leases.map((one) => one.partition).sort();

  test("refuses what is neither a directory nor a log", () => {
    for (const wrong of ["", 1, {}, null]) {
      expect(() => log(wrong as string)).toThrow(TypeError);
    }
  });

  test("small stored batches are polled together, with hashes of their keys", async () => {
    await handle.append("orders", 0, numbered(0, 3));
    await handle.append("orders", 0, numbered(3, 2));
    await handle.append("orders", 0, numbered(5, 1022));
    const { source, listener } = member();
    const seen: SourceBatch[] = [];
    listener.onDeliver = (batch) => void seen.push(batch);
    await source.start(listener);
    await until("all came", () => seen.at(-1)?.nextOffset === 1027);
    expect(
      seen.map(({ records, nextOffset, highWatermark }) => [
        records.count,
        nextOffset,
        highWatermark,
        records.keyHashes?.length,
      ]),
    ).toEqual([
      [5, 5, 1027, 5],
      [1022, 1027, 1027, 1022],
    ]);
    const stored = await handle.read("orders", 0, 0);
    const bytes = stored.map((batch) => batch.bytes.length);
    expect(seen.map(({ records }) => records.byteLength)).toEqual([
      bytes[0]! + bytes[1]!,
      bytes[2]!,
    ]);
    expect(listener.assignments[0]?.topicId?.length).toBe(16);
  });

  test("start() of a missing topic rejects with a SourceError and gives the log back", async () => {
    const { source, listener } = member(["orders", "nowhere"]);
    const refused = source.start(listener);
    await expect(refused).rejects.toThrow(SourceError);
    await expect(refused).rejects.toThrow("received nowhere");
  });

  test("a new member takes only what it needs, after the drain; the rest goes on", async () => {
    const first = member();
    await first.source.start(first.listener);
    expect(owned(first.listener)).toEqual([0, 1, 2, 3]);
    let drained = () => {};
    first.listener.onRevoking = () => new Promise((resolve) => (drained = resolve));
    const second = member();
    const started = second.source.start(second.listener);
    await until("the drain begins", () => first.listener.revoked.length > 0);
    expect(first.listener.revoked.map((one) => one.partition)).toEqual([2, 3]);
    const moving = first.listener.revoked[0]!;
    await handle.append("orders", 0, numbered(0, 1));
    await handle.append("orders", 2, numbered(0, 1));
    await until("a kept partition goes on", () => first.listener.offsetsOf(0).length === 1);
    await turns(5);
    expect([first.listener.offsetsOf(2), second.listener.leases]).toEqual([[], []]);
    expect(await commit(first.source, moving, 0)).toEqual(["stored"]);
    drained();
    await started;
    expect([owned(first.listener), owned(second.listener)]).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(first.listener.kept).toEqual([]);
    expect(await commit(first.source, moving, 1)).toEqual(["fenced"]);
    expect(second.listener.assignments[0]?.committed).toEqual({ offset: 0, metadata: "" });
    await until("the new owner reads", () => second.listener.offsetsOf(2).length === 1);
  });

  test("R3: a partition whose new owner is gone before it moved is kept", async () => {
    const first = member();
    await first.source.start(first.listener);
    let drained = () => {};
    first.listener.onRevoking = () => new Promise((resolve) => (drained = resolve));
    const second = member();
    const started = second.source.start(second.listener);
    await until("the drain begins", () => first.listener.revoked.length > 0);
    await second.source.stop({ leave: true, signal });
    drained();
    await started;
    await until("the answer came", () => first.listener.kept.length > 0);
    expect(first.listener.kept.map((one) => one.partition)).toEqual([2, 3]);
    expect([first.listener.ended, owned(first.listener)]).toEqual([[], [0, 1, 2, 3]]);
    await handle.append("orders", 3, numbered(0, 1));
    await until("it goes on", () => first.listener.offsetsOf(3).length === 1);
    expect(await commit(first.source, first.listener.leaseOf(3)!, 1)).toEqual(["stored"]);
  });

  test("a member that leaves frees its partitions; the others keep their leases", async () => {
    const first = member();
    await first.source.start(first.listener);
    const second = member();
    await second.source.start(second.listener);
    const before = second.listener.leases.slice();
    await handle.append("orders", 0, numbered(0, 3));
    await until("it came", () => first.listener.offsetsOf(0).length === 3);
    await commit(first.source, first.listener.leaseOf(0)!, 2);
    await first.source.stop({ leave: true, signal });
    first.listener.stopped = true;
    await until("the other has all", () => second.listener.leases.length === 4);
    expect(second.listener.leases.slice(0, 2)).toEqual(before);
    expect(second.listener.revoked).toEqual([]);
    await until("it reads on", () => second.listener.offsetsOf(0).length === 1);
    expect(second.listener.offsetsOf(0)).toEqual([2]);
  });

  test("stop() does not wait for a drain that another member has begun", async () => {
    const first = member();
    await first.source.start(first.listener);
    first.listener.onRevoking = () => new Promise(() => {});
    const second = member();
    const started = second.source.start(second.listener);
    await until("the drain begins", () => first.listener.revoked.length > 0);
    await first.source.stop({ leave: true, signal });
    first.listener.stopped = true;
    await started;
    await until("the second has all", () => second.listener.leases.length === 4);
  });

  test("new partitions of a topic are shared out while it runs", async () => {
    const { source, listener } = member();
    await source.start(listener);
    const again = await openLog(directory, { topics: { orders: { partitions: 5 } } });
    await until("the new one came", () => listener.leases.length === 5);
    await again.append("orders", 4, numbered(0, 1));
    await again.close();
    await until("it is read", () => listener.offsetsOf(4).length === 1);
  });

  test("seek() inside deliver() counts after it, and into the middle of a batch", async () => {
    await handle.append("orders", 0, numbered(0, 6));
    await handle.append("orders", 0, numbered(6, 2));
    const { source, listener } = member();
    let sought = false;
    listener.onDeliver = ({ lease }) => {
      if (sought || lease.partition !== 0) return;
      sought = true;
      source.seek(lease, 4);
      // The listener checks positions after this hook, so it is told in a later turn.
      listener.sought(lease, 4);
    };
    await source.start(listener);
    await until("the end came again", () => listener.offsetsOf(0).length >= 12);
    listener.breaches.length = 0;
    expect(listener.offsetsOf(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]);
  });

  test("commit() refuses metadata that is too long, and answers retry once aborted", async () => {
    const { source, listener } = member();
    await source.start(listener);
    const lease = listener.leaseOf(0)!;
    const entry = (length: number) => [{ lease, offset: 1, metadata: "x".repeat(length) }];
    expect(await source.commit(entry(4097), signal)).toEqual(["too-large"]);
    expect(await source.commit(entry(4096), signal)).toEqual(["stored"]);
    const aborted = AbortSignal.abort();
    expect(await source.commit(entry(1), aborted)).toEqual(["retry"]);
  });

  test("a damaged batch is told as a fatal failure", async () => {
    await handle.append("orders", 0, numbered(0, 2));
    const { writeFileSync, readFileSync } = await import("node:fs");
    const path = `${directory}/topics/1-orders/partitions/0/${"0".repeat(20)}.log`;
    const bytes = readFileSync(path);
    bytes[90] = bytes[90]! ^ 1;
    writeFileSync(path, bytes);
    const { source, listener } = member();
    await source.start(listener);
    await until("it is told", () => listener.failures.length > 0);
    expect(listener.failures.map(({ error, fatal }) => [error.code, fatal])).toEqual([
      ["HEADRACE_LOG_CORRUPT", true],
    ]);
    expect(listener.offsetsOf(0)).toEqual([]);
  });

  test("commits of another process's group are refused while a member runs", async () => {
    const { source, listener } = member();
    await source.start(listener);
    const offsets = [{ partition: 0, offset: 1 }];
    await expect(handle.commit("workers", "orders", offsets)).rejects.toThrow("no member");
    await handle.commit("others", "orders", offsets);
    await source.stop({ leave: true, signal });
    await handle.commit("workers", "orders", offsets);
  });

  test("the log stays open for its last user, then another can open it", async () => {
    const { source, listener } = member();
    await source.start(listener);
    await handle.close();
    const sink = log(directory).sink();
    await sink.open();
    await sink.send([{ topic: "orders", partition: 0, records: numbered(0, 1) }]);
    await until("it came", () => listener.offsetsOf(0).length === 1);
    await sink.close();
    await source.stop({ leave: true, signal });
    rmSync(directory, { recursive: true });
    handle = await openLog(directory);
    expect(await handle.topics()).toEqual([]);
  });

  test("sink: acks 0 answers without offsets, and the records are stored", async () => {
    const sink = log(handle).sink();
    await sink.open();
    const batch = { topic: "orders", partition: 0, records: numbered(0, 2) };
    expect(await sink.send([batch], { ...DELIVERY, acks: 0 })).toEqual([{ baseOffset: undefined }]);
    expect(await sink.send([batch], DELIVERY)).toEqual([{ baseOffset: 2 }]);
    await sink.close();
  });

  test("sink: a compression is refused, and nothing is stored", async () => {
    const sink = log(handle).sink();
    await sink.open();
    const batch = { topic: "orders", partition: 0, records: numbered(0, 2) };
    const [refused] = await sink.send([batch], { ...DELIVERY, compression: "gzip" });
    expect(refused).toMatchObject({ error: { code: "HEADRACE_LOG", retriable: false } });
    expect(await sink.send([batch], DELIVERY)).toEqual([{ baseOffset: 0 }]);
    await sink.close();
  });

  test("sink: one send of a partition is one batch; a missing topic is made", async () => {
    const sink = log(handle).sink();
    await sink.open();
    expect(await sink.partitionCount("orders")).toBe(4);
    expect(await sink.partitionCount("new")).toBe(1);
    const outcomes = await sink.send([
      { topic: "new", partition: 0, records: numbered(0, 3) },
      { topic: "new", partition: 7, records: numbered(0, 1) },
      { topic: "new", partition: 0, records: [{ ...record("", ""), id: new Uint8Array(2) }] },
      { topic: "new", partition: 0, records: numbered(3, 2) },
    ]);
    expect(outcomes.map((one) => ("error" in one ? one.error.code : one.baseOffset))).toEqual([
      0,
      "HEADRACE_LOG",
      "HEADRACE_LOG",
      3,
    ]);
    expect((await handle.read("new", 0, 0)).map(({ count }) => count)).toEqual([3, 2]);
    await sink.close();
    await expect(sink.send([])).rejects.toThrow("sink must be open");
  });

  test("a record that the log cannot take fails alone, whatever it travels with", async () => {
    const producer = createProducer({ sink: log(handle), logger: false });
    const keys = ["a", "k".repeat(70_000), "b"];
    const answers = await Promise.allSettled(
      keys.map((key) => producer.produce({ topic: "one", key, value: "v" })),
    );
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(String((answers[1] as PromiseRejectedResult).reason)).toContain("a key must not exceed");
    await producer.close();
  });

  test("admin: counts, bounds, offsets and new topics", async () => {
    const admin = log(handle).admin();
    await admin.open();
    await handle.append("orders", 1, numbered(0, 3));
    expect([...(await admin.partitionCounts(["orders", "none"]))]).toEqual([["orders", 4]]);
    expect((await admin.logBounds("orders"))[1]).toEqual({ partition: 1, logStart: 0, logEnd: 3 });
    await expect(admin.logBounds("none")).rejects.toThrow(SourceError);
    await admin.createTopic("made", 2);
    expect((await admin.committed("g", "made")).map(({ offset }) => offset)).toEqual([null, null]);
    await admin.close();
  });
});
