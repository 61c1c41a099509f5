import type { SourceHarness } from "../../src/source/conformance.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Clock } from "../../src/types.ts";

const clock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
  defer: (callback) => void setTimeout(callback, 0),
};

/** A harness over a memory source of its own. */
export function memoryHarness(): SourceHarness {
  const memory = memorySource({ topics: {} });
  let names = 0;
  const newName = (): string => `name-${names++}`;
  return {
    factory: memory.source,
    clock,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    stepTimeoutMs: 2000,
    quietMs: 5,
    newName,
    createTopic: async (partitions) => {
      const topic = newName();
      memory.createTopic(topic, partitions);
      return topic;
    },
    produce: async (topic, partition, records) => {
      memory.deliver(topic, partition, records);
    },
    committed: async (groupId, topic) =>
      (await memory.source.admin?.().committed(groupId, topic)) ?? [],
    moveToSecond: async (topic, partition) => {
      await memory.revoke([{ topic, partition }]);
      await memory.assign([{ topic, partition }], 1);
    },
  };
}
