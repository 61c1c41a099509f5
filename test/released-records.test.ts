import { afterAll, describe, expect, test } from "bun:test";
import type { Buffer } from "node:buffer";
import { log as logSource, openLog } from "../src/adapters/log.ts";
import { oneRecord } from "../src/copied-records.ts";
import { MessageView } from "../src/message.ts";
import type { TopicOptions } from "../src/options.ts";
import { PolledBatch } from "../src/polled-batch.ts";
import { checksBytes, consumeAll } from "./consume-all.ts";
import { removeTemporary, temporaryDirectory } from "./log/temporary.ts";

afterAll(removeTemporary);

function batchOf(count: number): { batch: PolledBatch; released: () => number } {
  let released = 0;
  const one = oneRecord({ offset: 0, timestamp: 0, key: null, value: null, headers: [] });
  const records = { ...one, count, release: () => void released++ };
  const lease = { topic: "t", partition: 0 };
  const given = { lease, records, nextOffset: count, highWatermark: -1 };
  return { batch: new PolledBatch(lease, given, null, 0), released: () => released };
}

describe("the memory of a batch", () => {
  test("is released when the last of its calls has ended", () => {
    const { batch, released } = batchOf(3);
    batch.ended();
    batch.ended();
    expect(released()).toBe(0);
    batch.ended();
    expect(released()).toBe(1);
  });

  test("is not when user code has seen a message of it: it may have kept the bytes", () => {
    const { batch, released } = batchOf(2);
    expect(new MessageView(batch, 1).topic).toBe("t");
    batch.ended();
    batch.ended();
    expect(released()).toBe(0);
  });
});

/** More than the log reads at once, several times. */
const BATCHES = 24;
const VALUE_BYTES = 40_000;

async function filled(): Promise<string> {
  const directory = temporaryDirectory();
  const log = await openLog(directory, { topics: { t: { partitions: 1 } } });
  for (let at = 0; at < BATCHES; at++) {
    const records = Array.from({ length: 10 }, (_, index) => {
      const value = new Uint8Array(VALUE_BYTES).fill((at * 10 + index) % 251);
      return { key: null, value, headers: [], timestamp: 1, id: null };
    });
    await log.append("t", 0, records);
  }
  await log.close();
  return directory;
}

function consume(directory: string, options: Partial<TopicOptions>): Promise<number> {
  const consumed = { source: logSource(directory), topic: "t", count: BATCHES * 10, workers: 1 };
  return consumeAll(consumed, options);
}

describe("buffers of the embedded log", () => {
  const right = (value: Uint8Array, offset: number): boolean =>
    value.every((byte) => byte === offset % 251);

  test("what a handler in this thread has kept stays as it was", async () => {
    const kept: (Uint8Array | null)[] = [];
    const eachMessage: TopicOptions["eachMessage"] = ({ value, offset }) => {
      kept[offset] = value;
    };
    await consume(await filled(), { eachMessage });
    expect(kept.filter((value, offset) => right(value!, offset)).length).toBe(BATCHES * 10);
    expect(new Set(kept.map((value) => (value as Buffer).buffer)).size).toBeGreaterThan(3);
  });

  test("what handlers in threads read is theirs until they have ended, though buffers are used again", async () => {
    const failures: string[] = [];
    await consume(await filled(), checksBytes(failures));
    expect(failures).toEqual([]);
  });
});
