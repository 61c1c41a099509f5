import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import type { SinkRecord } from "../../src/source/source.ts";
import { Bench, bootstrap, Recorder, unique } from "./kafkajs-harness.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function record(value: string | null, fields: Partial<SinkRecord> = {}): SinkRecord {
  return {
    key: bytes("key"),
    value: value === null ? null : bytes(value),
    headers: [],
    timestamp: 1_700_000_000_123,
    id: null,
    ...fields,
  };
}

describe.skipIf(bootstrap === "")("kafkajs sink and admin on a broker", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.close());

  test("send() writes several topics at once and answers where each batch begins", async () => {
    const [one, two] = [await bench.topic(2), await bench.topic(1)];
    const sink = kafkajs({ brokers: [bootstrap] }).sink();
    await sink.open();
    const headers = [
      ["a", bytes("1")],
      ["b", bytes("2")],
      ["a", bytes("3")],
    ] as const;
    const outcomes = await sink.send([
      { topic: one, partition: 1, records: [record("x"), record(null, { key: null })] },
      { topic: two, partition: 0, records: [record("y", { headers })] },
      { topic: one, partition: 1, records: [record("z")] },
    ]);
    expect(outcomes).toEqual([{ baseOffset: 0 }, { baseOffset: 0 }, { baseOffset: 2 }]);
    expect(await sink.partitionCount(one)).toBe(2);
    await sink.close();
    const to = new Recorder();
    await bench.open(unique("group"), [one, two]).start(to);
    await to.until(() => to.seen.length === 4, "4 records");
    expect(to.seen.filter(({ partition }) => partition === 1).map(({ value }) => value)).toEqual([
      "x",
      null,
      "z",
    ]);
    const batch = to.batches.find(({ lease }) => lease.topic === two)?.records;
    expect(batch?.timestampAt(0)).toBe(1_700_000_000_123);
    const read = batch?.headersAt(0);
    expect(read?.entries().map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
      ["a", "1"],
      ["a", "3"],
      ["b", "2"],
    ]);
    expect(read?.text("a")).toBe("1");
    expect(batch?.byteLength).toBeGreaterThan(512);
  });

  test("send() answers a batch that is too large alone and writes the others", async () => {
    const topic = await bench.topic(2);
    const sink = kafkajs({ brokers: [bootstrap] }).sink();
    await sink.open();
    const large = record(null, { value: new Uint8Array(2_000_000) });
    const outcomes = await sink.send([
      { topic, partition: 0, records: [large] },
      { topic, partition: 1, records: [record("fits")] },
    ]);
    expect(outcomes[0]).toMatchObject({ error: { code: "HEADRACE_PRODUCE", retriable: false } });
    expect(outcomes[1]).toHaveProperty("baseOffset");
    await sink.close();
  });

  test("partitionCount() and send() say when a topic is missing", async () => {
    const missing = unique("missing");
    const sink = kafkajs({ brokers: [bootstrap], retry: { retries: 1 } }).sink();
    await sink.open();
    const error = await sink.partitionCount(missing).catch((e) => e);
    expect(error.message).toBe(`Cannot produce as the topic must exist: received "${missing}"`);
    const [outcome] = await sink.send([{ topic: missing, partition: 0, records: [record("x")] }]);
    expect(outcome).toMatchObject({ error: { code: "HEADRACE_PRODUCE" } });
    await sink.close();
    await expect(sink.send([])).rejects.toMatchObject({ code: "HEADRACE_CLOSED" });
  });

  test("admin answers what there is; createTopic() leaves an existing topic alone", async () => {
    const admin = await bench.admin();
    const topic = await bench.topic(2);
    await admin.createTopic(topic, 5);
    await bench.fill(topic, 2, 3);
    const missing = unique("missing");
    expect([...(await admin.partitionCounts([topic, missing]))]).toEqual([[topic, 2]]);
    expect(await admin.logBounds(topic)).toEqual([
      { partition: 0, logStart: 0, logEnd: 3 },
      { partition: 1, logStart: 0, logEnd: 3 },
    ]);
    expect(await admin.committed(unique("group"), topic)).toEqual([
      { partition: 0, offset: null, metadata: "" },
      { partition: 1, offset: null, metadata: "" },
    ]);
  });
});
