import { describe, expect, test } from "bun:test";
import { SourceError } from "../../src/errors.ts";
import type { Lease } from "../../src/source/source.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import { commit, Notes, never, open, settle, started, values } from "./notes.ts";

describe("memorySource delivery", () => {
  test("deliver() hands over one batch per call when the partition is assigned", async () => {
    const memory = memorySource();
    const [, notes] = await started(memory);
    expect(memory.deliver("t", 0, values(2))).toEqual([0, 1]);
    expect(memory.deliver("t", 0, values(1))).toEqual([2]);
    expect(notes.batches.length).toBe(0);
    await settle();
    expect(notes.offsets()).toEqual([[0, 1], [2]]);
    expect(notes.batches.map((batch) => batch.nextOffset)).toEqual([2, 3]);
  });

  test("deliver() keeps records and cuts them at maxBatchRecords when they come before a start", async () => {
    const memory = memorySource({ maxBatchRecords: 2 });
    memory.deliver("t", 0, values(5));
    const [, notes] = await started(memory);
    await settle();
    expect(notes.offsets()).toEqual([[0, 1], [2, 3], [4]]);
    expect(notes.assignments[0]?.logEnd).toBe(5);
  });

  test("deliver() gives keys, values, headers and timestamps as bytes", async () => {
    const memory = memorySource();
    const [, notes] = await started(memory);
    memory.deliver("t", 0, [
      { key: "k", value: null, timestamp: 7, headers: { a: ["1", "2"], b: new Uint8Array([9]) } },
      { value: "" },
    ]);
    await settle();
    const records = notes.batches[0]?.records;
    expect(records?.keyAt(0)).toEqual(new TextEncoder().encode("k"));
    expect(records?.valueAt(0)).toBe(null);
    expect(records?.timestampAt(0)).toBe(7);
    expect(records?.headersAt(0).entries().length).toBe(3);
    expect(records?.headersAt(0).text("a")).toBe("1");
    expect(records?.keyAt(1)).toBe(null);
    expect(records?.valueAt(1)?.length).toBe(0);
  });

  test("F1: deliver() holds the next batch of that partition when the listener answers with a promise", async () => {
    const memory = memorySource({ topics: { t: 2 } });
    const [, notes] = await started(memory);
    let release = (): void => {};
    notes.hold = new Promise((resolve) => {
      release = resolve;
    });
    memory.deliver("t", 0, values(1));
    memory.deliver("t", 0, values(1));
    memory.deliver("t", 1, values(1));
    await settle();
    expect(notes.batches.map((batch) => batch.lease.partition)).toEqual([0, 1]);
    notes.hold = undefined;
    release();
    await settle();
    expect(notes.batches.map((batch) => batch.lease.partition)).toEqual([0, 1, 0]);
  });

  test("pause() stops delivery until resume() when records keep coming", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    source.pause(notes.leases[0] as Lease);
    memory.deliver("t", 0, values(3));
    await settle();
    expect(notes.offsets()).toEqual([]);
    source.resume(notes.leases[0] as Lease);
    await settle();
    expect(notes.offsets()).toEqual([[0, 1, 2]]);
  });

  test("seek() goes back and forward when the lease is live", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    memory.deliver("t", 0, values(4));
    await settle();
    source.seek(notes.leases[0] as Lease, 2);
    await settle();
    source.seek(notes.leases[0] as Lease, 10);
    memory.deliver("t", 0, values(7));
    await settle();
    expect(notes.offsets()).toEqual([[0, 1, 2, 3], [2, 3], [10]]);
  });

  test("skip() and higher offsets leave holes that the listener hears of", async () => {
    const memory = memorySource();
    const [, notes] = await started(memory);
    memory.deliver("t", 0, [{ value: "a" }, { value: "b", offset: 5 }]);
    memory.skip("t", 0, 2);
    await settle();
    memory.skip("t", 0, 1);
    await settle();
    expect(notes.offsets()).toEqual([[0, 5]]);
    expect(notes.batches[0]?.nextOffset).toBe(8);
    expect(notes.log).toEqual(["assigned [t#0]", "advanced [t#0] 9"]);
    expect(() => memory.deliver("t", 0, [{ offset: 3 }])).toThrow(RangeError);
  });

  test("trim() moves the first readable offset when records are dropped", async () => {
    const memory = memorySource();
    memory.deliver("t", 0, values(5));
    memory.trim("t", 0, 3);
    const [, notes] = await started(memory);
    await settle();
    expect(notes.assignments[0]?.logStart).toBe(3);
    expect(notes.offsets()).toEqual([[3, 4]]);
  });

  test("step() alone hands over when deliverMode is manual", async () => {
    const memory = memorySource({ deliverMode: "manual" });
    const [source, notes] = await started(memory);
    memory.deliver("t", 0, values(2));
    memory.deliver("t", 0, values(3));
    await settle();
    expect(notes.offsets()).toEqual([]);
    expect(memory.step("t", 0, { maxRecords: 3 })).toBe(3);
    source.pause(notes.leases[0] as Lease);
    expect(memory.step("t", 0)).toBe(-1);
    expect(memory.step("t", 0, { late: true })).toBe(2);
    expect(memory.step("t", 0, { late: true })).toBe(-1);
    expect(notes.offsets()).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });
});

describe("memorySource lifecycle", () => {
  test("start() rejects when topics are given and one is missing", async () => {
    const memory = memorySource({ topics: { other: 1 } });
    await expect(open(memory).start(new Notes())).rejects.toThrow(SourceError);
  });

  test("stop() ends delivery", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    memory.deliver("t", 0, values(1));
    await source.stop({ leave: true, signal: never });
    await settle();
    expect(notes.batches).toEqual([]);
  });

  test("fail() reaches the listener", async () => {
    const memory = memorySource();
    const [, notes] = await started(memory);
    memory.fail(new SourceError("gone"), true);
    expect(notes.log[1]).toBe("failed true gone");
  });

  test("listenerErrors() keeps what a listener throws, and delivery goes on", async () => {
    const memory = memorySource();
    const notes = new Notes();
    const boom = new Error("boom");
    let calls = 0;
    notes.deliver = () => {
      calls += 1;
      if (calls === 1) throw boom;
      return calls === 2 ? Promise.reject(boom) : undefined;
    };
    await started(memory, notes);
    for (let i = 0; i < 3; i++) memory.deliver("t", 0, values(1));
    await settle();
    expect(calls).toBe(3);
    expect(memory.listenerErrors()).toEqual([boom, boom]);
  });

  test("a start offset that is none fails the consumer", async () => {
    const memory = memorySource();
    const notes = new Notes();
    notes.start = () => Number.NaN;
    await started(memory, notes);
    expect(notes.log[1]).toContain("received NaN");
  });

  test("idle() resolves when everything delivered is committed, and not before", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    let idle = 0;
    const watch = (): void => {
      void memory.idle().then(() => {
        idle += 1;
      });
    };
    watch();
    await settle();
    expect(idle).toBe(1);
    memory.deliver("t", 0, values(2));
    watch();
    await settle();
    await commit(source, notes.leases[0], 1);
    await settle();
    expect(idle).toBe(1);
    await commit(source, notes.leases[0], 2);
    await settle();
    expect(idle).toBe(2);
    source.seek(notes.leases[0] as Lease, 0);
    watch();
    await settle();
    expect(idle).toBe(2);
    await commit(source, notes.leases[0], 2);
    await settle();
    expect(idle).toBe(3);
  });

  test("idle() waits while a delivery is held", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    let release = (): void => {};
    notes.hold = new Promise((resolve) => {
      release = resolve;
    });
    memory.deliver("t", 0, values(1));
    await settle();
    await commit(source, notes.leases[0], 1);
    let idle = false;
    void memory.idle().then(() => {
      idle = true;
    });
    await settle();
    expect(idle).toBe(false);
    release();
    await settle();
    expect(idle).toBe(true);
  });

  test("sink() appends and admin() sees it", async () => {
    const memory = memorySource({ topics: { t: 2 } });
    const sink = memory.source.sink?.();
    const admin = memory.source.admin?.();
    const record = { key: null, value: null, headers: [], timestamp: 1, id: null };
    const outcomes = await sink?.send([
      { topic: "t", partition: 1, records: [record, record] },
      { topic: "t", partition: 2, records: [record] },
    ]);
    expect(outcomes?.[0]).toEqual({ baseOffset: 0 });
    expect(outcomes?.[1]).toHaveProperty("error");
    expect(memory.records("t", 1).length).toBe(2);
    expect(await admin?.partitionCounts(["t", "none"])).toEqual(new Map([["t", 2]]));
    expect((await admin?.logBounds("t"))?.[1]).toEqual({ partition: 1, logStart: 0, logEnd: 2 });
    memory.setCommitted("g", "t", 0, 5, "x");
    expect(await admin?.committed("g", "t")).toEqual([
      { partition: 0, offset: 5, metadata: "x" },
      { partition: 1, offset: null, metadata: "" },
    ]);
  });
});
