import { describe, expect, test } from "bun:test";
import { CapacityError, ClosedError, SourceError } from "../../src/errors.ts";
import type { ProducerEvents } from "../../src/produce/producer-events.ts";
import type { ProducerRecord } from "../../src/types.ts";
import { failure, record, setup, watch } from "./setup.ts";

describe("produceAsync()", () => {
  test("returns at once, and the record leaves with the others of its turn", async () => {
    const { sink, producer, clock } = setup();
    expect(producer.produceAsync(record("a"))).toBe(undefined);
    void producer.produce(record("b"));
    producer.produceAsync(record("c"));
    expect(sink.requests.length).toBe(0);
    await clock.advance(0);
    expect(sink.sent()).toEqual(["t#0: a b c"]);
  });

  test("is waited for by flush()", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 1000 } });
    sink.hold = true;
    producer.produceAsync(record("a"));
    const flushed = watch(producer.flush().then(() => "flushed"));
    await clock.advance(0);
    expect([sink.sent(), flushed.value]).toEqual([["t#0: a"], undefined]);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(flushed.value).toBe("flushed");
  });

  test("flush() does not wait for what came after it", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    producer.produceAsync(record("a"));
    const first = watch(producer.flush().then(() => "flushed"));
    await clock.advance(0);
    producer.produceAsync(record("b"));
    const second = watch(producer.flush().then(() => "flushed"));
    sink.held[0]?.answer();
    await clock.advance(0);
    expect([first.value, second.value]).toEqual(["flushed", undefined]);
    sink.held[1]?.answer();
    await clock.advance(0);
    expect(second.value).toBe("flushed");
  });

  test("throws a CapacityError when the buffer is full, and takes the record when there is room", async () => {
    const { sink, producer, clock } = setup({
      maxBufferedBytes: 200,
      linger: { ms: 1000 },
    });
    sink.hold = true;
    const value = "x".repeat(36);
    for (let i = 0; i < 2; i++) producer.produceAsync(record(value));
    const full = (): void => producer.produceAsync(record(value));
    expect(full).toThrow(CapacityError);
    expect(full).toThrow("maxBufferedBytes: 200");
    expect(producer.stats()).toMatchObject({ bufferedBytes: 200, bufferedRecords: 2 });
    const flushed = producer.flush();
    await clock.advance(0);
    sink.held[0]?.answer();
    await flushed;
    producer.produceAsync(record(value));
    expect(producer.stats().bufferedRecords).toBe(1);
  });

  test("does not overtake a produce() that waits for room", async () => {
    const { sink, producer, clock } = setup({ maxBufferedBytes: 200 });
    sink.hold = true;
    void producer.produce(record("x".repeat(136)));
    void producer.produce(record("y".repeat(100)));
    expect(() => producer.produceAsync(record(""))).toThrow(CapacityError);
    await clock.advance(0);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(sink.requests.length).toBe(2);
  });

  test("tells a failure by the event `error`, once per record, and flush() lists it", async () => {
    const { sink, producer } = setup();
    sink.send = async (batches) => batches.map(() => ({ error: new SourceError("refused") }));
    const seen: ProducerEvents["error"][] = [];
    producer.on("error", (event) => seen.push(event));
    const [one, two] = [record("a", { key: "k" }), record("b")];
    producer.produceAsync(one);
    producer.produceAsync(two);
    const error = (await failure(producer.flush())) as AggregateError;
    expect(error.errors.length).toBe(2);
    expect(seen.map((event) => event.record)).toEqual([one, two]);
    expect(seen[0]).toMatchObject({
      topic: "t",
      partition: 0,
      error: { name: "ProduceError", code: "HEADRACE_PRODUCE" },
    });
    expect((seen[0]!.error as { error?: unknown }).error).toBe(error.errors[0]);
  });

  test("tells a failure without a partition by the event `error`, with null", async () => {
    const { producer } = setup({ partitioning: { calculatePartitionId: () => -1 } });
    const seen: ProducerEvents["error"][] = [];
    producer.on("error", (event) => seen.push(event));
    producer.produceAsync(record("a"));
    await failure(producer.flush());
    expect(seen.map(({ partition }) => partition)).toEqual([null]);
  });

  test("the failure of a produce() is no event: its promise tells", async () => {
    const { producer } = setup({ partitioning: { calculatePartitionId: () => -1 } });
    let events = 0;
    producer.on("error", () => events++);
    await failure(producer.produce(record("a")));
    expect(events).toBe(0);
  });

  test("throws, and sends nothing, when the record is wrong or the producer closed", async () => {
    const { sink, producer } = setup();
    expect(() => producer.produceAsync({ topic: "t" } as ProducerRecord)).toThrow(TypeError);
    await producer.close();
    expect(() => producer.produceAsync(record("a"))).toThrow(ClosedError);
    expect(sink.requests.length).toBe(0);
  });

  test("a thousand records of one turn come in batches, complete and in order", async () => {
    const { sink, producer } = setup({ linger: { ms: 5, maxMessages: 100 } });
    for (let i = 0; i < 1000; i++) producer.produceAsync(record(String(i)));
    await producer.flush();
    expect(sink.requests.length).toBe(10);
    const values = sink.requests.flat().flatMap(({ records }) => records.map((one) => one.value));
    const texts = values.map((value) => new TextDecoder().decode(value!));
    expect(texts).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
  });
});

describe("on()", () => {
  test("delivered reports each batch with records, offsets and times", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 10 } });
    sink.hold = true;
    const seen: ProducerEvents["delivered"][] = [];
    const remove = producer.on("delivered", (event) => seen.push(event));
    const [one, two] = [record("a"), record("b")];
    producer.produceAsync(one);
    await clock.advance(4);
    producer.produceAsync(two);
    await clock.advance(6);
    await clock.advance(30);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(seen).toEqual([
      {
        topic: "t",
        partition: 0,
        records: [one, two],
        offsets: [0, 1],
        attempts: 1,
        queueTimeMs: 10,
        requestLatencyMs: 30,
      },
    ]);
    remove();
    sink.hold = false;
    producer.produceAsync(record("c"));
    await producer.flush();
    expect(seen.length).toBe(1);
  });

  test("a listener that throws does not stop the producer", async () => {
    const { producer } = setup();
    producer.on("delivered", () => {
      throw new Error("listener");
    });
    expect(await producer.produce(record("a"))).toEqual({ partition: 0, offset: 0 });
  });

  test("throws for an event that there is not, and for a listener that is none", () => {
    const { producer } = setup();
    expect(() => producer.on("sent" as never, () => {})).toThrow(RangeError);
    expect(() => producer.on("error", 1 as never)).toThrow(TypeError);
  });
});

describe("stats()", () => {
  test("counts records, batches, failures and times", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 10 } });
    sink.hold = true;
    for (const value of ["a", "b", "c"]) producer.produceAsync(record(value));
    void producer.produceMany([record("d", { topic: "two", partition: 1 })]);
    await clock.advance(10);
    expect(producer.stats()).toMatchObject({ bufferedRecords: 4, batchesInFlight: 2 });
    await clock.advance(5);
    sink.held[0]?.answer();
    sink.held[1]?.answer([{ error: new SourceError("refused") }]);
    await clock.advance(0);
    expect(producer.stats()).toEqual({
      bufferedBytes: 0,
      bufferedRecords: 0,
      batchesInFlight: 0,
      delivered: 3,
      failed: 1,
      batches: 1,
      retries: 0,
      batchRecords: { p50: 3, p99: 3, max: 3 },
      queueTimeMs: { p50: 10, p99: 10, max: 10 },
      requestLatencyMs: { p50: 5, p99: 5, max: 5 },
    });
  });
});
