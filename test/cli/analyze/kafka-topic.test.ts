import { describe, expect, test } from "bun:test";
import { kafkaTopic } from "../../../src/cli/analyze/kafka-topic.ts";
import { SourceError } from "../../../src/errors.ts";
import { type MemorySource, memorySource } from "../../../src/testing/index.ts";

const PARTITIONS = [{ topic: "t", partition: 0 }];

/** A topic of one partition with `count` records, in batches of 10. */
function stocked(count: number): MemorySource {
  const memory = memorySource({ topics: { t: 1 }, maxBatchRecords: 10 });
  deliver(memory, count);
  return memory;
}

function deliver(memory: MemorySource, count: number): void {
  const records = Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: "v" }));
  memory.deliver("t", 0, records);
}

interface Read {
  /** Done between look and read, and after the first part. */
  readonly before?: () => unknown;
  readonly after?: () => unknown;
  readonly last?: number;
  readonly signal?: AbortSignal;
}

async function offsetsRead(memory: MemorySource, how: Read = {}): Promise<number[]> {
  const selection = { topic: "t", partition: undefined, last: how.last };
  const input = await kafkaTopic(memory.source, "memory", selection, () => {});
  await how.before?.();
  const offsets: number[] = [];
  let parts = 0;
  for await (const part of input.parts(how.signal ?? new AbortController().signal)) {
    for (const message of part) offsets.push((message as { offset: number }).offset);
    if (parts++ === 0) await how.after?.();
  }
  expect(memory.commits()).toEqual([]);
  expect(memory.listenerErrors()).toEqual([]);
  return offsets;
}

const upTo = (end: number, from = 0): number[] => {
  return Array.from({ length: end - from }, (_, at) => from + at);
};

describe("kafkaTopic()", () => {
  test("reads what was there when it looked, once, and stores nothing", async () => {
    const memory = stocked(95);
    expect(await offsetsRead(memory, { before: () => deliver(memory, 40) })).toEqual(upTo(95));
    expect(await offsetsRead(memory, { last: 7 })).toEqual(upTo(135, 128));
  });

  test("ends where the last offsets are holes, and where there is nothing", async () => {
    const memory = stocked(30);
    memory.skip("t", 0, 5);
    expect(await offsetsRead(memory)).toEqual(upTo(30));
    expect(await offsetsRead(memorySource({ topics: { t: 1 } }))).toEqual([]);
  });

  test("goes on where retention has overtaken it, even if that is the end", async () => {
    const memory = stocked(50);
    const trimmed = await offsetsRead(memory, { before: () => memory.trim("t", 0, 20) });
    expect(trimmed).toEqual(upTo(50, 20));
    expect(await offsetsRead(memory, { before: () => memory.trim("t", 0, 50) })).toEqual([]);
  });

  test("reads no message twice when it loses the partition and gets it again", async () => {
    const memory = stocked(100);
    const after = async (): Promise<void> => {
      await memory.lose(PARTITIONS);
      await memory.assign(PARTITIONS);
    };
    expect(await offsetsRead(memory, { after })).toEqual(upTo(100));
  });

  test("stops when it is told, and fails with what makes the client fail", async () => {
    const stop = new AbortController();
    const some = await offsetsRead(stocked(100), {
      after: () => stop.abort(),
      signal: stop.signal,
    });
    expect(some).toEqual(upTo(10));
    const memory = stocked(100);
    const error = new SourceError("Cannot fetch as the broker must be there");
    const failed = offsetsRead(memory, { after: () => memory.fail(error, true) });
    await expect(failed).rejects.toThrow(error.message);
  });
});
