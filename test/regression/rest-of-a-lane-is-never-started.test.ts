import { expect, test } from "bun:test";
import type { Message } from "../../src/types.ts";
import { Calls, TOPIC, withRig } from "../consumer/rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];
const FILLING = { maxMessages: 2, maxWaitMs: 200 };
// More is in the log than was polled: only then may a call be held back (F3).
const MEMORY = { deliverMode: "manual" } as const;
const NINE = Array.from("aaaaaaaaa", (key) => ({ key }));

test("F3: what a call leaves in its lane waits for maxWaitMs, not for the next delivery", async () => {
  const calls = new Calls();
  const topic = { eachBatch: calls.eachBatch, ...FILLING };
  await withRig({ topic, memory: MEMORY }, async ({ pass, memory }) => {
    memory.deliver(TOPIC, 0, NINE);
    memory.step(TOPIC, 0, { maxRecords: 3 });
    await pass();
    calls.finish(0);
    await pass(199);
    expect(calls.started).toEqual([0, 1]);
    await pass(1);
    expect(calls.started).toEqual([0, 1, 2]);
    calls.finishAll();
  });
});

test("F3: an ordered run that waited for others is held back for maxWaitMs at most", async () => {
  const calls = new Calls();
  const partitioner = (message: Message): string => {
    if (message.offset === 2) throw new Error("planned");
    return "a";
  };
  const topic = { eachBatch: calls.eachBatch, ...FILLING, virtualPartitions: { partitioner } };
  await withRig({ topic, memory: MEMORY }, async ({ pass, memory }) => {
    memory.deliver(TOPIC, 0, NINE);
    memory.step(TOPIC, 0, { maxRecords: 2 });
    memory.step(TOPIC, 0, { maxRecords: 1 });
    await pass();
    calls.finish(0);
    await pass(200);
    expect(calls.started).toEqual([0, 1, 2]);
    calls.finishAll();
  });
});

test("F3: a call that was held back before a drain starts at once when its lease goes on", async () => {
  const calls = new Calls();
  const topic = { eachBatch: calls.eachBatch, ...FILLING };
  await withRig({ topic, memory: MEMORY }, async ({ pass, memory }) => {
    memory.deliver(TOPIC, 0, NINE);
    memory.step(TOPIC, 0, { maxRecords: 1 });
    await pass(100);
    expect(calls.started).toEqual([]);
    await memory.revoke(WHERE, { keep: WHERE });
    await pass();
    expect(calls.started).toEqual([0]);
    calls.finishAll();
  });
});
