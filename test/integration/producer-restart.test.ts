/** The broker dies by `kill -9` while records are produced, and comes back with its data. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { createProducer, type Producer } from "../../src/produce/producer.ts";
import { newTopic, withAdmin } from "../kafka/admin.ts";
import { type Broker, missingTool, startBroker } from "../kafka/broker.mjs";
import { bootstrap, unique, within } from "./kafkajs-harness.ts";

const RECORDS = 50_000;
const KEYS = 100;
const PARTITIONS = 4;
/** Stored of each topic before the broker is killed, at least; as many are still to come then. */
const BEFORE = 5_000;
const LIMIT_MS = 180_000;

/** A broker that is given is not ours to kill, and without Java there is no other. */
const missing = bootstrap === "" ? undefined : missingTool();
const reason = missing === undefined ? "" : ` (skipped: ${missing})`;

/** A producer that fills a topic, and what it said. */
class Filling {
  readonly topic = unique("restart");
  readonly producer: Producer;
  delivered = 0;
  retried = 0;
  readonly enough: Promise<void>;

  constructor(brokers: string, idempotent: boolean) {
    this.producer = createProducer({
      sink: kafkajs({ brokers: [brokers] }),
      linger: { ms: 5, maxMessages: 100 },
      idempotent,
      logger: false,
    });
    this.producer.on("retried", () => this.retried++);
    this.enough = new Promise((resolve) => {
      this.producer.on("delivered", ({ records }) => {
        this.delivered += records.length;
        if (this.delivered >= BEFORE) resolve();
      });
    });
  }

  call(): void {
    for (let i = 0; i < RECORDS; i++) {
      const key = `k${i % KEYS}`;
      this.producer.produceAsync({ topic: this.topic, key, value: String(i) });
    }
  }
}

/** All records of a topic, by partition, in offset order. */
async function readAll(kafka: Kafka, topic: string): Promise<number[][]> {
  const ends = await withAdmin(kafka, (admin) => admin.fetchTopicOffsets(topic));
  const wanted = ends.reduce((sum, { high }) => sum + Number(high), 0);
  const read: number[][] = Array.from({ length: PARTITIONS }, () => []);
  const consumer = kafka.consumer({ groupId: unique("reader"), maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let count = 0;
  const complete = new Promise<void>((resolve) => {
    void consumer.run({
      eachBatch: async ({ batch }) => {
        for (const { value } of batch.messages) read[batch.partition]!.push(Number(value));
        count += batch.messages.length;
        if (count >= wanted) resolve();
      },
    });
  });
  await within(complete, `all ${wanted} records`, 60_000);
  await consumer.disconnect();
  return read;
}

/** What came twice is counted and left out; the rest must be complete and in the order of each key. */
function check(read: readonly number[][]): {
  missing: number;
  repeated: number;
  orderBreaks: number;
} {
  const seen = new Set<number>();
  const last = new Map<number, number>();
  let [repeated, orderBreaks] = [0, 0];
  for (const value of read.flat()) {
    if (seen.has(value)) {
      repeated += 1;
      continue;
    }
    seen.add(value);
    if ((last.get(value % KEYS) ?? -1) > value) orderBreaks += 1;
    last.set(value % KEYS, value);
  }
  return { missing: RECORDS - seen.size, repeated, orderBreaks };
}

describe.skipIf(bootstrap === "" || missing !== undefined)(`a broker that crashes${reason}`, () => {
  let directory: string;
  let broker: Broker | undefined;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "headrace-producer-"));
    broker = await startBroker({ directory });
  }, LIMIT_MS);
  afterAll(async () => {
    await broker?.stop();
    rmSync(directory, { recursive: true, force: true });
  }, LIMIT_MS);

  test(
    "produceAsync(): every record is stored, in the order of its key, none twice when idempotent",
    async () => {
      const { bootstrap: own, port } = broker!;
      const kafka = new Kafka({ brokers: [own], logLevel: logLevel.NOTHING });
      const [plain, exact] = [new Filling(own, false), new Filling(own, true)];
      await withAdmin(kafka, async (admin) => {
        for (const { topic } of [plain, exact]) await newTopic(admin, topic, PARTITIONS);
      });

      for (const filling of [plain, exact]) filling.call();
      await Promise.all([plain.enough, exact.enough]);
      await broker!.kill();
      const atKill = [plain.delivered, exact.delivered];
      broker = await startBroker({ directory, port });
      for (const { producer } of [plain, exact]) {
        await producer.flush();
        expect(producer.stats()).toMatchObject({ delivered: RECORDS, failed: 0 });
        await producer.close();
      }

      const found = [];
      for (const { topic } of [plain, exact]) found.push(check(await readAll(kafka, topic)));
      console.log(
        `producer-restart: ${atKill.join(" and ")} of ${RECORDS} stored before the kill, ` +
          `batches sent again: ${plain.retried} and ${exact.retried}, ` +
          `stored twice: ${found[0]?.repeated} and, idempotent, ${found[1]?.repeated}`,
      );
      for (const delivered of atKill) expect(RECORDS - delivered).toBeGreaterThan(BEFORE);
      expect(plain.retried + exact.retried).toBeGreaterThan(0);
      expect(found).toMatchObject([
        { missing: 0, orderBreaks: 0 },
        { missing: 0, orderBreaks: 0, repeated: 0 },
      ]);
      // Only what was on its way can be there twice: one batch of each partition, and kafkajs's own attempts.
      expect(found[0]!.repeated).toBeLessThan(BEFORE);
    },
    LIMIT_MS,
  );
});
