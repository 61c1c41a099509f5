/** Jobs of the ring bench: three numbers, or a message; and what a worker answers to them. */
import { Buffer } from "node:buffer";
import { headerList } from "../../src/header-list.ts";
import { PolledBatch } from "../../src/polled-batch.ts";
import type { RecordBatch } from "../../src/source/source.ts";

export const JOB_KIND = 1;
export const CALL_KIND = 2;
export const ANSWER_KIND = 3;

/** Messages of the bench: jobs take them in turns. */
export const MESSAGE_COUNT = 1024;
const KEY_BYTES = 16;
const VALUE_BYTES = 100;
const NO_HEADERS = headerList([]);

export function numbersAnswer(id: number, a: number, b: number): number {
  return (id + a * 3 + b) & 0xffff;
}

export function messageAnswer(key: Uint8Array, value: Uint8Array, offset: number): number {
  return (key[0]! + value[value.length - 1]! * 256 + offset) & 0xffff;
}

/** Keys and values as Kafka clients give them: views of the buffer that a fetch came in. */
function clientRecords(): RecordBatch {
  const fetched = Buffer.alloc(MESSAGE_COUNT * (KEY_BYTES + VALUE_BYTES + 12));
  const views: [key: Buffer, value: Buffer][] = [];
  for (let index = 0, at = 0; index < MESSAGE_COUNT; index++) {
    // Lengths of framing differ, so addresses are those of nobody's choice.
    at += 7 + (index % 5);
    const key = fetched.subarray(at, at + KEY_BYTES).fill(index);
    at += KEY_BYTES;
    const value = fetched.subarray(at, at + VALUE_BYTES).fill(index >> 2);
    at += VALUE_BYTES;
    views.push([key, value]);
  }
  return {
    count: MESSAGE_COUNT,
    baseOffset: 0,
    offsetDeltas: null,
    byteLength: MESSAGE_COUNT * 600,
    keyAt: (index) => views[index]![0],
    valueAt: (index) => views[index]![1],
    timestampAt: () => 1_700_000_000_000,
    headersAt: () => NO_HEADERS,
  };
}

export const records: RecordBatch = clientRecords();

const lease = { topic: "bench", partition: 0 };

export const batch: PolledBatch = new PolledBatch(
  lease,
  { lease, records, nextOffset: MESSAGE_COUNT, highWatermark: -1 },
  null,
  0,
);

/** What the answer to job `id` must be. */
export function expectedNumbers(id: number): number {
  return numbersAnswer(id, id & 0xff, 7);
}

const messageAnswers = Uint32Array.from({ length: MESSAGE_COUNT }, (_, index) => {
  return messageAnswer(records.keyAt(index)!, records.valueAt(index)!, index);
});

export function expectedMessage(id: number): number {
  return messageAnswers[id % MESSAGE_COUNT]!;
}
