/**
 * Throughput and latency against one knob at a time, on a real broker: the figures and drawings of
 * docs/latency-and-throughput.md.
 *
 *   node bench/curves.ts [--json] [--only NAME] [--draw DIRECTORY]
 *
 * `--draw` writes an SVG per curve. Consumers first read a backlog for a second (throughput), then what a producer
 * writes at a steady rate (latency: from the record's creation until its call starts). Everything runs on one machine.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { kafkajs } from "../src/adapters/kafkajs.ts";
import { createConsumer, createProducer } from "../src/index.ts";
import type { ConsumerOptions } from "../src/options.ts";
import type { Message } from "../src/types.ts";
import { type Curve, type CurvePoint, drawCurve } from "./support/curve-chart.ts";
import { fillTopic, makeTopic, newGroup, withBroker } from "./support/kafka.ts";

const BACKLOG = 500_000;
const SMALL_BACKLOG = 100_000;
const SMALL_BATCH = 20;
const KEYS = 1000;
const BYTES = 200;
const BACKLOG_MS = 1000;
const LIVE_MS = 1500;
const LIVE_PER_SECOND = 500;
const LIVE_EVERY_MS = 10;
const PRODUCE_MS = 1500;
const CALLERS = 200;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    draw: { type: "string" },
  },
});

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const wallMs = (): number => performance.timeOrigin + performance.now();

/** A topic that is read as fast as can be. */
interface Backlog {
  readonly topic: string;
  readonly count: number;
}

/** What the handlers of one run see. */
class Readings {
  readonly backlog: Backlog;
  firstMs = 0;
  read = 0;
  live: number[] = [];
  #overMs = Number.POSITIVE_INFINITY;
  #settle: () => void = () => {};
  /** The backlog was read for long enough, or to its end. */
  readonly backlogOver: Promise<void> = new Promise((resolve) => {
    this.#settle = resolve;
  });

  constructor(backlog: Backlog) {
    this.backlog = backlog;
  }

  /** Messages of one call, which starts now. */
  take(messages: readonly Message[]): void {
    const nowMs = wallMs();
    for (const message of messages) {
      if (message.topic === this.backlog.topic) this.#takeBacklog(nowMs);
      else this.live.push(nowMs - Number(message.text()));
    }
  }

  get perSecond(): number {
    return (this.read / (this.#overMs - this.firstMs)) * 1000;
  }

  #takeBacklog(nowMs: number): void {
    if (this.#overMs < Number.POSITIVE_INFINITY) return;
    if (this.firstMs === 0) this.firstMs = nowMs;
    this.read++;
    if (nowMs - this.firstMs < BACKLOG_MS && this.read < this.backlog.count) return;
    this.#overMs = nowMs;
    this.#settle();
  }
}

function percentileOf(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new Error("Cannot use this run as no message was read live");
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

type Handler = ConsumerOptions["topics"][string];

/** What a curve turns. */
interface Setup {
  readonly topic: (readings: Readings) => Handler;
  readonly consumer?: { readonly concurrency?: number };
  readonly client?: { readonly maxBytesPerPartition?: number };
}

async function consume(bootstrap: string, backlog: Backlog, setup: Setup): Promise<CurvePoint> {
  const live = await makeTopic(bootstrap, "live", 1);
  const readings = new Readings(backlog);
  const handler = setup.topic(readings);
  const source = kafkajs({ brokers: [bootstrap], consumer: { ...setup.client } });
  const consumer = createConsumer({
    source,
    groupId: newGroup(),
    fromBeginning: true,
    drainTimeoutMs: 2000,
    ...setup.consumer,
    topics: { [backlog.topic]: handler, [live]: handler },
  } as ConsumerOptions);
  await consumer.start();
  await readings.backlogOver;
  consumer.pause([{ topic: backlog.topic, partition: 0 }]);
  await produceLive(bootstrap, live);
  await consumer.close();
  return {
    value: 0,
    perSecond: Math.round(readings.perSecond),
    p50Ms: percentileOf(readings.live, 0.5),
    p99Ms: percentileOf(readings.live, 0.99),
  };
}

/** A steady stream, for as long as latency is measured; then some time to be read. */
async function produceLive(bootstrap: string, topic: string): Promise<void> {
  const producer = createProducer({ sink: kafkajs({ brokers: [bootstrap] }) });
  const perTick = (LIVE_PER_SECOND * LIVE_EVERY_MS) / 1000;
  const startedMs = performance.now();
  for (let sent = 0; performance.now() - startedMs < LIVE_MS; ) {
    const due = Math.floor(((performance.now() - startedMs) / LIVE_EVERY_MS) * perTick);
    for (; sent < due; sent++) {
      producer.produceAsync({ topic, key: `k${sent % KEYS}`, value: String(wallMs()) });
    }
    await wait(LIVE_EVERY_MS);
  }
  await producer.close();
  await wait(200);
}

/** Many callers that each wait for their own record: as a server does for its requests. */
async function produce(bootstrap: string, lingerMs: number): Promise<CurvePoint> {
  const topic = await makeTopic(bootstrap, "linger", 1);
  const sink = kafkajs({ brokers: [bootstrap] });
  const producer = createProducer({ sink, linger: { ms: lingerMs } });
  await producer.produce({ topic, key: "first", value: "x" });
  const latencies: number[] = [];
  const startedMs = performance.now();
  const caller = async (id: number): Promise<void> => {
    for (let n = 0; performance.now() - startedMs < PRODUCE_MS; n++) {
      const sentMs = performance.now();
      await producer.produce({ topic, key: `k${id}-${n}`, value: "x".padEnd(BYTES, "x") });
      latencies.push(performance.now() - sentMs);
      // Its work between two records.
      await wait(5);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
  const perSecond = Math.round((latencies.length / (performance.now() - startedMs)) * 1000);
  await producer.close();
  const [p50Ms, p99Ms] = [percentileOf(latencies, 0.5), percentileOf(latencies, 0.99)];
  return { value: lingerMs, perSecond, p50Ms, p99Ms };
}

/** Each call waits 5 ms, as for a database. */
const oneByOne = (readings: Readings): Handler => ({
  eachMessage: async (message) => {
    readings.take([message]);
    await wait(5);
  },
  virtualPartitions: { distribution: "per-key", maxPartitions: 1000 },
});

/** Each call waits 5 ms, however many messages it has: as a bulk insert. */
const inBatches =
  (options: { maxMessages?: number; maxWaitMs?: number }) =>
  (readings: Readings): Handler => ({
    eachBatch: async (batch) => {
      readings.take(batch.messages);
      await wait(5);
    },
    virtualPartitions: { maxPartitions: 10 },
    ...options,
  });

/** Calls that end at once. */
const atOnce = (readings: Readings): Handler => ({
  eachMessage: (message) => readings.take([message]),
  virtualPartitions: true,
});

interface Plan {
  readonly name: string;
  readonly knob: string;
  readonly title: string;
  readonly ofBytes?: true;
  /** Its backlog was written in batches of few records: a broker answers with one whole batch at least. */
  readonly smallBatches?: true;
  readonly values: readonly number[];
  readonly measure: (bootstrap: string, backlog: Backlog, value: number) => Promise<CurvePoint>;
}

const plans: readonly Plan[] = [
  {
    name: "concurrency",
    knob: "concurrency",
    title: "concurrency: eachMessage, 5 ms a call, 500 messages/s live",
    values: [1, 2, 4, 8, 16, 32, 64, 128],
    measure: (bootstrap, backlog, concurrency) =>
      consume(bootstrap, backlog, { topic: oneByOne, consumer: { concurrency } }),
  },
  {
    name: "max-messages",
    knob: "maxMessages",
    title: "maxMessages: eachBatch, 5 ms a call, 10 lanes, 500 messages/s live",
    values: [1, 4, 16, 64, 256, 1024],
    measure: (bootstrap, backlog, maxMessages) =>
      consume(bootstrap, backlog, { topic: inBatches({ maxMessages }) }),
  },
  {
    name: "max-wait",
    knob: "maxWaitMs (maxMessages 500)",
    title: "maxWaitMs: eachBatch, 5 ms a call, 10 lanes, 500 messages/s live",
    values: [0, 5, 10, 20, 50, 100],
    measure: (bootstrap, backlog, maxWaitMs) =>
      consume(bootstrap, backlog, { topic: inBatches({ maxMessages: 500, maxWaitMs }) }),
  },
  {
    name: "fetch-size",
    knob: "consumer.maxBytesPerPartition",
    ofBytes: true,
    title: "fetch size: eachMessage, calls that end at once, batches of 20 records",
    smallBatches: true,
    values: [4096, 16_384, 65_536, 262_144, 1_048_576],
    measure: (bootstrap, backlog, maxBytesPerPartition) =>
      consume(bootstrap, backlog, { topic: atOnce, client: { maxBytesPerPartition } }),
  },
  {
    name: "linger",
    knob: "linger.ms",
    title: "linger: 200 callers that each wait for their record",
    values: [0, 1, 2, 5, 10, 20, 50],
    measure: (bootstrap, _backlog, lingerMs) => produce(bootstrap, lingerMs),
  },
];

async function fill(bootstrap: string): Promise<Backlog> {
  const filling = { count: BACKLOG, keys: KEYS, bytes: BYTES };
  return { topic: await fillTopic(bootstrap, "backlog", filling), count: BACKLOG };
}

async function fillSmall(bootstrap: string): Promise<Backlog> {
  const topic = await makeTopic(bootstrap, "small", 1);
  const sink = kafkajs({ brokers: [bootstrap] });
  const producer = createProducer({ sink, linger: { maxMessages: SMALL_BATCH } });
  for (let sent = 0; sent < SMALL_BACKLOG; sent += 2000) {
    const records = Array.from({ length: 2000 }, (_, index) => ({
      topic,
      key: `k${(sent + index) % KEYS}`,
      value: "x".padEnd(BYTES, "x"),
    }));
    await Promise.all(records.map((record) => producer.produce(record)));
  }
  await producer.close();
  return { topic, count: SMALL_BACKLOG };
}

await withBroker(async (bootstrap) => {
  const full = await fill(bootstrap);
  for (const plan of plans) {
    if (values.only !== "" && plan.name !== values.only) continue;
    const backlog = plan.smallBatches ? await fillSmall(bootstrap) : full;
    const points: CurvePoint[] = [];
    // The first run warms up.
    for (const value of [plan.values[0]!, ...plan.values]) {
      process.stderr.write(`\r${plan.name}: ${value}`.padEnd(40));
      points.push({ ...(await plan.measure(bootstrap, backlog, value)), value });
    }
    process.stderr.write(`\r${"".padEnd(40)}\r`);
    tell({ ...plan, points: points.slice(1) });
  }
});
process.exit(0);

function tell(curve: Curve): void {
  if (values.draw !== undefined) {
    mkdirSync(values.draw, { recursive: true });
    writeFileSync(path.join(values.draw, `${curve.name}.svg`), drawCurve(curve));
  }
  for (const { value, perSecond, p50Ms, p99Ms } of curve.points) {
    const [p50, p99] = [Number(p50Ms.toFixed(2)), Number(p99Ms.toFixed(2))];
    if (values.json) {
      console.log(JSON.stringify({ cell: curve.name, value, perSecond, p50Ms: p50, p99Ms: p99 }));
      continue;
    }
    const cells = [`${perSecond}/s`.padStart(12), `p50 ${p50} ms`, `p99 ${p99} ms`];
    console.log(`${curve.name.padEnd(14)} ${String(value).padStart(9)} ${cells.join("   ")}`);
  }
}
