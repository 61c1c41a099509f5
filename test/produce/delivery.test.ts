import { describe, expect, test } from "bun:test";
import { ClosedError, ProduceError, SourceError } from "../../src/errors.ts";
import type { DeliveryOptions } from "../../src/produce/delivery.ts";
import type { ProducerEvents } from "../../src/produce/producer-events.ts";
import type { Delivery, SinkBatch, SinkOutcome } from "../../src/source/source.ts";
import { failure, record, type Setup, setup, watch } from "./setup.ts";

/** Answers each sending of a batch as the list says; then the batch is stored. */
function failing(given: Setup, ...causes: SinkOutcome[]): SinkBatch[] {
  const { sink } = given;
  const seen: SinkBatch[] = [];
  const store = sink.send.bind(sink);
  sink.send = (batches) => {
    seen.push(...batches);
    const cause = causes.shift();
    return cause === undefined ? store(batches) : Promise.resolve(batches.map(() => cause));
  };
  return seen;
}

const away: SinkOutcome = {
  error: new SourceError("no broker", { retriable: true }),
  sendAgain: true,
};

describe("sending again", () => {
  test("a batch that may be sent again is, the same object, with growing waits", async () => {
    const given = setup();
    const seen = failing(given, away, away, away);
    const answer = watch(given.producer.produce(record("a")));
    await given.clock.advance(0);
    expect(seen.length).toBe(1);
    await given.clock.advance(99);
    expect(seen.length).toBe(1);
    await given.clock.advance(1);
    expect(seen.length).toBe(2);
    await given.clock.advance(200);
    await given.clock.advance(400);
    expect(seen.length).toBe(4);
    expect(new Set(seen).size).toBe(1);
    expect(answer.value).toEqual({ partition: 0, offset: 0 });
    expect(given.producer.stats()).toMatchObject({ retries: 3, delivered: 1, failed: 0 });
  });

  test("later records of the partition wait for it, those of others do not", async () => {
    const given = setup();
    failing(given, away);
    for (const value of ["a", "b"]) {
      given.producer.produceAsync(record(value, { topic: "two", partition: 0 }));
      await given.clock.advance(0);
    }
    given.producer.produceAsync(record("c", { topic: "two", partition: 1 }));
    await given.clock.advance(0);
    expect(given.sink.sent()).toEqual(["two#1: c"]);
    await given.clock.advance(100);
    expect(given.sink.sent()).toEqual(["two#1: c", "two#0: a", "two#0: b"]);
  });

  test("a batch that may not be sent again fails at once, whatever its error says", async () => {
    const given = setup();
    const error = new SourceError("refused", { retriable: true });
    const seen = failing(given, { error });
    expect(await failure(given.producer.produce(record("a")))).toBeInstanceOf(ProduceError);
    expect(seen.length).toBe(1);
  });

  test("ends with deliveryTimeoutMs; what waited behind fails without being sent", async () => {
    const given = setup({ deliveryTimeoutMs: 250 });
    const seen = failing(given, away, away, away, away);
    const first = watch(given.producer.produce(record("a")));
    await given.clock.advance(0);
    const second = watch(given.producer.produce(record("b")));
    await given.clock.advance(100);
    // 200 ms more would be past the end.
    expect(first.error).toBeInstanceOf(ProduceError);
    expect((first.error as ProduceError).retriable).toBe(true);
    expect(seen.length).toBe(3);
    await given.clock.advance(1000);
    expect(second.error).toBeInstanceOf(ProduceError);
  });

  test("what waited behind for longer than deliveryTimeoutMs fails without being sent", async () => {
    const given = setup({ deliveryTimeoutMs: 1000 });
    given.sink.hold = true;
    void given.producer.produce(record("a"));
    await given.clock.advance(0);
    const second = watch(given.producer.produce(record("b")));
    await given.clock.advance(1500);
    const third = watch(given.producer.produce(record("c")));
    given.sink.held[0]?.answer();
    await given.clock.advance(0);
    expect((second.error as Error).message).toContain("deliveryTimeoutMs");
    expect((second.error as Error).message).toContain("more than 1000 ms");
    given.sink.held[1]?.answer();
    await given.clock.advance(0);
    expect(given.sink.sent()).toEqual(["t#0: a", "t#0: c"]);
    expect(third.value).toEqual({ partition: 0, offset: 1 });
  });

  test("deliveryTimeoutMs 0 sends everything once", async () => {
    const given = setup({ deliveryTimeoutMs: 0 });
    const seen = failing(given, away);
    expect(await failure(given.producer.produce(record("a")))).toBeInstanceOf(ProduceError);
    await given.clock.advance(5);
    await given.producer.produce(record("b"));
    expect(seen.length).toBe(2);
  });

  test("is told by the event `retried`, and once to the logger", async () => {
    const warnings: string[] = [];
    const silent = (): void => {};
    const logger = {
      debug: silent,
      info: silent,
      error: silent,
      warn: (message: string) => void warnings.push(message),
    };
    const given = setup({ logger });
    failing(given, away, away);
    const seen: ProducerEvents["retried"][] = [];
    given.producer.on("retried", (event) => seen.push(event));
    given.producer.produceAsync(record("a"));
    given.producer.produceAsync(record("b"));
    await given.clock.advance(300);
    expect(seen.map(({ attempts, count }) => [attempts, count])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(seen[0]?.error.message).toBe("no broker");
    expect(warnings).toEqual(["A batch for t#0 is sent again: no broker"]);
  });
});

describe("variant()", () => {
  const base: Delivery = {
    acks: -1,
    compression: "none",
    idempotent: false,
    requestTimeoutMs: 30_000,
  };
  function noted(given: Setup): Delivery[] {
    const seen: Delivery[] = [];
    const send = given.sink.send.bind(given.sink);
    given.sink.send = (batches, delivery?: Delivery) => {
      if (delivery !== undefined) seen.push(delivery);
      return send(batches);
    };
    return seen;
  }

  test("sends with its own settings over the same sink, and takes the rest from its base", async () => {
    const given = setup({ requestTimeoutMs: 7 });
    const seen = noted(given);
    const fast = given.producer.variant({ acks: 0, compression: "lz4" });
    await given.producer.produce(record("a"));
    await fast.produce(record("b"));
    await fast.variant({ acks: 1 }).produce(record("c"));
    expect(seen).toMatchObject([
      { ...base, requestTimeoutMs: 7 },
      { ...base, requestTimeoutMs: 7, acks: 0, compression: "lz4" },
      { ...base, requestTimeoutMs: 7, acks: 1, compression: "lz4" },
    ]);
    expect(given.sink.opened).toBe(1);
  });

  test("keeps the order of the calls, and mixes no batches", async () => {
    const given = setup();
    const seen = noted(given);
    const exact = given.producer.variant({ idempotent: true });
    for (const value of ["a", "b"]) given.producer.produceAsync(record(value));
    for (const value of ["c", "d"]) exact.produceAsync(record(value));
    given.producer.produceAsync(record("e"));
    await given.producer.flush();
    expect(given.sink.sent()).toEqual(["t#0: a b", "t#0: c d", "t#0: e"]);
    expect(seen.map(({ idempotent }) => idempotent)).toEqual([false, true, false]);
  });

  test("shares flush(), close(), stats() and events with its base", async () => {
    const { sink, producer } = setup({ linger: { ms: 1000 } });
    const variant = producer.variant({ acks: 1 });
    let delivered = 0;
    variant.on("delivered", () => delivered++);
    producer.produceAsync(record("a"));
    await variant.flush();
    expect([delivered, variant.stats().delivered]).toEqual([1, 1]);
    await variant.close();
    expect(sink.closed).toBe(1);
    await expect(producer.produce(record("b"))).rejects.toThrow(ClosedError);
  });

  const wrong: [string, unknown, typeof Error, string][] = [
    ["nothing", undefined, TypeError, "options"],
    ["a setting it does not know", { linger: {} }, TypeError, '"linger"'],
    ["acks 2", { acks: 2 }, RangeError, "acks"],
    ["acks that is no level", { acks: true }, TypeError, "acks"],
    ["a compression that there is not", { compression: "brotli" }, RangeError, '"zstd"'],
    ["idempotence with acks 1", { idempotent: true, acks: 1 }, RangeError, "idempotent"],
    ["idempotence that is text", { idempotent: "yes" }, TypeError, "idempotent"],
    ["a request timeout of 0", { requestTimeoutMs: 0 }, RangeError, "requestTimeoutMs"],
    ["a negative delivery timeout", { deliveryTimeoutMs: -1 }, RangeError, "deliveryTimeoutMs"],
  ];
  for (const [what, options, kind, named] of wrong) {
    test(`throws and names the option when it gets ${what}`, () => {
      const { producer } = setup();
      const make = (): unknown => producer.variant(options as DeliveryOptions);
      expect(make).toThrow(kind);
      expect(make).toThrow(named);
    });
  }

  test("acks 1 of an idempotent producer must give up idempotence by name", async () => {
    const { producer } = setup({ idempotent: true });
    expect(() => producer.variant({ acks: 1 })).toThrow("idempotent");
    const variant = producer.variant({ acks: 1, idempotent: false });
    expect((await variant.produce(record("a"))).offset).toBe(0);
  });
});

describe("close({ drainTimeoutMs })", () => {
  test("fails what is not stored by then, ignores late answers, and closes the sink", async () => {
    const { sink, producer, clock } = setup({ linger: { ms: 10_000 } });
    sink.hold = true;
    const first = watch(producer.produce(record("a")));
    await clock.advance(10_000);
    const second = watch(producer.produce(record("b")));
    const closed = watch(producer.close({ drainTimeoutMs: 500 }).then(() => "closed"));
    await clock.advance(499);
    expect([first.error, closed.value]).toEqual([undefined, undefined]);
    await clock.advance(1);
    for (const { error } of [first, second]) {
      expect((error as Error).message).toContain("close()");
      expect((error as Error).message).toContain("500 ms");
    }
    expect([closed.value, sink.closed]).toEqual(["closed", 1]);
    sink.held[0]?.answer();
    await clock.advance(0);
    expect(first.value).toBe(undefined);
    expect(producer.stats()).toMatchObject({ bufferedBytes: 0, bufferedRecords: 0, failed: 2 });
    expect(clock.pendingTimers()).toBe(0);
  });

  test("ends the wait of a batch that is to be sent again", async () => {
    const given = setup();
    failing(given, away, away, away, away);
    const answer = watch(given.producer.produce(record("a")));
    await given.clock.advance(0);
    const closed = watch(given.producer.close({ drainTimeoutMs: 50 }).then(() => "closed"));
    await given.clock.advance(50);
    expect(answer.error).toBeInstanceOf(ProduceError);
    expect(closed.value).toBe("closed");
    expect(given.clock.pendingTimers()).toBe(0);
  });

  test("rejects, and closes nothing, when it is no time", async () => {
    const { producer } = setup();
    await expect(producer.close({ drainTimeoutMs: -1 })).rejects.toThrow(RangeError);
    await producer.produce(record("a"));
  });
});

describe("parting of calls", () => {
  test("produceMany() is parted by the limits over a sink that asks for it, in order", async () => {
    const { sink, producer } = setup({ linger: { maxMessages: 2 } });
    Object.assign(sink, { partsCalls: true });
    const values = ["a", "b", "c", "d", "e"];
    const results = await producer.produceMany(values.map((value) => record(value)));
    expect(sink.sent()).toEqual(["t#0: a b", "t#0: c d", "t#0: e"]);
    expect(results.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
  });

  test("by bytes, where a larger record goes alone", async () => {
    const { sink, producer } = setup({ linger: { maxBytes: 200 } });
    Object.assign(sink, { partsCalls: true });
    const sizes = [36, 36, 36, 500, 1];
    await producer.produceMany(sizes.map((size) => record("x".repeat(size))));
    expect(sink.requests.flat().map(({ records }) => records.length)).toEqual([2, 1, 1, 1]);
  });
});

describe("a refused batch", () => {
  const bad = (batch: SinkBatch): boolean =>
    batch.records.some(({ value }) => new TextDecoder().decode(value!) === "bad");
  function refusing(given: Setup): void {
    const { sink } = given;
    const store = sink.send.bind(sink);
    sink.send = async (batches) => {
      const refused = { error: new SourceError("too large"), sendParts: true };
      if (batches.some(bad)) return batches.map(() => refused);
      return store(batches);
    };
  }

  test("is sent in parts when its records are the cause: only the bad ones fail, in order", async () => {
    const given = setup();
    refusing(given);
    const values = ["a", "b", "bad", "c", "d", "bad", "e"];
    const answers = values.map((value) => watch(given.producer.produce(record(value))));
    await given.clock.advance(0);
    const late = watch(given.producer.produce(record("f")));
    await given.producer.flush().catch(() => {});
    const offsets = answers.map(({ value, error }) => (error ? "failed" : value?.offset));
    expect(offsets).toEqual([0, 1, "failed", 2, 3, "failed", 4]);
    expect(late.value?.offset).toBe(5);
    expect(given.producer.stats()).toMatchObject({ delivered: 6, failed: 2, bufferedBytes: 0 });
  });

  test("the records of one produceMany() are not parted for it", async () => {
    const given = setup();
    refusing(given);
    const many = failure(given.producer.produceMany([record("a"), record("bad")]));
    const one = given.producer.produce(record("b"));
    expect(await many).toBeInstanceOf(ProduceError);
    expect(await one).toEqual({ partition: 0, offset: 0 });
  });

  test("close({ drainTimeoutMs }) fails the parts that are left", async () => {
    const given = setup();
    given.sink.hold = true;
    const answers = ["a", "b", "c"].map((value) => watch(given.producer.produce(record(value))));
    await given.clock.advance(0);
    given.sink.held[0]?.answer([{ error: new SourceError("too large"), sendParts: true }]);
    await given.clock.advance(0);
    expect(given.sink.requests.length).toBe(2);
    void given.producer.close({ drainTimeoutMs: 10 });
    await given.clock.advance(10);
    expect(answers.every(({ error }) => error instanceof ProduceError)).toBe(true);
    expect(given.producer.stats()).toMatchObject({ failed: 3, bufferedRecords: 0 });
  });
});

describe("close({ drainTimeoutMs }) before anything could be sent", () => {
  test("fails what waits for the number of partitions, and what waits for room", async () => {
    const { sink, producer, clock } = setup({ maxBufferedBytes: 100 });
    sink.onCount = () => new Promise(() => {});
    const answers = ["a", "b"].map((value) => watch(producer.produce(record(value.repeat(60)))));
    const closed = watch(producer.close({ drainTimeoutMs: 20 }).then(() => "closed"));
    await clock.advance(20);
    expect(closed.value).toBe("closed");
    for (const { error } of answers) expect((error as Error).message).toContain("20 ms");
  });
});
