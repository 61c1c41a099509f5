import { expect, test } from "bun:test";
import { Calls, TOPIC, withRig } from "../consumer/rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];

test("O4: what was marked while the lease was suspended is committed when it goes on", async () => {
  const calls = new Calls();
  const topic = { eachMessage: calls.eachMessage };
  const consumer = { drainTimeoutMs: 0 };
  await withRig({ topic, consumer }, async ({ send, pass, memory, stored }) => {
    await send(["a"]);
    let answer = (): void => {};
    const whileSuspended = (): Promise<void> =>
      new Promise((resolve) => {
        answer = resolve;
      });
    void memory.revoke(WHERE, { keep: WHERE, whileSuspended });
    await pass();
    calls.finish(0);
    await pass(5000);
    expect(stored()).toBe(0);
    answer();
    await pass(50);
    expect(stored()).toBe(1);
  });
});

test("R3: a lease that goes on commits again, though the generation before was fenced", async () => {
  const calls = new Calls();
  const topic = { eachMessage: calls.eachMessage };
  const consumer = { drainTimeoutMs: 0 };
  await withRig({ topic, consumer }, async ({ send, pass, memory, stored }) => {
    await send(["a", "a"]);
    calls.finish(0);
    await pass();
    memory.failNextCommit("fenced");
    void memory.revoke(WHERE, { keep: WHERE });
    await pass();
    expect(memory.commitAttempts().at(-1)?.outcome).toBe("fenced");
    calls.finish(1);
    await pass(100);
    expect(stored()).toBe(2);
  });
});
