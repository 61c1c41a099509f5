/** The memory that fetches are read into: whose it is, and when it is used again. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { kafkajs } from "../../src/adapters/kafkajs.ts";
import type { SourceBatch } from "../../src/source/source.ts";
import { checksBytes, consumeAll } from "../consume-all.ts";
import { Bench, bootstrap, Recorder, unique } from "./kafkajs-harness.ts";

const VALUE_BYTES = 40_000;
/** So little that a fetch brings one stored batch of each partition. */
const CONSUMER = { maxBytesPerPartition: 100_000, maxWaitTimeInMs: 50, heartbeatInterval: 100 };

describe.skipIf(bootstrap === "")("memory of fetches, on a broker", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.close());

  /** Values are one byte again and again, which follows from the offset. */
  async function filled(partitions: number, count: number): Promise<string> {
    const topic = await bench.topic(partitions);
    const producer = await bench.producer();
    for (let partition = 0; partition < partitions; partition++) {
      for (let offset = 0; offset < count; offset += 10) {
        const messages = Array.from({ length: 10 }, (_, index) => ({
          partition,
          key: `k${offset + index}`,
          value: Buffer.alloc(VALUE_BYTES, (offset + index) % 251),
          headers: { h: `${offset + index}` },
        }));
        await producer.send({ topic, messages });
      }
    }
    return topic;
  }

  function expectIntact({ records }: SourceBatch): void {
    for (let index = 0; index < records.count; index++) {
      const offset = records.baseOffset + index;
      const expected = Buffer.alloc(VALUE_BYTES, offset % 251);
      expect(expected.equals(records.valueAt(index)!)).toBe(true);
      expect(Buffer.from(records.keyAt(index)!).toString()).toBe(`k${offset}`);
      expect(records.headersAt(index).text("h")).toBe(`${offset}`);
    }
  }

  function memoriesOf(batches: readonly SourceBatch[]): Set<ArrayBufferLike> {
    return new Set(batches.map(({ records }) => records.valueAt(0)!.buffer));
  }

  test("records stay as they were while later ones are fetched", async () => {
    const topic = await filled(2, 60);
    const to = new Recorder();
    await bench.open(unique("group"), [topic], { consumer: CONSUMER }).start(to);
    await to.until(() => to.seen.length === 120, "120 records");
    for (const batch of to.batches) expectIntact(batch);
    expect(memoriesOf(to.batches).size).toBeGreaterThan(5);
  });

  test("the memory of records that are released is used again, theirs alone", async () => {
    const topic = await filled(2, 300);
    const to = new Recorder();
    let released = 0;
    // The last six are in use.
    to.hold = () => {
      for (; released < to.batches.length - 6; released++) {
        expectIntact(to.batches[released]!);
        to.batches[released]!.records.release!();
      }
    };
    await bench.open(unique("group"), [topic], { consumer: CONSUMER }).start(to);
    await to.until(() => to.seen.length === 600, "600 records");
    for (const batch of to.batches.slice(released)) expectIntact(batch);
    expect([to.errors, released > 40]).toEqual([[], true]);
    expect(memoriesOf(to.batches).size).toBeLessThan(20);
  });

  test("what handlers in threads read is theirs until they have ended", async () => {
    const topic = await filled(3, 200);
    const failures: string[] = [];
    const source = kafkajs({ brokers: [bootstrap], consumer: CONSUMER });
    const consumed = { source, topic, count: 600, workers: 2 };
    const done = await consumeAll(consumed, checksBytes(failures));
    expect([done, failures]).toEqual([600, []]);
  });
});
