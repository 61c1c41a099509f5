import { describe, expect, test } from "bun:test";
import { decodeMetadata } from "../../src/metadata/decode-metadata.ts";
import { encodeMetadata } from "../../src/metadata/encode-metadata.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message } from "../../src/types.ts";
import { parallelConsumerSamples } from "../metadata/parallel-consumer-samples.ts";
import { Calls, keys, laneByKey, makeRig, type Rig, range, TOPIC, withRig } from "./rig.ts";

const HERE = { topic: TOPIC, partition: 0 };
const WHERE = [HERE];
const NO_ID = new Uint8Array(0);

/** Metadata as a former owner wrote it: lengths not done, done, not done … */
function mapOf(offset: number, logEnd: number, runs: readonly number[]): string {
  const input = { offset, logEnd, topicId: NO_ID, runs, userText: null, segmentation: null };
  return encodeMetadata(input, { form: "dense", maxLength: 4096 }).text;
}

/** Runs a body over a consumer that dies instead of closing. */
async function untilKilled(rig: Rig, member: number, body: () => Promise<void>): Promise<void> {
  const started = rig.consumer.start();
  await rig.pass();
  await started;
  await rig.pass();
  await body();
  rig.memory.kill(member);
}

/** Lets the consumer of a dead member end, so that nothing of it is left. */
async function bury(rig: Rig): Promise<void> {
  const closed = rig.consumer.close({ drainTimeoutMs: 0 });
  await rig.pass(30_000);
  await closed;
}

describe("the completed map", () => {
  test("O5, P1: after a crash another member skips what was done above the committed offset", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    const calls = new Calls();
    const perKey = { maxPartitions: 10, distribution: "per-key" as const };
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: perKey };
    const first = makeRig({ topic, memory });
    const { groupId } = first;
    await untilKilled(first, 0, async () => {
      await first.send(keys(10));
      calls.finish(0, 1, 3, 4, 5, 8);
      await first.pass(1000);
      expect(first.stored()).toBe(2);
      const metadata = memory.committed(groupId, TOPIC, 0)?.metadata ?? "";
      expect(first.seen("committed").at(-1)).toEqual({
        ...HERE,
        offset: 2,
        mapSize: metadata.length,
      });
      expect(first.consumer.stats().partitions[0]).toMatchObject({
        committed: 2,
        mapSize: metadata.length,
        mapTruncated: false,
      });
    });
    const handled: number[] = [];
    const asked: number[] = [];
    const next = {
      virtualPartitions: {
        partitioner: (message: Message) => {
          asked.push(message.offset);
          return message.keyText();
        },
      },
      eachMessage: (message: Message) => void handled.push(message.offset),
    };
    const options = { topic: next, memory, consumer: { groupId }, clock: first.clock };
    await withRig(options, async ({ pass, stored, seen }) => {
      expect(handled).toEqual([2, 6, 7, 9]);
      expect(asked).toEqual([2, 6, 7, 9]);
      await pass(100);
      expect(stored()).toBe(10);
      expect(seen("committed").at(-1)).toEqual({ ...HERE, offset: 10, mapSize: 0 });
    });
    await bury(first);
  });

  test("O5: after a move the map is read at assignment, with manual acknowledgement too", async () => {
    const handled: number[] = [];
    const topic = {
      acknowledge: "manual" as const,
      virtualPartitions: laneByKey(4),
      eachMessage: (message: Message, context: { markAsConsumed(m?: Message): boolean }) => {
        handled.push(message.offset);
        if (message.keyText() === "1") context.markAsConsumed();
      },
    };
    await withRig({ topic }, async ({ send, pass, memory, stored }) => {
      await send(["0", "1", "0", "1", "1"]);
      await memory.revoke(WHERE);
      expect(stored()).toBe(0);
      handled.length = 0;
      await memory.assign(WHERE);
      await pass();
      expect(handled).toEqual([0, 2]);
    });
  });

  test("O5: what a former owner had done is written on until it has been passed", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 }, deliverMode: "manual" });
    memory.deliver(
      TOPIC,
      0,
      range(20).map(() => ({ key: "k" })),
    );
    const groupId = "on-and-on";
    // 0 is not done, 1 to 3 are, 4 to 9 are not, 10 to 18 are.
    memory.setCommitted(groupId, TOPIC, 0, 0, mapOf(0, 20, [1, 3, 6, 9]));
    const handled: number[][] = [[], [], []];
    const clock = makeRig({}).clock;
    const dead: Rig[] = [];
    for (const [member, records] of [
      [0, 2],
      [1, 6],
    ] as const) {
      const topic = { eachMessage: (m: Message) => void handled[member]?.push(m.offset) };
      const rig = makeRig({ topic, memory, consumer: { groupId }, clock });
      dead.push(rig);
      await untilKilled(rig, member, async () => {
        memory.step(TOPIC, 0, { maxRecords: records });
        await rig.pass(1000);
      });
    }
    expect(handled.slice(0, 2)).toEqual([[0], [4, 5, 6, 7]]);
    expect(memory.committed(groupId, TOPIC, 0)?.offset).toBe(8);
    const topic = { eachMessage: (m: Message) => void handled[2]?.push(m.offset) };
    await withRig({ topic, memory, consumer: { groupId }, clock }, async ({ pass, stored }) => {
      memory.step(TOPIC, 0, { maxRecords: 100 });
      await pass(100);
      expect(handled[2]).toEqual([8, 9, 19]);
      expect(stored()).toBe(20);
    });
    for (const rig of dead) await bury(rig);
  });

  const metadata: [string, number, string, number[]][] = [
    ["empty", 0, "", [0, 1, 2, 3, 4]],
    ["of another program", 0, '{"host":"a"}', [0, 1, 2, 3, 4]],
    ["base64", 0, "aGVsbG8gd29ybGQ=", [0, 1, 2, 3, 4]],
    ["cut short", 0, mapOf(0, 5, [1, 2, 2]).slice(0, 5), [0, 1, 2, 3, 4]],
    ["right", 0, mapOf(0, 5, [1, 2, 2]), [0, 3, 4]],
    ["right, without its last character", 0, mapOf(0, 5, [1, 2, 2]).slice(0, -1), [0, 3, 4]],
    ["right, with a NUL behind it", 0, `${mapOf(0, 5, [1, 2, 2])}\0`, [0, 3, 4]],
    ["of another offset", 1, mapOf(0, 5, [1, 2, 2]), [1, 2, 3, 4]],
    ["of a longer log", 0, mapOf(0, 6, [1, 2, 2]), [0, 1, 2, 3, 4]],
    ["naming what is not in the log", 0, mapOf(0, 5, [3, 100]), [0, 1, 2]],
  ];
  test.each(metadata)("O5: metadata that is %s", async (_, offset, text, wanted) => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    memory.deliver(
      TOPIC,
      0,
      keys(5).map((key) => ({ key })),
    );
    const groupId = "reader";
    memory.setCommitted(groupId, TOPIC, 0, offset, text);
    const handled: number[] = [];
    const topic = { eachMessage: (message: Message) => void handled.push(message.offset) };
    await withRig(
      { topic, memory, consumer: { groupId } },
      async ({ send, pass, seen, stored }) => {
        expect(handled).toEqual(wanted);
        expect(seen("error")).toEqual([]);
        // What came after the log's end of the assignment is never taken for done.
        await send(["new", "new"]);
        expect(handled.slice(wanted.length)).toEqual([5, 6]);
        await pass(100);
        expect(stored()).toBe(7);
      },
    );
  });

  test("O5, O11: with a committed offset outside the log the map is void", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    memory.deliver(
      TOPIC,
      0,
      keys(5).map((key) => ({ key })),
    );
    memory.trim(TOPIC, 0, 2);
    memory.setCommitted("g-reset", TOPIC, 0, 0, mapOf(0, 5, [1, 3, 1]));
    const handled: number[] = [];
    const topic = { eachMessage: (message: Message) => void handled.push(message.offset) };
    await withRig({ topic, memory, consumer: { groupId: "g-reset" } }, async ({ seen }) => {
      expect(seen("offsetReset")).toMatchObject([{ from: 0, to: 2 }]);
      expect(handled).toEqual([2, 3, 4]);
    });
  });

  test("R11: a seek makes the map void", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4) };
    await withRig({ topic }, async ({ send, pass, consumer, memory, groupId }) => {
      await send(["0", "1", "2"]);
      calls.finish(1, 2);
      await pass(1000);
      expect(memory.committed(groupId, TOPIC, 0)?.metadata).not.toBe("");
      await consumer.seek(HERE, 0);
      calls.finishAll();
      await pass();
      expect(calls.started).toEqual([0, 1, 2, 1, 2, 0]);
      expect(memory.committed(groupId, TOPIC, 0)?.offset).toBe(0);
    });
  });

  for (const [offsetMap, pattern] of [
    ["off", /^$/],
    ["ascii", /^[\x21-\x7e]+$/],
    ["dense", /[\u0100-\uffff]/],
  ] as const) {
    test(`O5: offsetMap "${offsetMap}"`, async () => {
      const calls = new Calls();
      const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4) };
      await withRig({ topic, consumer: { offsetMap } }, async (rig) => {
        const { send, pass, memory, groupId, consumer } = rig;
        await send(["0", "1", "2", "1"]);
        calls.finish(1, 2);
        await pass(1000);
        const { metadata: text } = memory.committed(groupId, TOPIC, 0)!;
        expect(text).toMatch(pattern);
        const { mapSize } = consumer.stats().partitions[0]!;
        expect(mapSize).toBe(text.length);
        calls.finishAll();
        await memory.revoke(WHERE);
        calls.started.length = 0;
        await memory.assign(WHERE);
        await pass();
        calls.finishAll();
        await pass();
        calls.finishAll();
        await pass(100);
      });
    });
  }

  test("O5: a map that Parallel Consumer wrote is read: only what it had not done is handled", async () => {
    const sample = parallelConsumerSamples.find(
      (one) => one.form === "n" && one.incomplete !== undefined && one.committed > 0,
    )!;
    const { committed, end, incomplete } = sample;
    const memory = memorySource({ topics: { [TOPIC]: 1 }, maxBatchRecords: 3000 });
    memory.deliver(
      TOPIC,
      0,
      range(end).map((i) => ({ key: `k${i % 100}` })),
    );
    memory.setCommitted("migrated", TOPIC, 0, committed, sample.metadata);
    const handled: number[] = [];
    const topic = {
      virtualPartitions: true as const,
      eachMessage: (message: Message) => void handled.push(message.offset),
    };
    await withRig(
      { topic, memory, consumer: { groupId: "migrated" } },
      async ({ pass, stored }) => {
        await pass(1000);
        const wanted = incomplete!.flatMap(([from, to]) =>
          range(to! - from!).map((i) => from! + i),
        );
        expect([...handled].sort((a, b) => a - b)).toEqual(wanted);
        expect(stored()).toBe(end);
      },
    );
  });
});

describe("a map that does not fit", () => {
  /** Every third message stays open, of `count`. */
  async function commitScattered(rig: Rig, calls: Calls, count: number): Promise<void> {
    await rig.send(keys(count));
    const done = range(count).filter((i) => i % 3 !== 0 && Math.imul(i, 2654435761) % 5 !== 0);
    calls.finish(...done);
    await rig.pass(1000);
  }
  const lanes = { maxPartitions: 2000, distribution: "per-key" as const };

  test("O6: its lowest part is kept, stats say so, and a restart skips that part", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: lanes };
    const consumer = { maxMetadataLength: 128, concurrency: 2000 };
    await withRig({ topic, consumer }, async (rig) => {
      const { memory, groupId, consumer: one, pass, seen } = rig;
      await commitScattered(rig, calls, 2000);
      const { offset, metadata: text } = memory.committed(groupId, TOPIC, 0)!;
      expect(offset).toBe(0);
      expect(text.length).toBeLessThanOrEqual(128);
      expect(text.length).toBeGreaterThan(100);
      const [stats] = one.stats().partitions;
      expect(stats).toMatchObject({ mapTruncated: true, mapSize: text.length });
      const done = new Set(range(2000).filter((i) => !calls.open.includes(i)));
      const { completed } = decodeMetadata(text, { offset, logEnd: 2000, topicId: NO_ID });
      const known = range(2000).filter((i) => completed.has(i));
      const highest = known.at(-1)!;
      expect(known).toEqual([...done].filter((i) => i <= highest).sort((a, b) => a - b));
      expect(highest).toBeGreaterThan(500);
      expect(highest).toBeLessThan(1999);
      // It fits again: nothing is left out.
      calls.finishAll();
      await pass(1000);
      expect(one.stats().partitions[0]).toMatchObject({ mapTruncated: false, mapSize: 0 });
      expect(seen("error")).toEqual([]);
    });
  });

  test("O6: each truncated commit halves the partition's budget, not below 2 × maxPartitions; each that fits doubles it", async () => {
    const calls = new Calls();
    // A lane each for the first messages, so that the rest is done by whoever is free.
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: lanes };
    const consumer = {
      maxMetadataLength: 128,
      concurrency: 4000,
      maxInFlightMessages: 16_000,
      commitIntervalMs: 100,
    };
    await withRig({ topic, consumer }, async (rig) => {
      const { pass, consumer: one, memory } = rig;
      await commitScattered(rig, calls, 2000);
      expect(one.stats().partitions[0]?.mapTruncated).toBe(true);
      // 16,000 → 8,000 → 4,000, the least: 2 × 2000. Each commit needs a change.
      for (let i = 0; i < 6; i++) {
        calls.finish(calls.open[1]!);
        await pass(200);
      }
      const inFlight = (): number => {
        const { queued, inFlight: running } = one.stats().partitions[0]!;
        return queued + running;
      };
      const fill = async (): Promise<number> => {
        for (let i = 0; i < 100; i++) {
          memory.deliver(
            TOPIC,
            0,
            keys(200).map((key) => ({ key })),
          );
        }
        await pass(1000);
        return inFlight();
      };
      const least = await fill();
      expect(least).toBeGreaterThan(4000);
      expect(least).toBeLessThanOrEqual(4000 + 400);
      expect(one.explain()[0]?.reason).toBe("handler-running");
      // Commits that fit double it, up to what maxInFlightMessages gives.
      while (calls.running.length > 0 && one.stats().partitions[0]!.committable < 10_000) {
        calls.finishAll();
        await pass(100);
      }
      expect(one.stats().partitions[0]?.mapTruncated).toBe(false);
    });
  });

  test("O6: a broker that refuses the metadata costs a smaller map, not the commit", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: lanes };
    const memory = { topics: { [TOPIC]: 1 }, maxMetadataLength: 40 };
    await withRig({ topic, memory, consumer: { concurrency: 500 } }, async (rig) => {
      const { memory: source, groupId, seen, consumer, pass } = rig;
      await commitScattered(rig, calls, 500);
      await pass(10_000);
      const { metadata: text } = source.committed(groupId, TOPIC, 0)!;
      expect(text.length).toBeGreaterThan(0);
      expect(text.length).toBeLessThanOrEqual(40);
      expect(consumer.stats().partitions[0]).toMatchObject({ mapTruncated: true });
      const refused = source.commitAttempts().filter(({ outcome }) => outcome === "too-large");
      const lengths = refused.map(({ metadata }) => metadata.length);
      expect(lengths.length).toBeGreaterThan(0);
      for (const [i, length] of lengths.entries()) {
        if (i > 0) expect(length).toBeLessThanOrEqual(lengths[i - 1]! / 2);
      }
      expect(seen("error")).toEqual([]);
      expect(consumer.explain()[0]?.reason).toBe("handler-running");
      calls.finishAll();
      await pass(1000);
      expect(rig.stored()).toBe(500);
    });
  });

  test("O6: one that takes no metadata at all still gets its commits, also in a drain", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage, virtualPartitions: laneByKey(4) };
    const memory = { topics: { [TOPIC]: 1 }, maxMetadataLength: 0 };
    await withRig({ topic, memory }, async ({ send, pass, memory: source, stored, seen }) => {
      await send(["0", "1", "2", "3"]);
      calls.finish(0, 2);
      const revoked = source.revoke(WHERE);
      await pass(30_000);
      await revoked;
      expect(stored()).toBe(1);
      expect(seen("error")).toEqual([]);
    });
  });
});
