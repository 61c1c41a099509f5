import { describe, expect, test } from "bun:test";
import type { MemoryRecordInput } from "../../src/testing/memory-log.ts";
import { laneByKey, range } from "../consumer/rig.ts";
import { TOPIC, withLab } from "./lab.ts";

const steps = JSON.stringify([["message"]]);

describe("messages in a worker thread", () => {
  test("W2, W6: have their key, value, headers, times, offsets, and the payload that the module makes", async () => {
    const records: MemoryRecordInput[] = [
      { key: "a", value: steps, timestamp: 1234, headers: [["h", "1"]] },
      {
        key: null,
        value: steps,
        headers: [
          ["h", "1"],
          ["g", ""],
          ["h", "ü"],
        ],
      },
      { key: "", value: steps },
    ];
    const topic = { deserializer: () => "payload of the polling thread" };
    await withLab({ topic }, async ({ sendTo, until, noted, stored, memory }) => {
      memory.skip(TOPIC, 0, 5);
      sendTo(0, records);
      await until(() => stored() === 8);
      const sent = memory.records(TOPIC, 0);
      const same = { topic: TOPIC, partition: 0, value: steps, isBuffer: true };
      const payload = `payload of ${steps.length} bytes`;
      expect(noted("message")).toMatchObject([
        { ...same, offset: 5, key: "a", timestamp: 1234, headers: [["h", "1"]], payload },
        {
          ...same,
          ...{ offset: 6, key: null, timestamp: sent[1]!.timestamp, payload },
          headers: [
            ["h", "1"],
            ["g", ""],
            ["h", "ü"],
          ],
        },
        { ...same, offset: 7, key: "", headers: [] },
      ]);
    });
  });

  test("W2: a null value is null there, and an empty one is empty", async () => {
    await withLab({ form: "eachBatch" }, async ({ sendTo, until, noted, stored }) => {
      sendTo(0, [
        { key: "a", value: null },
        { key: "a", value: steps },
      ]);
      await until(() => stored() === 2);
      expect(noted("message")).toHaveLength(1);
      expect(noted("start").flatMap(({ offsets }) => offsets)).toEqual([0, 1]);
    });
  });

  test("W2: messages larger than the shared memory of a thread come whole", async () => {
    const value = JSON.stringify([["size"]]);
    // More than the arena holds, then more than the rings do.
    const values = [9_000_000, 0, 3_000_000, 0, 5_000_000, 100_000].map(
      (spaces, i) => `${value}${" ".repeat(spaces)}${"\n".repeat(i)}`,
    );
    await withLab({ consumer: { maxInFlightBytes: 2 ** 28 } }, async (lab) => {
      lab.sendTo(
        0,
        values.map((text, i) => ({ key: `k${i % 3}`, value: text })),
      );
      await lab.until(() => lab.stored() === 6);
      const sums = values.map((text) => {
        let sum = 0;
        for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) >>> 0;
        return { length: text.length, sum };
      });
      const seen = lab.noted("size").map(({ length, sum }) => ({ length, sum }));
      expect(seen).toHaveLength(6);
      for (const one of sums) expect(seen).toContainEqual(one);
    });
  });

  test("W2: a message that is read after its call throws; detach() has made a copy that does not", async () => {
    await withLab({}, async ({ send, until, noted, stored }) => {
      send(["a", ["keep"]]);
      await until(() => stored() === 1);
      send(["b"], ["c"], ["b", ["readKept"]]);
      await until(() => stored() === 4);
      expect(noted("kept")).toMatchObject([
        {
          ...{ name: "ProcessError", code: "HEADRACE_MESSAGE_EXPIRED", offset: 0 },
          why: `Cannot read a message as its call must not have ended: received ${TOPIC}#0@0, and no detach()`,
          detached: '[["keep"]]',
        },
      ]);
    });
  });

  test("W2: messages stay as they are for as long as their call runs, whatever the thread does meanwhile", async () => {
    const topic = { virtualPartitions: laneByKey(8) };
    const consumer = { concurrency: 4, maxInFlightBytes: 2 ** 28 };
    await withLab({ topic, consumer }, async ({ send, until, noted, stored, open }) => {
      send(["0", ["gate", 1], ["message"]]);
      await until(() => noted("start").length === 1);
      // Several times what the memory of the thread holds goes past it.
      const filler = ["misuse", ["setOffsetMetadata", "y".repeat(200_000)]] as const;
      for (let round = 0; round < 10; round++) {
        send(...range(10).map((i) => [String(1 + (i % 7)), filler] as const));
      }
      await until(() => noted("end").length === 100);
      open(1);
      await until(() => stored() === 101);
      expect(noted("message")).toMatchObject([
        { offset: 0, value: '[["gate",1],["message"]]', key: "0" },
      ]);
    });
  });
});
