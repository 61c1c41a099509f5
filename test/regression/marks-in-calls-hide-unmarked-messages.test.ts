import { expect, test } from "bun:test";
import { Calls, withRig } from "../consumer/rig.ts";

test("O9: a running call that has marked its message does not make room for another unmarked one", async () => {
  const calls = new Calls();
  const topic = {
    eachMessage: calls.eachMessage,
    acknowledge: "manual" as const,
    virtualPartitions: { distribution: "per-key" as const, maxPartitions: 2 },
  };
  await withRig({ topic, consumer: { maxUnmarkedMessages: 1 } }, async ({ send, pass }) => {
    await send(["a", "b", "c"]);
    calls.at(0).context.markAsConsumed();
    const { context, messages } = calls.at(1);
    calls.finish(1);
    await pass();
    expect(calls.started).toEqual([0, 1]);
    context.markAsConsumed(messages[0]);
    await pass();
    expect(calls.started).toEqual([0, 1, 2]);
    calls.finishAll();
  });
});
