import { describe, expect, test } from "bun:test";
import { createRequire } from "node:module";
import type { ClientPartitioner } from "../../src/adapters/kafkajs/client.ts";
import { topicMessages } from "../../src/adapters/kafkajs/sink-messages.ts";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import type { Delivery, SinkBatch, SinkRecord } from "../../src/source/source.ts";

type Sent = { topicMessages: { topic: string; messages: { partition: number }[] }[] };

function setUp(answer: (sent: Sent) => unknown) {
  const sent: Sent[] = [];
  const made: { idempotent: boolean; retry: object; createPartitioner(): ClientPartitioner }[] = [];
  class Kafka {
    producer(options: (typeof made)[number]) {
      made.push(options);
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
  /** As kafkajs does when it sends: tells who leads each partition. */
  const partition = (topic: string, leaders: readonly number[]): void => {
    const partitionMetadata = leaders.map((leader, partitionId) => ({ partitionId, leader }));
    made[0]?.createPartitioner()({ topic, partitionMetadata, message: {} as never });
  };
  return { sink: kafkajs({ brokers: ["b:1"], Kafka }).sink(), sent, made, partition };
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

const delivery: Delivery = {
  acks: 1,
  compression: "gzip",
  idempotent: false,
  requestTimeoutMs: 99,
};

describe("KafkajsSink with delivery settings", () => {
  test("send() passes acks, compression and timeout on", async () => {
    const { sink, sent } = setUp(() => []);
    await sink.open();
    expect(await sink.send([batch("a", 1)], { ...delivery, acks: 0 })).toEqual([
      { baseOffset: undefined },
    ]);
    expect(sent[0]).toMatchObject({ acks: 0, compression: 1, timeout: 99 });
  });

  test("send() makes an idempotent producer when it is asked for, beside the other", async () => {
    const { sink, made } = setUp(() => []);
    await sink.open();
    await sink.send([batch("a", 1)]);
    expect(made.map(({ idempotent }) => idempotent)).toEqual([false]);
    const exact = { ...delivery, acks: -1 as const, idempotent: true };
    await sink.send([batch("a", 1)], exact);
    await sink.send([batch("a", 1)], exact);
    expect(made.map(({ idempotent }) => idempotent)).toEqual([false, true]);
    // Without an end to the retries a batch could not be given up.
    expect(made[1]?.retry).toMatchObject({ retries: 5 });
  });

  test("send() says of what may pass that it may be sent again, and of nothing else", async () => {
    const errors = [
      Object.assign(new Error("Connection error"), { retriable: true }),
      refused("MESSAGE_TOO_LARGE", false),
      new TypeError("no bytes"),
    ];
    const { sink } = setUp(() => {
      throw errors.shift();
    });
    await sink.open();
    const answers: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const [outcome] = await sink.send([batch("a", 1)]);
      answers.push((outcome as { sendAgain?: boolean }).sendAgain);
    }
    expect(answers).toEqual([true, false, false]);
  });

  test("send() keeps the batches of different leaders apart once it knows them", async () => {
    const { sink, sent, partition } = setUp(() => []);
    await sink.open();
    const batches = [batch("a", 0), batch("a", 1), batch("a", 2)];
    await sink.send(batches);
    expect(sent.length).toBe(1);
    partition("a", [7, 8, 7]);
    await sink.send(batches);
    const partitions = sent.slice(1).map(({ topicMessages }) => {
      return topicMessages.flatMap(({ messages }) => messages.map((message) => message.partition));
    });
    expect(partitions).toEqual([[0, 2], [1]]);
  });
});

describe("topicMessages()", () => {
  const groupMessagesPerPartition: (of: object) => Record<string, unknown[]> = createRequire(
    import.meta.url,
  )("kafkajs/src/producer/groupMessagesPerPartition.js");

  test("are grouped by kafkajs itself as they would be, with and without the shortcut", () => {
    const batches = [batch("a", 3), batch("a", 0), batch("b", 1), batch("a", 3)];
    const partitioner = ({ message }: { message: { partition: number } }) => message.partition;
    const groups = [false, true].map((grouped) =>
      topicMessages(batches, grouped).map(({ topic, messages }) => {
        const partitionMetadata = [{ partitionId: 0, leader: 0 }];
        return [
          topic,
          groupMessagesPerPartition({ topic, partitionMetadata, messages, partitioner }),
        ];
      }),
    );
    expect(groups[1]).toEqual(groups[0]!);
    const [, ofA] = groups[1]![0] as [string, Record<string, unknown[]>];
    expect(Object.entries(ofA).map(([partition, all]) => [partition, all.length])).toEqual([
      ["0", 1],
      ["3", 2],
    ]);
  });
});
