import { expect, test } from "bun:test";
import type { TopicOptions } from "../../src/options.ts";
import type { Sink, SourceFactory } from "../../src/source/source.ts";
import { type MemorySource, memorySource } from "../../src/testing/memory-source.ts";
import { Calls, TOPIC, withRig } from "../consumer/rig.ts";

const DEAD = "dead";
const WHERE = [{ topic: TOPIC, partition: 0 }];
const RETRY = { backoffMs: 100, jitter: 0 };

function memoryOf(): MemorySource {
  return memorySource({ topics: { [TOPIC]: 1, [DEAD]: 1 } });
}

/** The memory's source with another sink. */
function sourceWith(memory: MemorySource, sink: (inner: Sink) => Partial<Sink>): SourceFactory {
  const { source } = memory;
  const wrapped = (): Sink => {
    const inner = source.sink!();
    return { ...inner, ...sink(inner) };
  };
  return { ...source, sink: wrapped };
}

/** One key is one lane. */
function lanes(calls: Calls, more: Partial<TopicOptions>): TopicOptions {
  return {
    eachMessage: calls.eachMessage,
    retry: RETRY,
    virtualPartitions: { distribution: "per-key", maxPartitions: 4 },
    ...more,
  } as TopicOptions;
}

test("Q6: nothing is dispatched when the lease was lost while the topic was looked up", async () => {
  let answer = (): void => {};
  let isUp = false;
  const memory = memoryOf();
  const source = sourceWith(memory, (inner) => ({
    partitionCount: async (topic) => {
      if (isUp) {
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
      }
      return inner.partitionCount(topic);
    },
  }));
  const calls = new Calls();
  const deadLetterQueue = { topic: DEAD, maxRetries: 0 };
  const topic = lanes(calls, { onError: "isolate", deadLetterQueue });
  await withRig({ topic, memory, consumer: { source } }, async ({ send, pass }) => {
    isUp = true;
    await send(["a"]);
    calls.at(0).fail();
    await pass();
    await memory.lose(WHERE);
    answer();
    await pass();
    expect(memory.records(DEAD, 0)).toEqual([]);
  });
});

test("E1: a message that its handler has marked becomes no dead letter when the call fails", async () => {
  const memory = memoryOf();
  const calls = new Calls();
  const deadLetterQueue = { topic: DEAD, maxRetries: 0 };
  const topic = lanes(calls, { onError: "isolate", deadLetterQueue });
  await withRig({ topic, memory }, async ({ send, pass, stored }) => {
    await send(["a"]);
    calls.at(0).context.markAsConsumed();
    calls.at(0).fail();
    await pass(1000);
    expect(memory.records(DEAD, 0)).toEqual([]);
    expect(calls.started).toEqual([0]);
    expect(stored()).toBe(1);
  });
});

test("Q5: a mark by a call that had failed before leaves the collapsed budget as it is", async () => {
  const memory = memoryOf();
  const calls = new Calls();
  const deadLetterQueue = { topic: DEAD, maxRetries: 1 };
  const topic = { eachBatch: calls.eachBatch, retry: RETRY, deadLetterQueue };
  await withRig({ topic, memory }, async ({ send, pass }) => {
    await send(["a", "b"]);
    const [first] = calls.at(0).messages;
    calls.at(0).context.markAsConsumed(first);
    calls.at(0).fail();
    await pass(100);
    calls.at(1).fail();
    await pass();
    // The second failure of the partition, and nothing that began after the first has marked anything.
    expect(memory.records(DEAD, 0)).toHaveLength(1);
  });
});

test("E5: a lane's dead letter does not end the back-off of a collapse", async () => {
  let answer = (): void => {};
  const memory = memoryOf();
  const source = sourceWith(memory, (inner) => ({
    send: async (batches) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return inner.send(batches);
    },
  }));
  const calls = new Calls();
  const deadLetterQueue = { topic: DEAD, maxRetries: 0 };
  const topic = lanes(calls, { onError: "isolate", deadLetterQueue });
  await withRig({ topic, memory, consumer: { source } }, async ({ send, pass }) => {
    await send(["a", "b"]);
    calls.at(0).fail();
    await pass();
    calls.at(1).context.collapseUntil(1);
    calls.at(1).fail();
    await pass(50);
    answer();
    await pass(49);
    expect(calls.started).toEqual([0, 1]);
    await pass(1);
    expect(calls.started).toEqual([0, 1, 1]);
    calls.finishAll();
    await pass();
  });
});

test("E6: collapseUntil() of an offset that is marked does nothing, though its lane waits", async () => {
  const calls = new Calls();
  const topic = lanes(calls, { onError: "isolate" });
  await withRig({ topic }, async ({ send, consumer }) => {
    await send(["a", "b", "c"]);
    calls.at(0).context.markAsConsumed();
    calls.at(0).fail();
    await Promise.resolve();
    calls.at(1).context.collapseUntil(0);
    expect(consumer.stats().partitions[0]!.collapsedUntil).toBe(null);
    calls.finishAll();
  });
});

test("E2: the window holds what an isolated lane had started before", async () => {
  const calls = new Calls();
  const topic = lanes(calls, { onError: "isolate" });
  await withRig({ topic }, async ({ send, pass, consumer }) => {
    await send(["a", "b", "c"]);
    calls.at(2).fail();
    await pass();
    calls.at(0).context.collapseUntil(0);
    calls.at(0).fail();
    calls.finish(1);
    await pass();
    expect(consumer.stats().partitions[0]!.collapsedUntil).toBe(3);
    await pass(100);
    calls.finish(0);
    await pass(100);
    calls.finish(2);
    await pass();
  });
});
