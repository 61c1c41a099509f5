import { expect, test } from "bun:test";
import type { Message } from "../../src/types.ts";
import { Calls, TOPIC, withRig } from "../consumer/rig.ts";

const FILLING = { maxMessages: 3, maxWaitMs: 200 };
// More is in the log than was polled: only then may a call be held back (F3).
const MEMORY = { deliverMode: "manual" } as const;
const PER_KEY = { maxPartitions: 4, distribution: "per-key" as const };
const keysOf = (text: string): { key: string }[] => Array.from(text, (key) => ({ key }));

test("F3: what waited behind an ordered run is held back for maxWaitMs after it came", async () => {
  const calls = new Calls();
  const partitioner = (message: Message): string => {
    if (message.offset < 3) throw new Error("planned");
    return "a";
  };
  const topic = { eachBatch: calls.eachBatch, ...FILLING, virtualPartitions: { partitioner } };
  await withRig({ topic, memory: MEMORY }, async ({ pass, memory }) => {
    memory.deliver(TOPIC, 0, keysOf("aaaaaa"));
    memory.step(TOPIC, 0, { maxRecords: 3 });
    memory.step(TOPIC, 0, { maxRecords: 2 });
    await pass(150);
    expect(calls.started).toEqual([0, 1, 2]);
    calls.finishAll();
    await pass(49);
    expect(calls.started).toEqual([0, 1, 2]);
    await pass(1);
    expect(calls.started).toEqual([0, 1, 2, 3, 4]);
    calls.finishAll();
  });
});

test("F3: what a call leaves in its lane is held back for maxWaitMs after it came", async () => {
  const calls = new Calls();
  await withRig(
    { topic: { eachBatch: calls.eachBatch, ...FILLING }, memory: MEMORY },
    async (rig) => {
      rig.memory.deliver(TOPIC, 0, keysOf("aaaaaa"));
      rig.memory.step(TOPIC, 0, { maxRecords: 4 });
      await rig.pass(150);
      calls.finishAll();
      await rig.pass(49);
      expect(calls.started).toEqual([0, 1, 2]);
      await rig.pass(1);
      expect(calls.started).toEqual([0, 1, 2, 3]);
      calls.finishAll();
    },
  );
});

test("F3: a lane whose messages came later may fill its call for longer", async () => {
  const calls = new Calls();
  const topic = { eachBatch: calls.eachBatch, ...FILLING, virtualPartitions: PER_KEY };
  await withRig({ topic, memory: MEMORY }, async ({ pass, memory }) => {
    memory.deliver(TOPIC, 0, keysOf("aaaabz"));
    memory.step(TOPIC, 0, { maxRecords: 4 });
    await pass(120);
    memory.step(TOPIC, 0, { maxRecords: 1 });
    await pass(30);
    calls.finishAll();
    await pass(50);
    expect(calls.started).toEqual([0, 1, 2, 3]);
    await pass(119);
    expect(calls.started).toEqual([0, 1, 2, 3]);
    await pass(1);
    expect(calls.started).toEqual([0, 1, 2, 3, 4]);
    calls.finishAll();
  });
});
