import { describe, expect, test } from "bun:test";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message, MessageContext } from "../../src/types.ts";
import { Calls, keys, laneByKey, TOPIC, withRig } from "./rig.ts";

const HERE = { topic: TOPIC, partition: 0 };
const WHERE = [HERE];

/** Calls under control, on four lanes, with a strategy for texts. */
function fourLanes(calls: Calls, offsetMetadataStrategy?: "exact" | "current") {
  const strategy = offsetMetadataStrategy === undefined ? {} : { offsetMetadataStrategy };
  return { eachMessage: calls.eachMessage, virtualPartitions: { ...laneByKey(4), ...strategy } };
}

describe("the user's text", () => {
  test("O7: it travels with the commit, and is read back in assigned and context.offsetMetadata", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    const groupId = "texts";
    const calls = new Calls();
    const options = { topic: fourLanes(calls), memory, consumer: { groupId } };
    await withRig(options, async ({ send, pass, seen }) => {
      expect(seen("assigned")).toMatchObject([{ offset: 0, offsetMetadata: null }]);
      await send(["0", "1"]);
      expect(calls.at(0).context.offsetMetadata).toBeNull();
      calls.at(0).context.setOffsetMetadata("größe 1\n\u0000");
      calls.finishAll();
      await pass(100);
    });
    await withRig(options, async ({ send, seen, pass }) => {
      expect(seen("assigned")).toMatchObject([{ offset: 2, offsetMetadata: "größe 1\n\u0000" }]);
      await send(["0"]);
      const { context } = calls.at(2);
      expect(context.offsetMetadata).toBe("größe 1\n\u0000");
      context.setOffsetMetadata("2");
      // It is what was read, not what was said since.
      expect(context.offsetMetadata).toBe("größe 1\n\u0000");
      calls.finishAll();
      await pass(100);
    });
    // Nobody says anything: the text stays.
    await withRig(options, async ({ send, pass }) => {
      await send(["0"]);
      calls.finishAll();
      await pass(100);
    });
    await withRig(options, async ({ seen }) => {
      expect(seen("assigned")).toMatchObject([{ offset: 4, offsetMetadata: "2" }]);
    });
  });

  test("O7: a text alone is a reason to commit", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls) }, async ({ send, pass, memory, groupId }) => {
      await send(["0", "1"]);
      calls.at(1).context.setOffsetMetadata("early");
      await pass(1000);
      expect(memory.committed(groupId, TOPIC, 0)?.offset).toBe(0);
      const revoked = memory.revoke(WHERE);
      await pass(20_000);
      await revoked;
      calls.finishAll();
      await memory.assign(WHERE);
      await pass();
      expect(calls.at(0).context.offsetMetadata).toBe("early");
    });
  });

  /** The text that a new lease reads. */
  async function textRead(rig: Parameters<Parameters<typeof withRig>[1]>[0]): Promise<unknown> {
    await rig.memory.revoke(WHERE);
    await rig.memory.assign(WHERE);
    await rig.pass();
    return rig.seen("assigned").at(-1)?.offsetMetadata;
  }

  test("O7: current: the latest text given, whichever message it came with", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls, "current") }, async (rig) => {
      await rig.send(["0", "1", "2"]);
      calls.at(2).context.setOffsetMetadata("of 2");
      calls.at(0).context.setOffsetMetadata("of 0");
      calls.finishAll();
      await rig.pass();
      expect(await textRead(rig)).toBe("of 0");
    });
  });

  test("O7: exact: the text attached to the highest committed message", async () => {
    const calls = new Calls();
    await withRig({ topic: fourLanes(calls, "exact") }, async (rig) => {
      await rig.send(["0", "1", "2", "3"]);
      calls.at(3).context.setOffsetMetadata("of 3");
      calls.at(1).context.setOffsetMetadata("of 1");
      calls.at(0).context.setOffsetMetadata("of 0");
      calls.finish(0, 1, 3);
      await rig.pass(1000);
      expect(rig.stored()).toBe(2);
      const revoked = rig.memory.revoke(WHERE);
      await rig.pass(20_000);
      await revoked;
      calls.finishAll();
      await rig.memory.assign(WHERE);
      await rig.pass();
      expect(rig.seen("assigned").at(-1)?.offsetMetadata).toBe("of 1");
      calls.finish(2);
      await rig.pass(1000);
      // 3 was done before the move and its text went with the lease; 2 has none.
      expect(rig.stored()).toBe(4);
      expect(await textRead(rig)).toBe("of 1");
    });
  });

  test("O7: markAsConsumed(message, text) attaches a text, and says whether it counts", async () => {
    for (const strategy of ["exact", "current"] as const) {
      const calls = new Calls();
      const topic = { ...fourLanes(calls, strategy), acknowledge: "manual" as const };
      await withRig({ topic }, async (rig) => {
        await rig.send(["0", "1"]);
        const [one, two] = [calls.at(0), calls.at(1)];
        expect(two.context.markAsConsumed(two.messages[0], "of 1")).toBe(true);
        expect(one.context.markAsConsumed(undefined, "of 0")).toBe(true);
        calls.finishAll();
        await rig.pass();
        expect(await textRead(rig)).toBe(strategy === "exact" ? "of 1" : "of 0");
        expect(rig.stored()).toBe(2);
        expect(one.context.markAsConsumed(one.messages[0], "late")).toBe(false);
        await rig.pass(1000);
        expect(await textRead(rig)).toBe(strategy === "exact" ? "of 1" : "of 0");
      });
    }
  });

  test("H3, O7: after the call an explicit message takes a text; setOffsetMetadata does nothing", async () => {
    const calls = new Calls();
    const topic = { ...fourLanes(calls), acknowledge: "manual" as const };
    await withRig({ topic }, async (rig) => {
      await rig.send(["0"]);
      const { context, messages } = calls.at(0);
      calls.finishAll();
      await rig.pass();
      context.setOffsetMetadata("ignored");
      expect(context.markAsConsumed(undefined, "ignored")).toBe(false);
      expect(await textRead(rig)).toBeNull();
      calls.finishAll();
      await rig.pass();
      expect(context.markAsConsumed(messages[0], "of an old lease")).toBe(false);
      const { running } = calls;
      expect(running).toEqual([]);
    });
    const late = new Calls();
    const manual = { ...fourLanes(late), acknowledge: "manual" as const };
    await withRig({ topic: manual }, async (rig) => {
      await rig.send(["0"]);
      const { context, messages } = late.at(0);
      late.finishAll();
      await rig.pass();
      expect(context.markAsConsumed(messages[0], "late")).toBe(true);
      expect(await textRead(rig)).toBe("late");
      expect(rig.stored()).toBe(1);
    });
  });

  test("O7: more than maxMetadataLength − 64 units is a RangeError at the call, and marks nothing", async () => {
    const calls = new Calls();
    const consumer = { maxMetadataLength: 200 };
    await withRig({ topic: fourLanes(calls), consumer }, async ({ send, consumer: one }) => {
      await send(["0"]);
      const { context, messages } = calls.at(0);
      const long = "x".repeat(137);
      expect(() => context.setOffsetMetadata(long)).toThrow(RangeError);
      expect(() => context.setOffsetMetadata(long)).toThrow(/136 .+: received 137$/);
      expect(() => context.markAsConsumed(messages[0], long)).toThrow(RangeError);
      expect(() => context.markAsConsumed(undefined, long)).toThrow(RangeError);
      expect(() => context.setOffsetMetadata(7 as never)).toThrow(TypeError);
      expect(() => context.markAsConsumed(messages[0], 7 as never)).toThrow(TypeError);
      expect(() => context.markAsConsumed(messages[0], null as never)).toThrow(TypeError);
      expect(one.stats().partitions[0]?.committable).toBe(0);
    });
  });

  test("O7: the longest text travels whole, and the map takes the rest", async () => {
    for (const [offsetMap, text] of [
      ["dense", "x".repeat(136)],
      ["dense", "ß日".repeat(68)],
      ["ascii", "x".repeat(136)],
    ] as const) {
      const calls = new Calls();
      const consumer = { maxMetadataLength: 200, offsetMap };
      const topic = {
        eachMessage: calls.eachMessage,
        virtualPartitions: { maxPartitions: 300, distribution: "per-key" as const },
      };
      const options = { topic, consumer: { ...consumer, concurrency: 300 } };
      await withRig(options, async (rig) => {
        await rig.send(keys(300));
        calls.at(0).context.setOffsetMetadata(text);
        calls.finish(...keys(300).flatMap((_, i) => (i % 2 === 1 ? [i] : [])));
        await rig.pass(1000);
        const { metadata } = rig.memory.committed(rig.groupId, TOPIC, 0)!;
        expect(metadata.length).toBeLessThanOrEqual(200);
        calls.finishAll();
        await rig.pass();
        expect(await textRead(rig)).toBe(text);
      });
    }
  });

  test("O7, R11: after a seek the commit carries the latest text, not the one of the assignment", async () => {
    for (const strategy of ["exact", "current"] as const) {
      const calls = new Calls();
      await withRig({ topic: fourLanes(calls, strategy) }, async (rig) => {
        await rig.send(["0", "1", "2"]);
        calls.at(0).context.setOffsetMetadata("of 0");
        calls.finishAll();
        await rig.pass(1000);
        await rig.consumer.seek(HERE, 1);
        await rig.pass();
        expect(calls.at(1).context.offsetMetadata).toBe("of 0");
        calls.finishAll();
        await rig.pass(1000);
        expect(await textRead(rig)).toBe("of 0");
      });
    }
  });

  test("O7: another program's metadata is no text of the user", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    memory.deliver(TOPIC, 0, [{ key: "0" }]);
    memory.setCommitted("foreign", TOPIC, 0, 0, "someone else's note");
    const texts: unknown[] = [];
    const topic = {
      eachMessage: (_: Message, context: MessageContext) => void texts.push(context.offsetMetadata),
    };
    await withRig({ topic, memory, consumer: { groupId: "foreign" } }, async ({ seen }) => {
      expect(seen("assigned")).toMatchObject([{ offsetMetadata: null }]);
      expect(texts).toEqual([null]);
    });
  });
});
