import { describe, expect, test } from "bun:test";
import type {
  Batch,
  Message,
  MessageContext,
  VirtualPartitionConsumer,
  VirtualPartitionInfo,
} from "../../src/types.ts";
import { Calls, keys, range, TOPIC, withRig } from "./rig.ts";

describe("calls", () => {
  test("H2: calls without a promise end in the tick of the delivery", async () => {
    const handled: number[] = [];
    const topic = { eachMessage: (message: Message) => void handled.push(message.offset) };
    await withRig({ topic, memory: { deliverMode: "manual" } }, async ({ memory, consumer }) => {
      memory.deliver(
        TOPIC,
        0,
        range(50).map(() => ({})),
      );
      memory.step(TOPIC, 0);
      expect(handled).toEqual(range(50));
      expect(consumer.stats().partitions[0]).toMatchObject({ committable: 50, queued: 0 });
    });
  });

  test("H2: any thenable is waited for, and one that settles twice counts once", async () => {
    const settles: (() => void)[] = [];
    // biome-ignore lint/suspicious/noThenProperty: a foreign thenable is what is tested.
    const topic = { eachMessage: () => ({ then: (done: () => void) => settles.push(done) }) };
    await withRig({ topic: topic as never }, async ({ send, pass, consumer }) => {
      await send(["a", "b"]);
      expect(settles).toHaveLength(1);
      settles[0]?.();
      settles[0]?.();
      await pass();
      expect(settles).toHaveLength(2);
      expect(consumer.stats().processed).toBe(1);
      settles[1]?.();
      await pass(100);
      expect(consumer.stats().processed).toBe(2);
    });
  });

  test("H3: eachMessage gets its message and a context with group, attempt and place", async () => {
    let got: Record<string, unknown> = {};
    const topic = {
      eachMessage: (message: Message, context: MessageContext) => {
        const { virtualPartition, attempt, collapsed, groupId, draining, failing } = context;
        const { offsetMetadata, segment, signal } = context;
        got = { virtualPartition, attempt, collapsed, groupId, draining, failing };
        Object.assign(got, { offsetMetadata, segment, aborted: signal.aborted });
        Object.assign(got, { key: message.keyText(), value: message.text(), topic: message.topic });
      },
    };
    await withRig({ topic }, async ({ send, groupId }) => {
      await send(["a"]);
      expect(got).toEqual({
        virtualPartition: 0,
        attempt: 1,
        collapsed: false,
        groupId,
        draining: false,
        failing: false,
        offsetMetadata: null,
        segment: undefined,
        aborted: false,
        key: "a",
        value: "v",
        topic: TOPIC,
      });
    });
  });

  test("H3: after the call the context returns false, except for an explicit message", async () => {
    const contexts: MessageContext[] = [];
    const messages: Message[] = [];
    const topic = {
      acknowledge: "manual" as const,
      eachMessage: (message: Message, context: MessageContext) => {
        contexts.push(context);
        messages.push(message);
      },
    };
    await withRig({ topic }, async ({ send, consumer }) => {
      await send(["a", "b"]);
      expect(contexts[0]).toBe(contexts[1]!);
      expect(contexts[0]?.markAsConsumed()).toBe(false);
      expect(consumer.stats().partitions[0]?.committable).toBe(0);
      expect(contexts[0]?.markAsConsumed(messages[0])).toBe(true);
      expect(consumer.stats().partitions[0]?.committable).toBe(1);
      expect(contexts[0]?.markAsConsumed(messages[1])).toBe(true);
      expect(consumer.stats().partitions[0]?.committable).toBe(2);
    });
  });

  test("H3: a batch after its call returns false, except for an explicit message", async () => {
    const batches: Batch[] = [];
    const topic = {
      acknowledge: "manual" as const,
      eachBatch: (batch: Batch) => void batches.push(batch),
    };
    await withRig({ topic }, async ({ send, consumer }) => {
      await send(["a", "b"]);
      expect(batches[0]?.markAsConsumed()).toBe(false);
      expect(batches[0]?.markAsConsumed(batches[0]?.messages[1])).toBe(true);
      expect(consumer.stats().partitions[0]?.committable).toBe(2);
    });
  });

  test("H3: the signal is one per call", async () => {
    const signals: AbortSignal[] = [];
    const topic = {
      eachMessage: (_: Message, context: MessageContext) => {
        signals.push(context.signal);
        expect(context.signal).toBe(signals.at(-1)!);
      },
    };
    await withRig({ topic }, async ({ send, seen }) => {
      await send(["a", "b"]);
      expect(signals).toHaveLength(2);
      expect(signals[0]).not.toBe(signals[1]!);
      expect(seen("failed")).toEqual([]);
    });
  });

  test("H5: a lane of calls that end at once keeps its slot, at most 1,024 messages", async () => {
    const order: number[] = [];
    const topic = { eachMessage: (message: Message) => void order.push(message.partition) };
    const memory = { topics: { [TOPIC]: 2 }, maxBatchRecords: 10_000 };
    await withRig({ topic, memory, consumer: { concurrency: 1 } }, async (rig) => {
      rig.consumer.pause();
      await rig.send(new Array(3000).fill("a"), 0);
      await rig.send(new Array(3000).fill("a"), 1);
      rig.consumer.resume();
      await rig.pass();
      expect(order).toHaveLength(6000);
      const runs: number[] = [];
      for (const [i, partition] of order.entries()) {
        if (i > 0 && order[i - 1] === partition) runs[runs.length - 1]!++;
        else runs.push(1);
      }
      expect(runs.length).toBeGreaterThanOrEqual(6);
      for (const run of runs.slice(0, 4)) expect(run).toBeLessThanOrEqual(1024);
    });
  });

  test("eachBatch gets at most maxMessages, ascending, with its offsets and lag", async () => {
    const seen: object[] = [];
    const topic = {
      maxMessages: 4,
      eachBatch: (batch: Batch) => {
        const { topic, partition, firstOffset, lastOffset, lag, messages, attempt } = batch;
        const offsets = messages.map((message) => message.offset);
        seen.push({ topic, partition, firstOffset, lastOffset, lag, offsets, attempt });
      },
    };
    await withRig({ topic }, async ({ send, pass, stored }) => {
      await send(keys(6));
      const common = { topic: TOPIC, partition: 0, attempt: 1 };
      expect(seen).toEqual([
        { ...common, firstOffset: 0, lastOffset: 3, lag: 2, offsets: [0, 1, 2, 3] },
        { ...common, firstOffset: 4, lastOffset: 5, lag: 0, offsets: [4, 5] },
      ]);
      await pass(100);
      expect(stored()).toBe(6);
    });
  });

  test("O1: success marks: a message its message, a batch its whole call", async () => {
    const calls = new Calls();
    for (const form of ["eachMessage", "eachBatch"] as const) {
      const topic = { maxMessages: 3, [form]: calls[form] } as never;
      const consumer = { groupId: form };
      await withRig({ topic, consumer }, async ({ send, pass, consumer: own }) => {
        await send(keys(4));
        const steps = form === "eachMessage" ? [1, 2, 3, 4] : [3, 4];
        for (const step of steps) {
          calls.finishAll();
          await pass();
          expect(own.stats().partitions[0]?.committable).toBe(step);
        }
      });
    }
  });
});

/** An instance that writes down what happens to it. */
class Recorder implements VirtualPartitionConsumer {
  readonly info: VirtualPartitionInfo;
  readonly trace: string[];
  readonly batches: Batch[] = [];
  busy = 0;

  constructor(info: VirtualPartitionInfo, trace: string[]) {
    this.info = info;
    this.trace = trace;
  }
  async consume(batch: Batch): Promise<void> {
    this.busy++;
    expect(this.busy).toBe(1);
    this.batches.push(batch);
    await Promise.resolve();
    this.busy--;
  }
  #note(hook: string): void {
    this.trace.push(`${hook} ${this.info.partition}/${this.info.virtualPartition}`);
  }
  flush(): void {
    this.#note("flush");
  }
  shutdown(): void {
    this.#note("shutdown");
  }
  revoked(): void {
    const batch = this.batches.at(-1);
    this.#note(`revoked ${batch?.markAsConsumed(batch.messages[0])}`);
  }
}

describe("consumer instances", () => {
  test("C1: one per topic, partition and virtual partition, made on first use, never in two calls", async () => {
    const made: Recorder[] = [];
    const topic = {
      consumer: (info: VirtualPartitionInfo) => {
        made.push(new Recorder(info, []));
        return made.at(-1)!;
      },
      maxMessages: 2,
      virtualPartitions: { maxPartitions: 3 },
    };
    const memory = { topics: { [TOPIC]: 2 } };
    await withRig({ topic, memory }, async ({ send, seen, groupId }) => {
      expect(made).toEqual([]);
      for (let i = 0; i < 4; i++) {
        await send(keys(20), 0);
        await send(keys(20), 1);
      }
      const infos = made.map(
        ({ info }) => `${info.topic}/${info.partition}/${info.virtualPartition}`,
      );
      expect(new Set(infos).size).toBe(infos.length);
      expect(infos).toHaveLength(6);
      for (const { info, batches } of made) {
        expect(info.groupId).toBe(groupId);
        for (const batch of batches) {
          expect(batch.virtualPartition).toBe(info.virtualPartition);
          expect(batch.partition).toBe(info.partition);
        }
      }
      expect(seen("failed")).toEqual([]);
    });
  });

  test("C2: after a lease ended instances are new; C3: flush, then revoked, when marking is false", async () => {
    const trace: string[] = [];
    let made = 0;
    const topic = {
      consumer: (info: VirtualPartitionInfo) => {
        made++;
        return new Recorder(info, trace);
      },
    };
    await withRig({ topic }, async ({ send, pass, memory, consumer }) => {
      await send(["a"]);
      await memory.revoke([{ topic: TOPIC, partition: 0 }]);
      expect(trace).toEqual(["flush 0/0", "revoked false 0/0"]);
      await memory.assign([{ topic: TOPIC, partition: 0 }]);
      await send(["b"]);
      expect(made).toBe(2);
      trace.length = 0;
      const closed = consumer.close();
      await pass(100);
      await closed;
      expect(trace).toEqual(["flush 0/0", "shutdown 0/0", "revoked false 0/0"]);
    });
  });

  test("C3: a lost lease gets revoked, without flush", async () => {
    const trace: string[] = [];
    const topic = { consumer: (info: VirtualPartitionInfo) => new Recorder(info, trace) };
    await withRig({ topic }, async ({ send, memory }) => {
      await send(["a"]);
      await memory.lose([{ topic: TOPIC, partition: 0 }]);
      expect(trace).toEqual(["revoked false 0/0"]);
    });
  });

  test("C3: flush runs after the running call and before the last commit, and may mark", async () => {
    const kept: Batch[] = [];
    const trace: string[] = [];
    const calls = new Calls();
    const topic = {
      acknowledge: "manual" as const,
      consumer: (): VirtualPartitionConsumer => ({
        consume: async (batch) => {
          kept.push(batch);
          await calls.eachBatch(batch);
          trace.push("call ended");
        },
        flush: () => {
          trace.push("flush");
          const last = kept.at(-1)!;
          expect(last.markAsConsumed(last.messages.at(-1))).toBe(true);
        },
      }),
    };
    await withRig({ topic }, async ({ send, pass, memory, stored, seen }) => {
      await send(["a", "b", "c"]);
      const revoked = memory.revoke([{ topic: TOPIC, partition: 0 }]);
      await pass();
      expect(trace).toEqual([]);
      expect(calls.at(0).context.draining).toBe(true);
      calls.finishAll();
      await pass();
      await revoked;
      expect(trace).toEqual(["call ended", "flush"]);
      expect(stored()).toBe(3);
      expect(seen("error")).toEqual([]);
    });
  });

  test("C3: flush counts against the deadline, and errors of hooks are reported, not fatal", async () => {
    const topic = {
      consumer: (info: VirtualPartitionInfo): VirtualPartitionConsumer => ({
        consume: () => {},
        flush: () => {
          if (info.partition === 0) throw new Error("flush failed");
          return new Promise(() => {});
        },
        revoked: async () => {
          throw new Error("revoked failed");
        },
      }),
    };
    const memory = { topics: { [TOPIC]: 2 } };
    const consumer = { drainTimeoutMs: 3000 };
    await withRig({ topic, memory, consumer }, async ({ send, pass, memory, seen, clock }) => {
      await send(["a"], 0);
      await send(["a"], 1);
      let settled = 0;
      const where = range(2).map((partition) => ({ topic: TOPIC, partition }));
      const revoked = memory.revoke(where).then(() => {
        settled = clock.now();
      });
      const began = clock.now();
      await pass(3200);
      await revoked;
      expect(settled - began).toBeLessThanOrEqual(3100);
      expect(settled - began).toBeGreaterThanOrEqual(3000);
      await pass();
      const errors = seen("error").map((event) => [event.fatal, event.error.message]);
      expect(errors).toHaveLength(3);
      for (const [fatal] of errors) expect(fatal).toBe(false);
    });
  });

  test("C3: an instance made after a continued lease has flushed gets its own flush, once", async () => {
    const trace: string[] = [];
    const topic = {
      consumer: (info: VirtualPartitionInfo) => new Recorder(info, trace),
      virtualPartitions: {
        maxPartitions: 2,
        reducer: (key: unknown) => (key as Uint8Array)[0]! % 2,
      },
    };
    await withRig({ topic }, async ({ send, pass, memory, consumer }) => {
      await send(["0"]);
      const where = [{ topic: TOPIC, partition: 0 }];
      await memory.revoke(where, { keep: where });
      expect(trace).toEqual(["flush 0/0"]);
      await send(["1", "0"]);
      const closed = consumer.close();
      await pass(100);
      await closed;
      expect(trace.filter((line) => line.startsWith("flush")).sort()).toEqual([
        "flush 0/0",
        "flush 0/1",
      ]);
    });
  });

  test("a consumer that cannot be made fails the call, and is made at the retry", async () => {
    let made = 0;
    const handled: number[] = [];
    const topic = {
      retry: { backoffMs: 10 },
      consumer: (): VirtualPartitionConsumer => {
        if (made++ === 0) throw new Error("no database");
        return { consume: (batch) => void handled.push(batch.firstOffset) };
      },
    };
    await withRig({ topic }, async ({ send, pass, seen }) => {
      await send(["a"]);
      await pass(100);
      expect(seen("failed")).toMatchObject([{ attempt: 1, error: { message: "no database" } }]);
      expect(handled).toEqual([0]);
    });
  });
});
