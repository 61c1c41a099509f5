import { describe, expect, test } from "bun:test";
import type { Lease } from "../../src/source/source.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import { clock, commit, Notes, open, settle, started, values } from "./notes.ts";

describe("memorySource rebalances", () => {
  const t0 = [{ topic: "t", partition: 0 }];

  test("R2: revoke() waits for the drain, suspends, and ends the lease", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    let drained = (): void => {};
    notes.drain = new Promise((resolve) => {
      drained = resolve;
    });
    const inside: (string | undefined)[] = [];
    const revoked = memory.revoke(t0, {
      whileSuspended: async () => {
        inside.push(await commit(source, notes.leases[0], 2));
      },
    });
    await settle();
    memory.deliver("t", 0, values(1));
    expect(await commit(source, notes.leases[0], 1)).toBe("stored");
    expect(notes.log).toEqual(["assigned [t#0]", "revoking [t#0] 100"]);
    drained();
    await revoked;
    expect(inside).toEqual(["not-now"]);
    expect(notes.log[2]).toBe("joined [] ended [t#0]");
    expect(await commit(source, notes.leases[0], 3)).toBe("fenced");
    expect(notes.offsets()).toEqual([]);
    await memory.assign(t0);
    await settle();
    expect(notes.leases[1]).not.toBe(notes.leases[0]);
    expect(notes.assignments[1]?.committed?.offset).toBe(1);
  });

  test("R3: revoke() continues the lease when it is kept", async () => {
    const memory = memorySource({ topics: { t: 2 } });
    const [source, notes] = await started(memory);
    await memory.revoke([...t0, { topic: "t", partition: 1 }], { keep: t0 });
    expect(notes.log[2]).toBe("joined [t#0] ended [t#1]");
    expect(await commit(source, notes.leases[0], 1)).toBe("stored");
    memory.deliver("t", 0, values(1));
    memory.deliver("t", 1, values(1));
    await settle();
    expect(notes.batches.map((batch) => batch.lease)).toEqual([notes.leases[0] as Lease]);
  });

  test("R7: revoke() goes on without the consumer when it drains for too long", async () => {
    const memory = memorySource();
    const [, notes] = await started(memory);
    notes.drain = new Promise(() => {});
    const revoked = memory.revoke(t0);
    await clock.advance(100 + 4999);
    expect(notes.log.length).toBe(2);
    await clock.advance(1);
    await revoked;
    expect(notes.log[2]).toBe("joined [] ended [t#0]");
  });

  test("lose() ends a lease that is draining", async () => {
    const memory = memorySource();
    const [, notes] = await started(memory);
    let drained = (): void => {};
    notes.drain = new Promise((resolve) => {
      drained = resolve;
    });
    const revoked = memory.revoke(t0);
    await settle();
    await memory.lose(t0);
    drained();
    await revoked;
    expect(notes.log).toEqual(["assigned [t#0]", "revoking [t#0] 100", "lost [t#0]"]);
  });

  test("a second member gets nothing by itself, and what it is given once it is free", async () => {
    const memory = memorySource();
    const [, first] = await started(memory);
    const [, second] = await started(memory);
    expect([first.leases.length, second.leases.length]).toEqual([1, 0]);
    await expect(memory.assign(t0, 1)).rejects.toThrow(RangeError);
    await memory.revoke(t0);
    await memory.assign(t0, 1);
    memory.deliver("t", 0, values(1));
    await settle();
    expect([first.batches.length, second.batches.length]).toEqual([0, 1]);
  });

  test("two members that start at the same time never own the same partition", async () => {
    const memory = memorySource();
    const [one, two] = [new Notes(), new Notes()];
    await Promise.all([open(memory).start(one), open(memory).start(two)]);
    expect([one.leases.length, two.leases.length]).toEqual([1, 0]);
  });

  test("groups are independent of each other", async () => {
    const memory = memorySource();
    const [a, b] = [new Notes(), new Notes()];
    await open(memory, ["t"], "a").start(a);
    await open(memory, ["t"], "b").start(b);
    memory.deliver("t", 0, values(1));
    await settle();
    expect([a.batches.length, b.batches.length]).toEqual([1, 1]);
  });

  test("assignment manual gives a member nothing before assign()", async () => {
    const memory = memorySource({ topics: { t: 2 }, assignment: "manual" });
    const [, notes] = await started(memory);
    expect(notes.leases).toEqual([]);
    await memory.assign([{ topic: "t", partition: 1 }]);
    expect(notes.log).toEqual(["assigned [t#1]"]);
    await expect(memory.revoke(t0)).rejects.toThrow(RangeError);
  });

  test("kill() frees the partitions, and the dead member hears nothing more", async () => {
    const memory = memorySource();
    const [source, notes] = await started(memory);
    memory.kill(0);
    const [, second] = await started(memory);
    memory.deliver("t", 0, values(1));
    await settle();
    expect([notes.batches.length, second.batches.length]).toEqual([0, 1]);
    const control = new AbortController();
    const answer = commit(source, notes.leases[0], 1, control.signal);
    control.abort();
    expect(await answer).toBe("retry");
    expect(memory.staleCommits()).toEqual([]);
  });
});
