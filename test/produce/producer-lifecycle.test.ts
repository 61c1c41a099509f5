import { describe, expect, test } from "bun:test";
import { ClosedError, ProduceError, SourceError } from "../../src/errors.ts";
import { createProducer, type Producer } from "../../src/produce/producer.ts";
import type { ProducerOptions } from "../../src/produce/producer-options.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import { FakeSink } from "./fake-sink.ts";
import { failure, record, setup, watch } from "./setup.ts";

describe("linger", () => {
  test("ms holds records back for that long, counted from the first", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 10 } });
    void producer.produce(record("a"));
    await clock.advance(6);
    void producer.produce(record("b"));
    await clock.advance(3);
    expect(sink.sent()).toEqual([]);
    await clock.advance(1);
    expect(sink.sent()).toEqual(["t#0: a b"]);
    void producer.produce(record("c"));
    await clock.advance(9);
    expect(sink.sent().length).toBe(1);
    await clock.advance(1);
    expect(sink.sent()[1]).toBe("t#0: c");
    expect(clock.pendingTimers()).toBe(0);
  });

  test("maxMessages ends the wait, and bounds a batch", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 10, maxMessages: 2 } });
    for (const value of ["a", "b", "c"]) void producer.produce(record(value));
    await clock.advance(0);
    expect(sink.sent()).toEqual(["t#0: a b"]);
    await clock.advance(10);
    expect(sink.sent()).toEqual(["t#0: a b", "t#0: c"]);
  });

  test("maxBytes ends the wait, and bounds a batch", async () => {
    // 64 + 36 bytes each.
    const { sink, producer, clock } = setup({ linger: { ms: 10, maxBytes: 200 } });
    const value = "x".repeat(36);
    void producer.produce(record(value));
    await clock.advance(1);
    expect(sink.requests.length).toBe(0);
    for (let i = 0; i < 2; i++) void producer.produce(record(value));
    await clock.advance(0);
    expect(sink.requests.map(([batch]) => batch?.records.length)).toEqual([2]);
  });

  test("a time that ran out during a request sends the rest when the request settles", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 10 } });
    sink.hold = true;
    void producer.produce(record("a"));
    await clock.advance(10);
    void producer.produce(record("b"));
    await clock.advance(50);
    expect(sink.sent()).toEqual(["t#0: a"]);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(sink.sent()).toEqual(["t#0: a", "t#0: b"]);
  });
});

describe("maxBufferedBytes", () => {
  const big = "x".repeat(36);

  test("produce() waits above it, and goes on in order when bytes are acknowledged", async () => {
    const { sink, producer, clock } = setup({ maxBufferedBytes: 200 });
    sink.hold = true;
    for (const end of ["a", "b", "c", "d"]) void producer.produce(record(big.slice(1) + end));
    await clock.advance(0);
    expect(sink.held[0]?.batches[0]?.records.length).toBe(2);
    expect(sink.requests.length).toBe(1);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(sink.sent()[1]).toBe(`t#0: ${big.slice(1)}c ${big.slice(1)}d`);
  });

  test("a record larger than it is sent alone", async () => {
    const { producer } = setup({ maxBufferedBytes: 1 });
    const results = await Promise.all([1, 2, 3].map(() => producer.produce(record(big))));
    expect(results.map(({ offset }) => offset)).toEqual([0, 1, 2]);
  });

  test("nothing lingers while somebody waits", async () => {
    const { sink, producer, clock } = setup({ maxBufferedBytes: 100, linger: { ms: 1000 } });
    void producer.produce(record(big));
    await clock.advance(0);
    expect(sink.requests.length).toBe(0);
    void producer.produce(record(big));
    await clock.advance(0);
    expect(sink.requests.length).toBe(1);
  });

  test("twenty thousand waiting records that fail at once leave in turn", async () => {
    const partitioning = { calculatePartitionId: () => -1 };
    const { sink, producer, clock } = setup({ maxBufferedBytes: 1, partitioning });
    sink.hold = true;
    void producer.produce(record(big, { partition: 0 }));
    await clock.advance(0);
    const all = Array.from({ length: 20_000 }, () => producer.produce(record(big)));
    sink.held[0]?.answer();
    const settled = await Promise.allSettled(all);
    const reasons = settled.map((one) => one.status === "rejected" && one.reason);
    expect(reasons.every((reason) => String(reason).includes("calculatePartitionId"))).toBe(true);
  });
});

describe("flush()", () => {
  test("sends what lingers, and settles when it is acknowledged", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 1000 } });
    sink.hold = true;
    void producer.produce(record("a"));
    const flushed = watch(producer.flush().then(() => "flushed"));
    await clock.advance(0);
    expect(sink.sent()).toEqual(["t#0: a"]);
    expect(flushed.value).toBe(undefined);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(flushed.value).toBe("flushed");
  });

  test("sends what has lingered for a while", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 1000 } });
    void producer.produce(record("a"));
    await clock.advance(500);
    expect(sink.requests.length).toBe(0);
    await producer.flush();
    expect(sink.sent()).toEqual(["t#0: a"]);
  });

  test("rejects with an AggregateError of the ProduceErrors since the last flush", async () => {
    const { sink, producer } = setup();
    const sending = sink.send.bind(sink);
    sink.send = async (batches) => batches.map(() => ({ error: new SourceError("refused") }));
    // Nobody watches this one.
    void producer.produce(record("a"));
    const watched = failure(producer.produce(record("b")));
    const error = (await failure(producer.flush())) as AggregateError;
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.errors.length).toBe(2);
    expect(error.errors[0]).toBeInstanceOf(ProduceError);
    expect(error.errors[1]).toBe(await watched);
    sink.send = sending;
    await producer.produce(record("c"));
    await producer.flush();
  });

  test("lists a thousand failures at most, and says how many there were", async () => {
    const { producer } = setup({ partitioning: { calculatePartitionId: () => -1 } });
    void producer.produceMany(Array.from({ length: 1500 }, () => record("a")));
    const error = (await failure(producer.flush())) as AggregateError;
    expect(error.errors.length).toBe(1000);
    expect(error.message).toContain("1500");
  });

  test("settles at once when nothing was produced", async () => {
    const { sink, producer } = setup();
    await producer.flush();
    expect(sink.opened).toBe(0);
  });
});

describe("close()", () => {
  test("sends the rest, waits for it, and closes the sink", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 1000 } });
    sink.hold = true;
    const answer = watch(producer.produce(record("a")));
    const closed = producer.close();
    await clock.advance(0);
    expect([sink.requests.length, sink.closed]).toEqual([1, 0]);
    sink.held[0]?.answer();
    await closed;
    expect(answer.value).toEqual({ partition: 0, offset: 0 });
    expect(sink.closed).toBe(1);
    expect(clock.pendingTimers()).toBe(0);
  });

  test("makes every later call reject with a ClosedError, and is idempotent", async () => {
    const { sink, producer } = setup();
    await producer.produce(record("a"));
    await Promise.all([producer.close(), producer.close()]);
    await producer.close();
    expect(sink.closed).toBe(1);
    await expect(producer.produce(record("b"))).rejects.toThrow(ClosedError);
    await expect(producer.produceMany([record("b")])).rejects.toThrow(ClosedError);
    await expect(producer.flush()).rejects.toThrow(ClosedError);
  });

  test("does not open a sink that was never used", async () => {
    const { sink, producer } = setup();
    await producer.close();
    expect([sink.opened, sink.closed]).toEqual([0, 0]);
  });
});

describe("createProducer()", () => {
  const sink = new FakeSink({}).factory;
  const wrong: [string, unknown, typeof Error, string][] = [
    ["no options", undefined, TypeError, "options"],
    ["no sink", {}, TypeError, "sink"],
    ["a source without a sink", { sink: { open() {} } }, TypeError, "sink.sink"],
    ["an option it does not know", { sink, brokers: 0 }, TypeError, '"brokers"'],
    ["a partitioning that is none", { sink, partitioning: {} }, TypeError, "calculatePartitionId"],
    ["a negative linger", { sink, linger: { ms: -1 } }, RangeError, "linger.ms"],
    ["a linger of 0 messages", { sink, linger: { maxMessages: 0 } }, RangeError, "maxMessages"],
    ["a linger of 0 bytes", { sink, linger: { maxBytes: 0 } }, RangeError, "linger.maxBytes"],
    ["a linger it does not know", { sink, linger: { size: 1 } }, TypeError, '"size"'],
    ["a buffer that is text", { sink, maxBufferedBytes: "1" }, TypeError, "maxBufferedBytes"],
    ["a clock that is none", { sink, clock: {} }, TypeError, "clock"],
    ["a logger that is none", { sink, logger: {} }, TypeError, "logger"],
  ];
  for (const [what, options, kind, named] of wrong) {
    test(`throws and names the option when it gets ${what}`, () => {
      const make = (): Producer => createProducer(options as ProducerOptions);
      expect(make).toThrow(kind);
      expect(make).toThrow(named);
    });
  }

  test("tells the logger of failures, once per batch", async () => {
    const lines: unknown[] = [];
    const note = (): void => {};
    const logger = {
      debug: note,
      info: note,
      error: note,
      warn: (message: string, fields?: object) => lines.push([message, fields]),
    };
    const { producer } = setup({ logger, partitioning: { calculatePartitionId: () => -1 } });
    await failure(producer.produceMany([record("a"), record("b")]));
    expect(lines.length).toBe(1);
    expect(lines[0]).toContainEqual({ records: 2 });
  });

  test("writes to a memory source", async () => {
    const memory = memorySource({ topics: { t: 2 } });
    const producer = createProducer({ sink: memory.source, logger: false });
    const { partition, offset } = await producer.produce(record("a", { key: "k" }));
    expect(memory.records("t", partition)[offset as number]?.value).toEqual(
      new TextEncoder().encode("a"),
    );
  });
});
