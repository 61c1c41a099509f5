import { expect, test } from "bun:test";
import { Calls, TOPIC, withRig } from "../consumer/rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];

test("E9: what an abandoned call had marked is not handed over again when its lease goes on", async () => {
  const calls = new Calls();
  const topic = { eachBatch: calls.eachBatch };
  await withRig({ topic }, async ({ send, pass, memory, stored }) => {
    await send(["a", "b", "c"]);
    const call = calls.at(0);
    void memory.revoke(WHERE, { keep: WHERE });
    await pass();
    call.context.markAsConsumed(call.messages[0]);
    call.fail();
    await pass();
    expect(calls.started).toEqual([0, 1, 2, 1]);
    expect(calls.at(1).context.attempt).toBe(1);
    calls.finish(1);
    await pass();
    // Nothing has failed, for the rest of the call neither.
    expect(calls.at(2).context.attempt).toBe(1);
    calls.finish(2);
    await pass(50);
    expect(stored()).toBe(3);
  });
});

test("O2: marking a later message of an abandoned call marks the earlier ones", async () => {
  const calls = new Calls();
  const topic = { eachBatch: calls.eachBatch };
  await withRig({ topic, consumer: { drainTimeoutMs: 0 } }, async ({ send, pass, memory }) => {
    await send(["a", "b", "c"]);
    const call = calls.at(0);
    let answer = (): void => {};
    const whileSuspended = (): Promise<void> =>
      new Promise((resolve) => {
        answer = resolve;
      });
    void memory.revoke(WHERE, { keep: WHERE, whileSuspended });
    await pass();
    call.fail();
    await pass();
    expect(call.context.markAsConsumed(call.messages[1])).toBe(true);
    answer();
    await pass();
    expect(calls.started).toEqual([0, 1, 2, 2]);
    calls.finishAll();
    await pass();
  });
});
