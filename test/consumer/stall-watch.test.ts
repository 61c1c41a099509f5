import { expect, test } from "bun:test";
import { createConsumer } from "../../src/index.ts";
import type { SourceFactory } from "../../src/source/source.ts";
import { fakeClock, memorySource } from "../../src/testing/index.ts";
import type { Clock } from "../../src/types.ts";

const SESSION_MS = 3000;

/** A source of a group that waits for heartbeats, as a broker's group does. */
function withSession(source: SourceFactory): SourceFactory {
  return {
    open: (group) => Object.assign(source.open(group), { sessionTimeoutMs: SESSION_MS }),
  };
}

/** Kinds of `stalled` events after a handler has held the thread for so long. */
async function kindsAfterHolding(ms: number): Promise<string[]> {
  const fake = fakeClock();
  let heldMs = 0;
  const clock: Clock = {
    now: () => fake.now() + heldMs,
    wallTime: () => fake.wallTime(),
    setTimer: (callback, delayMs) => fake.setTimer(callback, delayMs),
    clearTimer: (handle) => fake.clearTimer(handle),
    defer: (callback) => fake.defer(callback),
  };
  const memory = memorySource({ topics: { t: 1 } });
  const consumer = createConsumer({
    source: withSession(memory.source),
    groupId: "g",
    fromBeginning: true,
    clock,
    topics: {
      t: {
        eachMessage: () => {
          heldMs += ms;
        },
      },
    },
  });
  const kinds: string[] = [];
  consumer.on("stalled", ({ topic, partition, kind }) => {
    kinds.push(`${topic}#${partition} ${kind}`);
  });
  const started = consumer.start();
  await fake.advance(0);
  await started;
  memory.deliver("t", 0, [{ value: "slow" }]);
  await fake.advance(SESSION_MS);
  const closed = consumer.close();
  await fake.advance(1000);
  await closed;
  return kinds;
}

test("R1: a handler that holds the thread for longer than a third of the session timeout is reported", async () => {
  expect(await kindsAfterHolding(SESSION_MS / 3 + 1)).toEqual(["t#0 blocked"]);
  expect(await kindsAfterHolding(SESSION_MS / 4)).toEqual([]);
  expect(await kindsAfterHolding(SESSION_MS / 10)).toEqual([]);
});
