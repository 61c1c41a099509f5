import { describe, expect, test } from "bun:test";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import type { SinkBatch, SinkRecord } from "../../src/source/source.ts";

type Sent = { topicMessages: { topic: string; messages: { partition: number }[] }[] };

function setUp(answer: (sent: Sent) => unknown) {
  const sent: Sent[] = [];
  class Kafka {
    producer() {
      return {
        connect: async () => {},
        disconnect: async () => {},
        sendBatch: async (request: Sent) => {
          sent.push(request);
          return answer(request);
        },
      };
    }
    admin() {
      return { connect: async () => {}, disconnect: async () => {} };
    }
  }
  return { sink: kafkajs({ brokers: ["b:1"], Kafka }).sink(), sent };
}

const record: SinkRecord = {
  key: new Uint8Array([1, 2, 3]).subarray(1),
  value: null,
  headers: [["h", new Uint8Array([9])]],
  timestamp: 7,
  id: null,
};
const batch = (topic: string, partition: number): SinkBatch => ({
  topic,
  partition,
  records: [record],
});
const refused = (type: string, retriable: boolean): Error =>
  Object.assign(new Error(type), { type, retriable });

describe("KafkajsSink", () => {
  test("send() shares the bytes and answers in the order of the batches", async () => {
    const { sink, sent } = setUp(() => [
      { topicName: "b", partition: 0, baseOffset: "40" },
      { topicName: "a", partition: 1, baseOffset: "8" },
    ]);
    await sink.open();
    const outcomes = await sink.send([batch("a", 1), batch("b", 0), batch("a", 1), batch("c", 0)]);
    expect(outcomes.map((one) => ("baseOffset" in one ? one.baseOffset : null))).toEqual([
      8,
      40,
      9,
      undefined,
    ]);
    const [first] = sent[0]?.topicMessages[0]?.messages ?? [];
    expect(first).toMatchObject({ partition: 1, value: null, timestamp: "7" });
    const key = (first as unknown as { key: Buffer }).key;
    expect(Buffer.isBuffer(key)).toBe(true);
    expect(key.buffer).toBe(record.key?.buffer as ArrayBuffer);
    expect([...key]).toEqual([2, 3]);
  });

  test("send() tries batches alone when the error may be about one of them", async () => {
    const { sink, sent } = setUp(({ topicMessages }) => {
      if (topicMessages.some(({ topic }) => topic === "a"))
        throw refused("MESSAGE_TOO_LARGE", false);
      return [{ topicName: "b", partition: 0, baseOffset: "1" }];
    });
    await sink.open();
    const [a, b] = await sink.send([batch("a", 1), batch("b", 0)]);
    expect(a).toMatchObject({ error: { name: "ProduceError", retriable: false } });
    expect(b).toEqual({ baseOffset: 1 });
    expect(sent.length).toBe(3);
  });

  test("send() gives every batch the error when the broker is away, and sends once", async () => {
    const { sink, sent } = setUp(() => {
      throw Object.assign(new Error("Connection error"), { retriable: true });
    });
    await sink.open();
    const outcomes = await sink.send([batch("a", 1), batch("b", 0)]);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ error: { retriable: true } });
    expect(sent.length).toBe(1);
  });
});
