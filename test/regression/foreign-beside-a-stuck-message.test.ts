import { expect, test } from "bun:test";
import { createConsumer } from "../../src/consumer.ts";
import { byKey } from "../../src/group/partitioners.ts";
import { readPosition } from "../../src/segments/position.ts";
import { memorySource } from "../../src/testing/memory-source.ts";

/*
 * A segment polls its own message 0, which never ends, and foreign ones behind it. Nothing was ever marked, so nothing
 * was committed: that it had read the foreign ones was forgotten, and a collapse of the segments repeated them.
 */
test("S2: foreign messages behind one that never ends are stored as done", async () => {
  const memory = memorySource({ topics: { orders: 1 } });
  const { admin } = memory.source;
  const start = { partition: 0, offset: 0, metadata: "" };
  for (const segment of [0, 1]) await admin!().commit(`g-parallel-${segment}`, "orders", [start]);
  let begun = (): void => {};
  const isStuck = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const consumer = createConsumer({
    source: memory.source,
    groupId: "g",
    drainTimeoutMs: 0,
    logger: false,
    parallelSegments: {
      count: 2,
      partitioner: byKey(),
      reducer: (key, count) => Number(key) % count,
      run: [0],
    },
    topics: {
      orders: {
        eachMessage: (_message, { signal }) => {
          begun();
          return new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason), { once: true });
          });
        },
      },
    },
  });
  await consumer.start();
  memory.deliver(
    "orders",
    0,
    ["0", "1", "1", "0", "1"].map((key) => ({ key, value: "v" })),
  );
  await isStuck;
  await consumer.close();
  const stored = memory.committed("g-parallel-0", "orders", 0)!;
  const { offset, completed } = readPosition(stored, 5);
  expect([offset, [...completed.ranges()]]).toEqual([
    0,
    [
      { from: 1, to: 3 },
      { from: 4, to: 5 },
    ],
  ]);
});
