import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type AssignorName, type Log, log, openLog } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import { SourceError } from "../../src/errors.ts";
import { systemClock } from "../../src/runtime/system-clock.ts";
import { RecordingListener } from "../../src/source/recording-listener.ts";
import type { Source } from "../../src/source/source.ts";
import { numbered, removeTemporary, temporaryDirectory } from "../log/temporary.ts";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const signal = new AbortController().signal;

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await new Promise<void>((resolve) => systemClock.defer(resolve));
  }
}

describe("log() with an assignor", () => {
  let directory = "";
  let handle: Log;
  const closing: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    directory = temporaryDirectory();
    handle = await openLog(directory, { topics: { orders: { partitions: 5 } } });
  });

  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await handle.close();
    removeTemporary();
  });

  function member(assignor: AssignorName = "sticky"): {
    source: Source;
    listener: RecordingListener;
  } {
    const common = { groupId: "g", clock: systemClock, logger, member: 0, drainTimeoutMs: 1000 };
    const source = log(directory, { assignor }).open({ ...common, topics: ["orders"] });
    const listener = new RecordingListener();
    closing.push(async () => {
      await source.stop({ leave: true, signal });
      expect(listener.breaches).toEqual([]);
    });
    return { source, listener };
  }

  const numbersOf = (leases: readonly { partition: number }[]) => {
    return leases.map(({ partition }) => partition).sort();
  };

  test.each([
    ["range", [0, 1, 2], [3, 4]],
    ["round-robin", [0, 2, 4], [1, 3]],
  ] as [AssignorName, number[], number[]][])(
    "%s: all partitions are drained, those that come back go on under their lease",
    async (assignor, first, second) => {
      const [one, other] = [member(assignor), member(assignor)];
      expect(one.source.can.incremental).toBe(false);
      await one.source.start(one.listener);
      const before = one.listener.leases.slice();
      let drained = (): void => {};
      one.listener.onRevoking = () => new Promise((resolve) => (drained = resolve));
      const started = other.source.start(other.listener);
      await until("the drain is asked for", () => one.listener.revoked.length > 0);
      expect(numbersOf(one.listener.revoked)).toEqual([0, 1, 2, 3, 4]);
      expect(other.listener.leases).toEqual([]);
      await handle.append("orders", first[0]!, numbered(0, 1));
      drained();
      await started;
      expect(numbersOf(one.listener.kept)).toEqual(first);
      expect(numbersOf(one.listener.ended)).toEqual(second);
      expect(numbersOf(other.listener.leases)).toEqual(second);
      const kept = before.find(({ partition }) => partition === first[0])!;
      expect(one.listener.leases).toContain(kept);
      await until("a kept one goes on", () => one.listener.offsetsOf(first[0]!).length === 1);
      const entry = { lease: kept, offset: 1, metadata: "" };
      expect(await one.source.commit([entry], signal)).toEqual(["stored"]);
      expect(one.listener.assignments.length).toBe(5);
    },
  );

  test("sticky: only what moves is drained", async () => {
    const [one, other] = [member(), member("sticky")];
    expect(one.source.can.incremental).toBe(true);
    await one.source.start(one.listener);
    await other.source.start(other.listener);
    expect(numbersOf(one.listener.revoked)).toEqual([3, 4]);
    expect([one.listener.kept, numbersOf(one.listener.ended)]).toEqual([[], [3, 4]]);
  });

  test("all members of a group have one assignor", async () => {
    const [one, other] = [member("range"), member("sticky")];
    await one.source.start(one.listener);
    const refused = other.source.start(other.listener);
    await expect(refused).rejects.toThrow(SourceError);
    await expect(refused).rejects.toThrow("one assignor, range: received sticky");
    await one.source.stop({ leave: true, signal });
    one.listener.stopped = true;
    const third = member("sticky");
    await third.source.start(third.listener);
    expect(third.listener.leases.length).toBe(5);
  });

  test.each([
    [{ assignor: "fair" }, RangeError, '"range", "round-robin", "sticky"'],
    [{ assignor: 1 }, TypeError, "assignor must be"],
    [{ visibility: "all" }, RangeError, '"written", "synced"'],
    [{ asignor: "range" }, TypeError, "no option"],
  ] as [object, typeof TypeError, string][])("refuses wrong options %#", (options, type, text) => {
    expect(() => log(directory, options)).toThrow(type);
    expect(() => log(directory, options)).toThrow(text);
  });

  test.each(["range", "round-robin", "sticky"] as const)(
    "%s: while consumers come and go, every message is handled and keys stay in order",
    async (assignor) => {
      const [partitions, batches, size] = [5, 12, 20];
      const done = new Map<string, number[]>();
      let running = 0;
      const consumers = new Set<Consumer>();
      const start = async (): Promise<void> => {
        const consumer = createConsumer({
          source: log(directory, { assignor }),
          groupId: "g",
          logger,
          fromBeginning: true,
          concurrency: 8,
          commitIntervalMs: 20,
          topics: {
            orders: {
              virtualPartitions: true,
              eachMessage: async ({ partition, offset, key }) => {
                running++;
                await new Promise<void>((resolve) => systemClock.defer(resolve));
                running--;
                const name = `${partition}/${new TextDecoder().decode(key!)}`;
                done.set(name, [...(done.get(name) ?? []), offset]);
              },
            },
          },
        });
        consumers.add(consumer);
        await consumer.start();
      };
      closing.push(() => Promise.all([...consumers].map((one) => one.close())));
      await start();
      for (let batch = 0; batch < batches; batch++) {
        for (let partition = 0; partition < partitions; partition++) {
          await handle.append("orders", partition, numbered(batch * size, size));
        }
        if (batch % 3 === 1) await start();
        if (batch % 3 === 2) {
          const [oldest] = consumers;
          consumers.delete(oldest!);
          await oldest!.close();
        }
      }
      const counted = () => new Set([...done].flatMap(([k, all]) => all.map((o) => `${k} ${o}`)));
      await until("all are done", () => counted().size === partitions * batches * size);
      await until("nothing runs", () => running === 0);
      for (const [name, offsets] of done) {
        // A message may be handled again by its next owner, never before an earlier one of its key.
        const firsts = offsets.filter((offset, at) => offsets.indexOf(offset) === at);
        expect([name, firsts]).toEqual([name, firsts.toSorted((a, b) => a - b)]);
      }
    },
  );
});
