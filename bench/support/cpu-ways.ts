/** The ways to run a handler that computes: a plain loop, and headrace in the polling thread and in worker threads. */
import type { Buffer } from "node:buffer";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import { log, openLog } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/index.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { joinRun, takeRun } from "../../src/log/stored-run.ts";
import type { SourceFactory } from "../../src/source/source.ts";
import { CpuBoard } from "./cpu-board.ts";
import type { CpuThreadData } from "./cpu-thread.ts";
import { type CpuWorkName, cpuWorks, plainMessage } from "./cpu-work.ts";
import { client, newGroup } from "./kafka.ts";

/** Handler calls at once: all of them compute, so it is only how many wait beside a thread: 64 with two threads. */
const CONCURRENCY = 128;
const READ_BYTES: number = 1 << 17;

/** What the plain loops know of a cell. */
export interface PlainCell {
  readonly work: CpuWorkName;
  readonly topic: string;
  readonly count: number;
  readonly keys: number;
  /** By offset. */
  readonly expected: Int32Array;
}

/** One cell of the bench. */
export interface CpuCell extends PlainCell {
  readonly source: () => SourceFactory;
}

/** What one run came to. */
export interface CpuResult {
  /** What all messages take at the rate after the warm-up. */
  readonly seconds: number;
  /** Processor time of this process, all threads, while it read and handled: it hardly depends on who else works. */
  readonly cpuSeconds: number;
}

/** Starts to count processor time. */
function countCpu(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
}

/** What the plain loops do with each message. */
function plainHandler(cell: PlainCell, board: CpuBoard): (offset: number, value: Buffer) => void {
  const { answer } = cpuWorks[cell.work];
  return (offset, value) => board.handle(offset, () => answer(plainMessage(value)));
}

/**
 * kafkajs, one message after the other; it does not even commit.
 *
 * @param mayBegin Awaited before the first message.
 */
export async function plainKafkajs(
  cell: PlainCell,
  bootstrap: string,
  mayBegin: () => Promise<void> = async () => {},
): Promise<CpuResult> {
  const board = new CpuBoard(cell.count, cell.keys);
  const handle = plainHandler(cell, board);
  const consumer = client(bootstrap).consumer({ groupId: newGroup(), maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic: cell.topic, fromBeginning: true });
  const cpu = countCpu();
  await new Promise<void>((resolve, reject) => {
    consumer.on("consumer.crash", ({ payload }) => reject(payload.error));
    consumer
      .run({
        autoCommit: false,
        eachBatch: async ({ batch, heartbeat }) => {
          await mayBegin();
          for (const { offset, value } of batch.messages) handle(Number(offset), value!);
          await heartbeat();
          if (board.finished) resolve();
        },
      })
      .catch(reject);
  });
  const cpuSeconds = cpu();
  await consumer.disconnect();
  return { seconds: board.seconds(cell.expected), cpuSeconds };
}

/** The embedded log, read and handled in one loop. */
export async function plainLog(
  cell: PlainCell,
  directory: string,
  mayBegin: () => Promise<void> = async () => {},
): Promise<CpuResult> {
  const board = new CpuBoard(cell.count, cell.keys);
  const handle = plainHandler(cell, board);
  const opened = await openLog(directory, { readOnly: true });
  await mayBegin();
  const cpu = countCpu();
  for (let offset = 0; offset < cell.count; ) {
    const batches = [...(await opened.read(cell.topic, 0, offset, READ_BYTES))];
    await new Promise((resolve) => setImmediate(resolve));
    while (batches.length > 0) {
      const run = new RawRecords(joinRun(takeRun(batches)));
      for (let index = 0; index < run.count; index++) {
        handle(offset++, run.valueAt(index) as Buffer);
      }
    }
  }
  const cpuSeconds = cpu();
  await opened.close();
  return { seconds: board.seconds(cell.expected), cpuSeconds };
}

/** @param workers 0: the handler runs in the polling thread. */
export async function headrace(cell: CpuCell, workers: number): Promise<CpuResult> {
  const { work, count, keys } = cell;
  const board = new CpuBoard(count, keys);
  const { answer } = cpuWorks[work];
  const workerData: CpuThreadData = { work, count, keys, board: board.memory };
  const url = new URL("./cpu-thread.ts", import.meta.url);
  const consumer = createConsumer({
    source: cell.source(),
    groupId: newGroup(),
    concurrency: CONCURRENCY,
    workers: Math.max(1, workers),
    fromBeginning: true,
    topics: {
      [cell.topic]: {
        ...(workers === 0
          ? { eachMessage: (message) => board.handle(message.offset, () => answer(message)) }
          : { module: () => new Worker(url, { workerData }) }),
        virtualPartitions: { distribution: "balanced" },
      },
    },
  });
  await consumer.start();
  // The threads are there.
  const cpu = countCpu();
  while (!board.finished) await new Promise((resolve) => setTimeout(resolve, 5));
  const cpuSeconds = cpu();
  const { uncommitted } = await consumer.close();
  if (uncommitted.length > 0) throw new Error("Cannot use this run as its last commit failed");
  return { seconds: board.seconds(cell.expected), cpuSeconds };
}

/** headrace over the broker. */
export function kafkaSource(bootstrap: string): SourceFactory {
  return kafkajs({ brokers: [bootstrap] });
}

/** headrace over the embedded log. */
export function logSource(directory: string): SourceFactory {
  return log(directory);
}
