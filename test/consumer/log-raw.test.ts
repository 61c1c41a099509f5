import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { log, openLog } from "../../src/adapters/log.ts";
import { createConsumer } from "../../src/index.ts";
import type { SinkRecord } from "../../src/source/source.ts";
import type { Message } from "../../src/types.ts";
import { random, removeTemporary, temporaryDirectory } from "../log/temporary.ts";

afterEach(removeTemporary);

const TOPIC = "raw";

/** Batches of one record, of some, of more than one delivery has; keys, none and empty; headers. */
function randomBatches(next: () => number): SinkRecord[][] {
  let number = 0;
  const sizes = [1, 1, 15, 16, 17, 1, 1500, ...Array.from({ length: 40 }, () => 1 + (next() % 90))];
  return sizes.map((size) =>
    Array.from({ length: size }, () => {
      const key =
        next() % 10 === 0 ? null : Buffer.from(next() % 20 === 0 ? "" : `k${next() % 30}`);
      const headers = next() % 4 === 0 ? ([["n", Buffer.from(`${number}`)]] as const) : [];
      const value = Buffer.from(`${number++}`.padEnd(8 + (next() % 200), "."));
      return { key, value, headers, timestamp: 1_700_000_000_000 + number, id: null };
    }),
  );
}

const keyOf = (key: Uint8Array | null): string => (key === null ? "none" : `key ${String(key)}`);

describe("a consumer over raw batches of the log", () => {
  test.each(["consistent", "balanced", "per-key"] as const)(
    "F2, D4: %s: complete, in key order, and kept messages stay as they were written",
    async (distribution) => {
      const directory = temporaryDirectory();
      const batches = randomBatches(random(20_260_110));
      const written = batches.flat();
      const store = await openLog(directory, { topics: { [TOPIC]: { partitions: 1 } } });
      for (const batch of batches) await store.append(TOPIC, 0, batch);
      await store.close();
      const kept: Message[] = [];
      const last = new Map<string, number>();
      const running = new Set<string>();
      const consumer = createConsumer({
        source: log(directory),
        groupId: "g",
        concurrency: 20,
        fromBeginning: true,
        maxInFlightMessages: 500,
        topics: {
          [TOPIC]: {
            virtualPartitions: { distribution },
            eachMessage: async (message) => {
              const key = keyOf(message.key);
              expect(running.has(key)).toBe(false);
              expect(message.offset).toBeGreaterThan(last.get(key) ?? -1);
              running.add(key);
              // Some calls last while others come and go, and while later batches are read.
              for (let turns = message.offset % 5; turns > 0; turns--) {
                await new Promise((resolve) => setImmediate(resolve));
              }
              running.delete(key);
              last.set(key, message.offset);
              kept.push(message);
              if (kept.length === written.length) void consumer.close();
            },
          },
        },
      });
      await consumer.run();
      expect(kept.length).toBe(written.length);
      for (const message of kept) {
        const { key, value, headers, timestamp } = written[message.offset]!;
        expect([keyOf(message.key), message.text()]).toEqual([keyOf(key), String(value)]);
        expect(message.headers.text("n")).toBe(headers.length === 0 ? null : `${message.offset}`);
        expect(message.timestamp).toBe(timestamp);
      }
      expect(new Set(kept.map(({ offset }) => offset)).size).toBe(written.length);
    },
  );
});
