import { expect, test } from "bun:test";
import { Calls, TOPIC, withRig } from "../consumer/rig.ts";

test("O10: after a seek, too, nothing is handed out before a start is stored", async () => {
  const calls = new Calls();
  const topic = { eachMessage: calls.eachMessage };
  const memory = { onCommit: () => (holds ? ("retry" as const) : undefined) };
  let holds = true;
  await withRig({ topic, memory }, async ({ consumer, send, pass, stored }) => {
    await send(["a", "b", "c"]);
    await consumer.seek({ topic: TOPIC, partition: 0 }, 1);
    await pass(500);
    expect(stored()).toBe(null);
    expect(calls.started).toEqual([]);
    holds = false;
    await pass(1000);
    expect(stored()).toBe(1);
    expect(calls.started).toEqual([1]);
    calls.finishAll();
  });
});
