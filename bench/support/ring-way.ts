/** Ways for jobs to get to a worker and back. */
import type { Worker } from "node:worker_threads";
import type { ChannelEnd, MessageEncoder, Region } from "../../src/worker/channel.ts";
import { privateMemory } from "../../src/worker/frame-memory.ts";
import type { FrameReader } from "../../src/worker/frame-reader.ts";
import { RecordWriter, recordBytes } from "../../src/worker/message-layout.ts";
import {
  batch,
  CALL_KIND,
  expectedMessage,
  expectedNumbers,
  JOB_KIND,
  MESSAGE_COUNT,
  records,
} from "./ring-jobs.ts";

/** One way: jobs `first … first + count − 1` are sent together, or one by one. */
export interface Way {
  readonly name: string;
  send(first: number, count: number): void;
  expected(id: number): number;
  /** An answer has come. */
  answered?(): void;
}

const jobOf = (id: number) => ({ id, a: id & 0xff, b: 7 });

/** A message as it can be posted: bytes of its own, since cloning a view copies the buffer behind it. */
function messageOf(id: number) {
  const index = id % MESSAGE_COUNT;
  const key = Uint8Array.from(records.keyAt(index)!);
  const value = Uint8Array.from(records.valueAt(index)!);
  return { id, offset: index, key, value };
}

function range<T>(first: number, count: number, make: (id: number) => T): T[] {
  const made: T[] = [];
  for (let id = first; id < first + count; id++) made.push(make(id));
  return made;
}

/** All messages in one buffer, which is transferred. */
function packed(first: number, count: number): ArrayBuffer {
  const plain = range(first, count, (id) => {
    const offset = id % MESSAGE_COUNT;
    const [key, value] = [records.keyAt(offset), records.valueAt(offset)];
    return { offset, timestamp: 0, key, value, headers: [] };
  });
  const memory = privateMemory(plain.reduce((sum, record) => sum + recordBytes(record), 0));
  const writer = new RecordWriter();
  writer.begin(memory, 0, count);
  for (const record of plain) writer.add(record);
  return memory.words.buffer as ArrayBuffer;
}

export function postedWays(worker: Worker): Record<"numbers" | "messages", Way[]> {
  const oneByOne = (first: number, count: number, post: (id: number) => void): void => {
    for (let id = first; id < first + count; id++) post(id);
  };
  const numbers = (jobs: object[]): void => worker.postMessage({ way: "numbers", jobs });
  const messages = (jobs: object[]): void => worker.postMessage({ way: "messages", jobs });
  return {
    numbers: [
      {
        name: "postMessage, one by one",
        expected: expectedNumbers,
        send: (first, count) => oneByOne(first, count, (id) => numbers([jobOf(id)])),
      },
      {
        name: "postMessage, in arrays",
        expected: expectedNumbers,
        send: (first, count) => numbers(range(first, count, jobOf)),
      },
    ],
    messages: [
      {
        name: "postMessage, one by one",
        expected: expectedMessage,
        send: (first, count) => oneByOne(first, count, (id) => messages([messageOf(id)])),
      },
      {
        name: "postMessage, in arrays",
        expected: expectedMessage,
        send: (first, count) => messages(range(first, count, messageOf)),
      },
      {
        name: "postMessage, one buffer",
        expected: expectedMessage,
        send: (first, count) => {
          const buffer = packed(first, count);
          worker.postMessage({ way: "packed", first, count, packed: buffer }, [buffer]);
        },
      },
    ],
  };
}

export function ringWays(
  end: ChannelEnd,
  encoder: MessageEncoder,
): Record<"numbers" | "messages", Way> {
  // Answers come in the order of the calls.
  const regions: (Region | null)[] = [];
  let freed = 0;
  return {
    numbers: {
      name: "ring",
      expected: expectedNumbers,
      send: (first, count) => {
        for (let id = first; id < first + count; id++) {
          const frame = end.begin(JOB_KIND);
          frame.u32(id);
          frame.u32(id & 0xff);
          frame.u32(7);
          end.commit();
        }
        end.flush();
      },
    },
    messages: {
      name: "ring",
      expected: expectedMessage,
      send: (first, count) => {
        for (let id = first; id < first + count; id++) {
          encoder.add(batch, id % MESSAGE_COUNT);
          const frame = end.begin(CALL_KIND);
          frame.u32(id);
          regions.push(encoder.write(frame));
          end.commit();
        }
        end.flush();
      },
      answered: () => {
        regions[freed]?.free();
        regions[freed++] = null;
        if (freed === regions.length) {
          regions.length = 0;
          freed = 0;
        }
      },
    },
  };
}

/** Reads an answer of the ring. */
export function readAnswer(frame: FrameReader, answer: (id: number, value: number) => void): void {
  answer(frame.u32(), frame.u32());
}
