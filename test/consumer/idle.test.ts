import { describe, expect, test } from "bun:test";
import type { ConsumerEvents } from "../../src/events.ts";
import { Calls, type Rig, TOPIC, withRig } from "./rig.ts";

type Idle = ConsumerEvents["idle"];

function idleOf({ consumer }: Rig): Idle[] {
  const seen: Idle[] = [];
  consumer.on("idle", (event) => void seen.push(event));
  return seen;
}

const at = (offset: number, partition = 0): Idle => ({ topic: TOPIC, partition, offset });
const PER_KEY = { virtualPartitions: { maxPartitions: 10, distribution: "per-key" as const } };

describe("idle", () => {
  test("comes once the last call has ended, at the end of the log, and once per position", async () => {
    const calls = new Calls();
    await withRig({ topic: { eachMessage: calls.eachMessage, ...PER_KEY } }, async (rig) => {
      const seen = idleOf(rig);
      await rig.send(["a", "b"]);
      await rig.pass(1000);
      expect(seen).toEqual([]);
      calls.finish(0);
      await rig.pass(1000);
      expect(seen).toEqual([]);
      calls.finishAll();
      await rig.pass(1000);
      expect(seen).toEqual([at(2)]);
      await rig.send(["c"]);
      expect(seen).toEqual([at(2)]);
      calls.finishAll();
      await rig.pass(100);
      expect(seen).toEqual([at(2), at(3)]);
      expect(rig.stored()).toBe(3);
    });
  });

  test("is per partition, and a retry that waits is not idle", async () => {
    let failures = 1;
    const eachMessage = (): void => {
      if (failures-- > 0) throw new Error("planned");
    };
    const memory = { topics: { [TOPIC]: 2 } };
    const topic = { eachMessage, retry: { backoffMs: 500, jitter: 0 } };
    await withRig({ topic, memory }, async (rig) => {
      const seen = idleOf(rig);
      await rig.send(["a"], 0);
      await rig.send(["b"], 1);
      await rig.pass(400);
      expect(seen).toEqual([at(1, 1)]);
      await rig.pass(200);
      expect(seen).toEqual([at(1, 1), at(1, 0)]);
    });
  });

  test("with nothing to handle it comes with the assignment", async () => {
    const memory = { topics: { [TOPIC]: 1 } };
    await withRig({ topic: { eachMessage: () => {} }, memory }, async (rig) => {
      await rig.memory.revoke([{ topic: TOPIC, partition: 0 }]);
      const seen = idleOf(rig);
      await rig.memory.assign([{ topic: TOPIC, partition: 0 }]);
      await rig.pass();
      expect(seen).toEqual([at(0)]);
    });
  });

  test("manual: it counts what has ended, not what is marked", async () => {
    const topic = { eachMessage: () => {}, acknowledge: "manual" as const };
    await withRig({ topic }, async (rig) => {
      const seen = idleOf(rig);
      await rig.send(["a"]);
      await rig.pass(100);
      expect(seen).toEqual([at(1)]);
      expect(rig.consumer.stats().partitions[0]).toMatchObject({
        unacknowledged: 1,
        committable: 0,
      });
    });
  });
});
