/**
 * What headrace's producer costs beside a bare kafkajs: the same batches of 1000 records, and records one by one;
 * then nanoseconds a record of every partitioning strategy, without a broker.
 *
 *   node bench/produce.ts [--json] [--rounds N] [--count N] [--partitions N] [--bytes N] [--strategies]
 *
 * All subjects take turns in this process; ratios are round by round. Every run is checked: the topic must have grown
 * by what was produced. `--strategies` leaves the broker out.
 */
import { parseArgs } from "node:util";
import { type Admin, Partitioners } from "kafkajs";
import { kafkajs } from "../src/adapters/kafkajs.ts";
import {
  balanced,
  createProducer,
  hourly,
  messagesKey,
  type Partitioning,
  type ProducerRecord,
  priority,
  salted,
  weighted,
} from "../src/index.ts";
import { client, makeTopic, withBroker } from "./support/kafka.ts";
import { median, type Rounds, report, takeTurns } from "./support/rounds.ts";

const BATCH = 1000;
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    strategies: { type: "boolean", default: false },
    rounds: { type: "string", default: "9" },
    count: { type: "string", default: "100000" },
    partitions: { type: "string", default: "1" },
    bytes: { type: "string", default: "100" },
  },
});
const count = Number(values.count);
/** One by one takes a round trip each. */
const oneByOneCount = Math.max(1, Math.floor(count / 100));
const value = "x".repeat(Number(values.bytes));
const keyOf = (index: number): string => `k${index % 1000}`;

const partitioning = { createPartitioner: Partitioners.DefaultPartitioner };

/** Runs once the topic is there, and is void unless the topic has grown by `records`. */
type Job = (topic: string) => Promise<void>;

async function sizeOf(admin: Admin, topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

function bareJobs(bootstrap: string): { batches: Job; oneByOne: Job; open(): Promise<unknown> } {
  const producer = client(bootstrap).producer(partitioning);
  return {
    open: () => producer.connect(),
    batches: async (topic) => {
      for (let next = 0; next < count; ) {
        const messages: { key: string; value: string }[] = [];
        for (; messages.length < BATCH && next < count; next++) {
          messages.push({ key: keyOf(next), value });
        }
        await producer.sendBatch({ topicMessages: [{ topic, messages }] });
      }
    },
    oneByOne: async (topic) => {
      for (let next = 0; next < oneByOneCount; next++) {
        await producer.send({ topic, messages: [{ key: keyOf(next), value }] });
      }
    },
  };
}

function headraceJobs(bootstrap: string): { many: Job; async: Job; oneByOne: Job } {
  const sink = kafkajs({ brokers: [bootstrap] });
  const lingering = createProducer({ sink, linger: { ms: 5, maxMessages: BATCH } });
  const producer = createProducer({ sink, linger: { maxMessages: BATCH } });
  return {
    many: async (topic) => {
      for (let next = 0; next < count; ) {
        const records: ProducerRecord[] = [];
        for (; records.length < BATCH && next < count; next++) {
          records.push({ topic, key: keyOf(next), value });
        }
        await producer.produceMany(records);
      }
    },
    async: async (topic) => {
      for (let next = 0; next < count; next++) {
        lingering.produceAsync({ topic, key: keyOf(next), value });
        // Records come in, turn by turn, as fast as they are taken.
        if (next % BATCH === BATCH - 1) await new Promise((resolve) => setImmediate(resolve));
      }
      await lingering.flush();
    },
    oneByOne: async (topic) => {
      for (let next = 0; next < oneByOneCount; next++) {
        await producer.produce({ topic, key: keyOf(next), value });
      }
    },
  };
}

async function againstKafkajs(bootstrap: string): Promise<void> {
  const topic = await makeTopic(bootstrap, "produce", Number(values.partitions));
  const admin = client(bootstrap).admin();
  await admin.connect();
  const [bare, own] = [bareJobs(bootstrap), headraceJobs(bootstrap)];
  await bare.open();
  const timed = (job: Job, records: number) => async (): Promise<number> => {
    const before = await sizeOf(admin, topic);
    const start = performance.now();
    await job(topic);
    const seconds = (performance.now() - start) / 1000;
    const grown = (await sizeOf(admin, topic)) - before;
    if (grown !== records) throw new Error(`Cannot use this run: ${grown} of ${records} stored`);
    return seconds;
  };
  const rounds = await takeTurns("produce", Number(values.rounds), {
    "kafkajs sendBatch": timed(bare.batches, count),
    "headrace produceMany": timed(own.many, count),
    "headrace produceAsync": timed(own.async, count),
    "kafkajs send, one by one": timed(bare.oneByOne, oneByOneCount),
    "headrace produce, one by one": timed(own.oneByOne, oneByOneCount),
  });
  const perRecord: Record<string, number[]> = {};
  for (const [name, seconds] of Object.entries(rounds)) {
    const records = name.endsWith("one by one") ? oneByOneCount : count;
    perRecord[name] = seconds.map((one) => one / records);
  }
  report("produce", 1, perRecord, "kafkajs sendBatch", values.json);
  sayOneByOne(perRecord);
}

function sayOneByOne(perRecord: Rounds): void {
  const slow = perRecord["kafkajs send, one by one"]!;
  for (const name of ["headrace produceMany", "headrace produceAsync"]) {
    const times = median(perRecord[name]!.map((one, round) => slow[round]! / one));
    const figures = { cell: "produce", subject: name, timesOneByOne: Math.round(times) };
    if (values.json) console.log(JSON.stringify(figures));
    else console.log(`${name} is ${figures.timesOneByOne} × kafkajs send, one by one`);
  }
}

const LOOPS = 200_000;
const SAMPLES = 15;
const PARTITIONS = 12;

/** Nanoseconds of one choice, of the sample that was disturbed least. */
function nsOf(by: Partitioning, records: readonly ProducerRecord[]): number {
  const samples: number[] = [];
  let sum = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = performance.now();
    for (let i = 0; i < LOOPS; i++) {
      sum += by.calculatePartitionId("t", records[i % records.length]!, PARTITIONS);
    }
    samples.push(((performance.now() - start) * 1e6) / LOOPS);
  }
  if (!(sum > 0)) throw new Error("Cannot use this run as all records went to partition 0");
  return Math.min(...samples);
}

function strategies(): void {
  const texts = Array.from({ length: 1024 }, (_, i): ProducerRecord => {
    return { topic: "t", key: `customer-${i * 7919}`, value: "v" };
  });
  const bytes = texts.map((record) => ({ ...record, key: Buffer.from(record.key as string) }));
  const timed = texts.map((record, i) => ({ ...record, timestamp: 1.7e12 + i * 1e6 }));
  const urgent = texts.map((record, i) => ({ ...record, headers: { p: i % 9 ? "low" : "high" } }));
  const weights = Object.fromEntries(Array.from({ length: PARTITIONS }, (_, i) => [i, i + 1]));
  const ids = Array.from({ length: PARTITIONS }, (_, i) => i);
  const cells: [string, Partitioning, readonly ProducerRecord[]][] = [
    ["messagesKey murmur2, text", messagesKey("murmur2"), texts],
    ["messagesKey murmur2, bytes", messagesKey("murmur2"), bytes],
    ["messagesKey murmur3, text", messagesKey("murmur3"), texts],
    ["messagesKey xxh32, text", messagesKey("xxh32"), texts],
    ["balanced", balanced(), texts],
    ["weighted, 12 partitions", weighted(weights), texts],
    ["hourly", hourly(), timed],
    ["priority", priority({ header: "p", high: [0, 1], others: ids.slice(2) }), urgent],
    [
      "salted, one key of nine hot",
      salted({ salts: 4, hot: (key) => key.length % 9 === 0 }),
      texts,
    ],
  ];
  for (const [name, by, records] of cells) {
    const ns = Number(nsOf(by, records).toFixed(1));
    if (values.json) console.log(JSON.stringify({ cell: "strategy", subject: name, ns }));
    else console.log(`${name.padEnd(30)} ${String(ns).padStart(7)} ns a record`);
  }
}

strategies();
if (!values.strategies) await withBroker(againstKafkajs);
process.exit(0);
