/** What the tests of worker threads share: a consumer over a memory source, and threads that do what messages say. */
import { expect } from "bun:test";
import { Worker } from "node:worker_threads";
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import type { ConsumerEventName, ConsumerEvents } from "../../src/events.ts";
import type { ConsumerOptions, TopicOptions } from "../../src/options.ts";
import type { MemoryRecordInput } from "../../src/testing/memory-log.ts";
import { type MemorySource, memorySource } from "../../src/testing/memory-source.ts";
import { SharedJournal } from "./journal.ts";

export const TOPIC = "orders";
const GATES = 64;
/** Longest wait for something that must happen. */
const PATIENCE_MS = 20_000;

/** What a message asks of its handler: see lab-steps.ts. */
export type Step = readonly [name: string, argument?: unknown];

/** What a thread of the lab is given. */
export interface LabData {
  readonly form: "eachMessage" | "eachBatch" | "consumer";
  readonly gates: SharedArrayBuffer;
  readonly entries: SharedArrayBuffer;
}

/** Something that a handler did. */
export interface LabEntry {
  readonly thread: number;
  readonly what: string;
  readonly offsets?: readonly number[];
  readonly virtualPartition?: number;
  readonly attempt?: number;
  readonly [field: string]: unknown;
}

export interface LabOptions {
  readonly form?: LabData["form"];
  readonly topic?: Partial<TopicOptions>;
  readonly consumer?: Partial<ConsumerOptions>;
  readonly memory?: MemorySource;
  readonly partitions?: number;
}

export interface Lab {
  readonly consumer: Consumer;
  readonly memory: MemorySource;
  /** In the order in which it happened. */
  readonly entries: readonly LabEntry[];
  readonly groupId: string;
  /** Threads that were started, the newest last. */
  readonly threads: Worker[];
  events<E extends ConsumerEventName>(name: E): ConsumerEvents[E][];
  /** Delivers one record per list of steps, as one batch. The key says whose order is kept. */
  send(...records: readonly (readonly [key: string | null, ...steps: Step[]])[]): number[];
  sendTo(partition: number, records: readonly MemoryRecordInput[]): number[];
  open(...gates: number[]): void;
  noted(what: string): LabEntry[];
  /** Settles once a condition holds; it is looked at in every turn of the event loop. */
  until(condition: () => boolean, what?: string): Promise<void>;
  stored(partition?: number): number | null;
}

let groups = 0;

export async function withLab(
  options: LabOptions,
  body: (lab: Lab) => Promise<void>,
): Promise<void> {
  const { form = "eachMessage", partitions = 1 } = options;
  const memory = options.memory ?? memorySource({ topics: { [TOPIC]: partitions } });
  const gates = new SharedArrayBuffer(4 * GATES);
  const words = new Int32Array(gates);
  const journal = new SharedJournal<LabEntry>();
  const entries: LabEntry[] = [];
  const threads: Worker[] = [];
  const spawn = (): Worker => {
    const workerData: LabData = { form, gates, entries: journal.memory };
    const thread = new Worker(new URL("./lab-thread.ts", import.meta.url), { workerData });
    threads.push(thread);
    return thread;
  };
  const groupId = options.consumer?.groupId ?? `lab-${groups++}`;
  const topic = {
    module: spawn,
    virtualPartitions: true,
    retry: { backoffMs: 1, maxBackoffMs: 1 },
    ...options.topic,
  };
  const consumer = createConsumer({
    source: memory.source,
    groupId,
    workers: 1,
    topics: { [TOPIC]: topic },
    fromBeginning: true,
    commitIntervalMs: 10,
    logger: false,
    ...options.consumer,
  } as ConsumerOptions);
  const seen = new Map<ConsumerEventName, unknown[]>();
  const events = <E extends ConsumerEventName>(name: E): ConsumerEvents[E][] => {
    if (!seen.has(name)) seen.set(name, []);
    return seen.get(name) as ConsumerEvents[E][];
  };
  for (const name of ["failed", "error", "stalled", "collapsed", "expanded", "paused"] as const) {
    consumer.on(name, (payload) => void events(name).push(payload as never));
  }
  for (const name of ["deadLettered", "resumed", "revoked", "committed", "closed"] as const) {
    consumer.on(name, (payload) => void events(name).push(payload as never));
  }
  const until = async (condition: () => boolean, what = String(condition)): Promise<void> => {
    const beganMs = performance.now();
    for (entries.push(...journal.read()); !condition(); entries.push(...journal.read())) {
      if (performance.now() - beganMs > PATIENCE_MS) {
        throw new Error(
          `It has not come to this: ${what}\n${JSON.stringify(entries).slice(-4000)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  const sendTo = (partition: number, records: readonly MemoryRecordInput[]): number[] =>
    memory.deliver(TOPIC, partition, records);
  const lab: Lab = {
    ...{ consumer, memory, entries, groupId, threads, events, until, sendTo },
    send: (...records) =>
      sendTo(
        0,
        records.map(([key, ...steps]) => ({ key, value: JSON.stringify(steps) })),
      ),
    open: (...numbers) => {
      for (const gate of numbers) {
        Atomics.store(words, gate, 1);
        Atomics.notify(words, gate);
      }
    },
    noted: (what) => {
      entries.push(...journal.read());
      return entries.filter((entry) => entry.what === what);
    },
    stored: (partition = 0) => memory.committed(groupId, TOPIC, partition)?.offset ?? null,
  };
  try {
    await consumer.start();
    await body(lab);
  } finally {
    for (let gate = 1; gate < GATES; gate++) lab.open(gate);
    await consumer.close({ drainTimeoutMs: 0 });
  }
  expect(memory.listenerErrors()).toEqual([]);
  expect(memory.staleCommits()).toEqual([]);
}
