import { describe, expect, test } from "bun:test";
import type { Message, MessageContext } from "../src/types.ts";
import { Calls, TOPIC, withRig } from "./consumer/rig.ts";

const HANDLERS = { distribution: "per-key" as const, maxPartitions: 100 };

describe("F2: values of slow messages do not hold their fetch", () => {
  test("what is left of an old batch reads copies; a message that was kept reads what it always read", async () => {
    const calls = new Calls();
    const seen: Message[] = [];
    const topic = {
      eachMessage: (message: Message, context: MessageContext): Promise<void> => {
        seen.push(message);
        return calls.eachMessage(message, context);
      },
      virtualPartitions: HANDLERS,
    };
    await withRig({ topic, consumer: { concurrency: 100 } }, async ({ memory, pass, send }) => {
      const keys = Array.from({ length: 32 }, (_, i) => `key ${i}`);
      memory.deliver(
        TOPIC,
        0,
        keys.map((key) => ({ key, value: `value of ${key}`, headers: { name: key } })),
      );
      await pass();
      const before = seen.map((message) => message.value);
      for (let offset = 0; offset < 28; offset++) calls.finish(offset);
      await pass(2000);
      // Each delivery looks at some of the batches before it.
      await send(["other"]);
      await send(["other"]);
      for (let offset = 0; offset < 32; offset++) {
        const message = seen[offset]!;
        expect(message.text()).toBe(`value of key ${offset}`);
        expect(message.keyText()).toBe(`key ${offset}`);
        expect(message.headers.text("name")).toBe(`key ${offset}`);
        // Only those whose calls still run have other bytes than before.
        expect(message.value === before[offset]).toBe(offset < 28);
      }
      calls.finishAll();
      await pass(100);
    });
  });

  test("messages that still wait in a lane are copied too, small batches whole", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    await withRig({ topic }, async ({ send, pass }) => {
      await send(["a", "b", "c"]);
      await pass(2000);
      await send(["d"]);
      const texts: (string | null)[] = [];
      for (let offset = 0; offset < 4; offset++) {
        texts.push(calls.at(offset).messages[0]!.keyText());
        calls.finish(offset);
        await pass();
      }
      expect(texts).toEqual(["a", "b", "c", "d"]);
    });
  });
});
