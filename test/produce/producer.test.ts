import { describe, expect, test } from "bun:test";
import { ProduceError, SourceError } from "../../src/errors.ts";
import type { ProducerRecord } from "../../src/types.ts";
import { failure, record, setup, watch } from "./setup.ts";

describe("produce()", () => {
  test("resolves with partition and offset when the sink has acknowledged", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const answer = watch(producer.produce(record("a")));
    await clock.advance(1000);
    expect(answer.value).toBe(undefined);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(answer.value).toEqual({ partition: 0, offset: 0 });
    expect(sink.opened).toBe(1);
  });

  test("gives the sink bytes, headers with duplicates, timestamp and id", async () => {
    const { sink, producer, clock } = setup();
    const bytes = new Uint8Array([1, 2]);
    const uuid = "00112233-4455-6677-8899-AABBCCDDEEFF";
    await producer.produce({
      topic: "t",
      key: "ключ",
      value: bytes,
      headers: { a: ["1", bytes], b: "ü" },
      id: uuid,
    });
    await producer.produce({ topic: "t", value: null, timestamp: 5 });
    const utf8 = new TextEncoder();
    expect(sink.requests[0]?.[0]?.records[0]).toEqual({
      key: utf8.encode("ключ"),
      value: bytes,
      headers: [
        ["a", utf8.encode("1")],
        ["a", bytes],
        ["b", utf8.encode("ü")],
      ],
      timestamp: clock.wallTime(),
      id: Uint8Array.from([
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
        0xff,
      ]),
    });
    const empty = { key: null, value: null, headers: [], timestamp: 5, id: null };
    expect(sink.requests[1]?.[0]?.records[0]).toEqual(empty);
  });

  const wrong: [string, unknown, unknown, string][] = [
    ["a record that is no object", "x", TypeError, "a record"],
    ["an empty topic", record("a", { topic: "" }), RangeError, "topic"],
    ["a value that is missing", { topic: "t" }, TypeError, "value"],
    ["a key that is a number", { ...record("a"), key: 7 }, TypeError, "key"],
    ["a header that is null", { ...record("a"), headers: { h: null } }, TypeError, 'headers["h"]'],
    ["a negative partition", record("a", { partition: -1 }), RangeError, "partition"],
    ["a timestamp that is no integer", record("a", { timestamp: 1.5 }), RangeError, "timestamp"],
    ["an id of 15 bytes", record("a", { id: new Uint8Array(15) }), RangeError, "16 bytes"],
    ["an id that is no UUID", record("a", { id: "7" }), RangeError, "UUID"],
    [
      "a partitioning that is none",
      { ...record("a"), partitioning: {} },
      TypeError,
      "partitioning",
    ],
  ];
  for (const [what, given, kind, named] of wrong) {
    test(`rejects, and sends nothing, when it gets ${what}`, async () => {
      const { sink, producer } = setup();
      const error = await failure(producer.produce(given as ProducerRecord));
      expect(error).toBeInstanceOf(kind as typeof Error);
      expect((error as Error).message).toContain(named);
      expect(sink.requests.length).toBe(0);
      await producer.flush();
    });
  }

  test("sends what is produced in one turn as one batch when nothing lingers", async () => {
    const { sink, producer } = setup();
    await Promise.all(["a", "b", "c"].map((value) => producer.produce(record(value))));
    await Promise.all(["d", "e"].map((value) => producer.produce(record(value))));
    expect(sink.sent()).toEqual(["t#0: a b c", "t#0: d e"]);
  });

  test("keeps one request of a partition on its way, and the order of the calls", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const answers = [watch(producer.produce(record("a")))];
    await clock.advance(0);
    for (const value of ["b", "c"]) {
      answers.push(watch(producer.produce(record(value))));
      await clock.advance(0);
    }
    expect(sink.sent()).toEqual(["t#0: a"]);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(sink.sent()).toEqual(["t#0: a", "t#0: b c"]);
    sink.held[1]?.answer();
    await clock.advance(0);
    expect(answers.map(({ value }) => value?.offset)).toEqual([0, 1, 2]);
  });

  test("does not hold back a partition when a request of another one is on its way", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    void producer.produce(record("a", { topic: "two", partition: 0 }));
    await clock.advance(0);
    void producer.produce(record("b", { topic: "two", partition: 1 }));
    await clock.advance(0);
    expect(sink.sent()).toEqual(["two#0: a", "two#1: b"]);
  });

  test("keeps the order of the calls when the number of partitions is not known yet", async () => {
    const { sink, producer, clock } = setup();
    let known = (_: number): void => {};
    sink.onCount = () =>
      new Promise((resolve) => {
        known = resolve;
      });
    const first = producer.produce(record("a"));
    await clock.advance(0);
    const second = producer.produce(record("b"));
    await clock.advance(0);
    known(1);
    await Promise.all([first, second]);
    expect(sink.sent()).toEqual(["t#0: a b"]);
    expect(sink.countAsked).toBe(1);
  });

  test("rejects with a ProduceError that names the partition when the sink refuses the batch", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const answer = failure(producer.produce(record("a")));
    await clock.advance(0);
    const refused = new SourceError("not enough replicas", { retriable: true });
    sink.held[0]?.answer([{ error: refused }]);
    const error = (await answer) as ProduceError;
    expect(error).toBeInstanceOf(ProduceError);
    expect(error.message).toContain("t#0");
    expect(error.cause).toBe(refused);
    expect(error.retriable).toBe(true);
  });

  test("goes on with the next batch when a request was refused as a whole", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const lost = failure(producer.produce(record("a")));
    await clock.advance(0);
    const next = producer.produce(record("b"));
    sink.held[0]?.refuse(new Error("connection closed"));
    expect(await lost).toBeInstanceOf(ProduceError);
    await clock.advance(0);
    sink.held[1]?.answer();
    expect(await next).toEqual({ partition: 0, offset: 0 });
  });

  test("rejects when the sink answers for fewer batches than it got", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const answer = failure(producer.produce(record("a")));
    await clock.advance(0);
    sink.held[0]?.answer([]);
    expect(((await answer) as ProduceError).message).toContain("answers once per batch");
  });

  test("resolves with an undefined offset when the sink acknowledges nothing", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const answer = producer.produce(record("a"));
    await clock.advance(0);
    sink.held[0]?.answer([{ baseOffset: undefined }]);
    expect(await answer).toEqual({ partition: 0, offset: undefined });
  });

  test("rejects when the topic is missing, and asks again for the next record", async () => {
    const { sink, producer } = setup();
    sink.onCount = () => Promise.reject(new SourceError("no such topic"));
    const error = (await failure(producer.produce(record("a")))) as ProduceError;
    expect(error).toBeInstanceOf(ProduceError);
    expect(error.message).toContain("no such topic");
    sink.onCount = async () => 1;
    expect(await producer.produce(record("b"))).toEqual({ partition: 0, offset: 0 });
  });

  test("rejects when the sink cannot be opened, and opens it again for the next record", async () => {
    const { sink, producer } = setup();
    sink.onOpen = () => Promise.reject(new SourceError("no broker"));
    expect(await failure(producer.produce(record("a")))).toBeInstanceOf(ProduceError);
    sink.onOpen = async () => {};
    expect((await producer.produce(record("b"))).offset).toBe(0);
    expect([sink.opened, sink.closed]).toEqual([2, 1]);
  });

  test("asks for the number of partitions again after five minutes", async () => {
    const { sink, producer, clock } = setup({
      partitioning: { calculatePartitionId: (_t, _r, n) => n - 1 },
    });
    await producer.produce(record("a"));
    sink.counts.t = 3;
    await clock.advance(299_999);
    await producer.produce(record("b"));
    expect(sink.countAsked).toBe(1);
    await clock.advance(1);
    await producer.produce(record("c"));
    await clock.advance(0);
    expect((await producer.produce(record("d"))).partition).toBe(2);
    expect(sink.sent()).toEqual(["t#0: a", "t#0: b", "t#0: c", "t#2: d"]);
  });
});

describe("partitioning", () => {
  test("an explicit partition wins over any partitioning", async () => {
    const partitioning = { calculatePartitionId: () => 0 };
    const { producer } = setup({ partitioning });
    const given = record("a", { topic: "two", partition: 1, partitioning });
    expect((await producer.produce(given)).partition).toBe(1);
  });

  test("a record's own partitioning wins over the producer's, and gets topic, record and count", async () => {
    const { producer } = setup({ partitioning: { calculatePartitionId: () => 0 } });
    const seen: unknown[] = [];
    const calculatePartitionId = (...given: unknown[]): number => {
      seen.push(...given);
      return 1;
    };
    const given = record("a", { topic: "two", partitioning: { calculatePartitionId } });
    expect((await producer.produce(given)).partition).toBe(1);
    expect(seen).toEqual(["two", given, 2]);
  });

  for (const answer of [2, -1, 0.5, Number.NaN, "1", undefined, Promise.resolve(1)]) {
    test(`an answer of ${String(answer)} fails the record and names the rule`, async () => {
      const partitioning = { calculatePartitionId: () => answer as number };
      const { sink, producer } = setup({ partitioning });
      const error = (await failure(
        producer.produce(record("a", { topic: "two" })),
      )) as ProduceError;
      expect(error).toBeInstanceOf(ProduceError);
      expect(error.message).toContain("calculatePartitionId");
      expect(error.message).toContain("[0, 2)");
      expect(error.cause).toBeInstanceOf(RangeError);
      expect(sink.requests.length).toBe(0);
    });
  }

  test("a partitioning that throws fails the record with its error as the cause", async () => {
    const boom = new Error("boom");
    const partitioning = {
      calculatePartitionId: () => {
        throw boom;
      },
    };
    const { producer } = setup({ partitioning });
    expect(((await failure(producer.produce(record("a")))) as ProduceError).cause).toBe(boom);
  });

  test("an explicit partition that the topic lacks fails the record", async () => {
    const { producer } = setup();
    const error = (await failure(producer.produce(record("a", { partition: 1 })))) as ProduceError;
    expect(error.message).toContain("partition must be an integer in [0, 1): received 1");
  });
});

describe("produceMany()", () => {
  test("sends one batch per partition, and answers in the order of the records", async () => {
    const { sink, producer } = setup({ linger: { maxMessages: 2, maxBytes: 100 } });
    const records = [1, 0, 1, 0, 1].map((partition, i) =>
      record(String(i), { topic: "two", partition }),
    );
    expect(await producer.produceMany(records)).toEqual([
      { partition: 1, offset: 0 },
      { partition: 0, offset: 0 },
      { partition: 1, offset: 1 },
      { partition: 0, offset: 1 },
      { partition: 1, offset: 2 },
    ]);
    expect(sink.requests.length).toBe(1);
    expect(sink.sent()).toEqual(["two#1: 0 2 4", "two#0: 1 3"]);
  });

  test("small batches of one turn travel together, large ones by themselves", async () => {
    const { sink, producer, clock } = setup({}, { t: 6, two: 1 });
    sink.hold = true;
    const sizes = [999, 1, 1, 1000, 1, 1];
    for (const [partition, size] of sizes.entries()) {
      void producer.produceMany(Array.from({ length: size }, () => record("a", { partition })));
    }
    await clock.advance(0);
    const sent = sink.requests.map((batches) => batches.map(({ partition }) => partition));
    expect(sent).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    // The answer of one is not waited for by the others' partitions.
    void producer.produce(record("b", { partition: 0 }));
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(sink.requests.length).toBe(4);
  });

  test("takes records of several topics", async () => {
    const { producer } = setup();
    const records = [record("a"), record("b", { topic: "two", partition: 1 }), record("c")];
    expect((await producer.produceMany(records)).map(({ offset }) => offset)).toEqual([0, 0, 1]);
  });

  test("answers where each record is, when the sink says that some were stored before", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const first = watch(producer.produceMany([record("a"), record("b")]));
    const second = watch(producer.produce(record("c")));
    await clock.advance(0);
    expect(sink.sent()).toEqual(["t#0: a b c"]);
    sink.held[0]?.answer([{ baseOffset: 40, offsets: [40, 7, 41] }]);
    await clock.advance(0);
    expect(first.value).toEqual([
      { partition: 0, offset: 40 },
      { partition: 0, offset: 7 },
    ]);
    expect(second.value).toEqual({ partition: 0, offset: 41 });
  });

  test("answers an empty list when there is nothing to send", async () => {
    const { sink, producer } = setup();
    expect(await producer.produceMany([])).toEqual([]);
    expect(sink.opened).toBe(0);
  });

  test("sends nothing when one record is wrong", async () => {
    const { sink, producer } = setup();
    const wrong = { topic: "t" } as ProducerRecord;
    await expect(producer.produceMany([record("a"), wrong])).rejects.toThrow(TypeError);
    expect(sink.requests.length).toBe(0);
  });

  test("sends nothing of a topic when one of its records gets no partition", async () => {
    const { sink, producer } = setup();
    const records = [record("a"), record("b", { partition: 9 })];
    await expect(producer.produceMany(records)).rejects.toThrow(ProduceError);
    expect(sink.requests.length).toBe(0);
  });

  test("rejects with the first failure when all its records have settled", async () => {
    const { sink, producer, clock } = setup();
    sink.hold = true;
    const answer = watch(
      producer.produceMany([0, 1].map((partition) => record("a", { topic: "two", partition }))),
    );
    await clock.advance(0);
    sink.held[0]?.answer([{ error: new SourceError("refused") }, { baseOffset: 0 }]);
    await clock.advance(0);
    expect(answer.error).toBeInstanceOf(ProduceError);
    expect((answer.error as Error).message).toContain("two#0");
  });
});
