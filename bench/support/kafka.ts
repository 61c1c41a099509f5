/** A broker, topics full of records, and nothing else running: what the broker benches need. */
import type { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { newTopic, withAdmin } from "../../test/kafka/admin.ts";
import { startBroker } from "../../test/kafka/broker.mjs";

/** How the records of a topic are made. */
export interface Fill {
  readonly count: number;
  /** Distinct keys `k0`, `k1`, …; 0: every record has its own. */
  readonly keys: number;
  readonly bytes: number;
  readonly partitions?: number;
  /** The value at an offset, so many bytes; without it, some text. */
  readonly value?: (offset: number) => Buffer;
  /** Default: as `keys` says. */
  readonly keyOf?: (index: number) => string;
}

/** Most records of one request, and most bytes of their values: brokers refuse batches above 1 MB. */
const REQUEST_RECORDS = 2000;
const REQUEST_BYTES = 800_000;

/** A kafkajs client that is quiet. */
export function client(bootstrap: string): Kafka {
  return new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
}

/** The name of a group that nobody has used, in no thread and no process. */
export function newGroup(): string {
  return `bench-${randomUUID()}`;
}

/** Runs with the broker that KAFKA_BOOTSTRAP names, or with one of its own. */
export async function withBroker<R>(run: (bootstrap: string) => Promise<R>): Promise<R> {
  const given = process.env.KAFKA_BOOTSTRAP;
  if (given !== undefined) return run(given);
  const directory = await mkdtemp(path.join(tmpdir(), "headrace-bench-"));
  const broker = await startBroker({ directory });
  try {
    return await run(broker.bootstrap);
  } finally {
    await broker.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Makes a new, empty topic and answers its name. */
export async function makeTopic(
  bootstrap: string,
  name: string,
  numPartitions: number,
): Promise<string> {
  const topic = `bench-${name}-${Date.now()}`;
  await withAdmin(client(bootstrap), (admin) => newTopic(admin, topic, numPartitions));
  return topic;
}

/** Makes a new topic with `count` records and answers its name. */
export async function fillTopic(bootstrap: string, name: string, fill: Fill): Promise<string> {
  const topic = await makeTopic(bootstrap, name, fill.partitions ?? 1);
  const producer = client(bootstrap).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const most = Math.min(REQUEST_RECORDS, Math.max(1, Math.floor(REQUEST_BYTES / fill.bytes)));
  for (let next = 0; next < fill.count; ) {
    const size = Math.min(most, fill.count - next);
    const messages = Array.from({ length: size }, () => {
      const key = fill.keyOf?.(next) ?? `k${fill.keys === 0 ? next : next % fill.keys}`;
      const offset = next++;
      return { key, value: fill.value?.(offset) ?? `${offset}`.padEnd(fill.bytes, "x") };
    });
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
  return topic;
}

/** Runs with a topic and deletes it: for topics too large to be left behind. */
export async function deletingTopic<R>(
  bootstrap: string,
  topic: string,
  run: () => Promise<R>,
): Promise<R> {
  try {
    return await run();
  } finally {
    await withAdmin(client(bootstrap), (admin) => admin.deleteTopics({ topics: [topic] }));
  }
}
