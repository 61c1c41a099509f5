import { describe, expect, test } from "bun:test";
import { ClosedError, SourceError } from "../../src/errors.ts";
import type { Source, SourceFactory } from "../../src/source/source.ts";
import { memorySource } from "../../src/testing/memory-source.ts";
import type { Message, MessageContext, VirtualPartitionConsumer } from "../../src/types.ts";
import { Calls, keys, makeRig, range, TOPIC, withRig } from "./rig.ts";

const WHERE = [{ topic: TOPIC, partition: 0 }];

/** The memory source with parts of its members replaced. */
function patched(source: SourceFactory, patch: (member: Source) => Partial<Source>): SourceFactory {
  return {
    open: (group) => {
      const member = source.open(group);
      return new Proxy(member, {
        get: (target, name) => {
          const own = patch(member)[name as keyof Source];
          if (own !== undefined) return own;
          const value = target[name as keyof Source] as unknown;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}

describe("start and run", () => {
  test("states: idle, starting, running, paused, draining, closed", async () => {
    const calls = new Calls();
    const { consumer, pass, memory } = makeRig({ topic: { eachMessage: calls.eachMessage } });
    expect(consumer.state).toBe("idle");
    const ran = consumer.run();
    expect(consumer.state).toBe("starting");
    await pass();
    expect(consumer.state).toBe("running");
    memory.deliver(TOPIC, 0, [{}]);
    await pass();
    consumer.pause();
    expect(consumer.state).toBe("paused");
    consumer.resume();
    expect(consumer.state).toBe("running");
    void consumer.close();
    expect(consumer.state).toBe("draining");
    calls.finishAll();
    await pass();
    await ran;
    expect(consumer.state).toBe("closed");
  });

  test("start() settles once joined; a second start or run answers with the same promise", async () => {
    const { consumer, pass } = makeRig({});
    const started = consumer.start();
    expect(consumer.start()).toBe(started);
    await pass();
    await started;
    const ran = consumer.run();
    expect(consumer.run()).toBe(ran);
    void consumer.close();
    await pass();
    const report = await ran;
    expect(report).toEqual({ drained: 0, abandoned: 0, uncommitted: [] });
    expect(consumer.run()).toBe(ran);
    expect(await consumer.closed).toEqual(report);
  });

  test("a first run() after close() rejects with ClosedError", async () => {
    const { consumer, pass } = makeRig({});
    const closed = consumer.close();
    await pass();
    await closed;
    await expect(consumer.run()).rejects.toBeInstanceOf(ClosedError);
    await expect(consumer.start()).rejects.toBeInstanceOf(ClosedError);
    expect(consumer.state).toBe("closed");
  });

  test("a source that cannot start is fatal: run() and closed reject, the error event says fatal", async () => {
    const memory = memorySource({ topics: {} });
    const { consumer, pass, seen } = makeRig({ memory });
    const ran = consumer.run();
    const outcome = ran.then(
      () => null,
      (error: unknown) => error,
    );
    await pass(2000);
    expect(await outcome).toBeInstanceOf(SourceError);
    await expect(consumer.closed).rejects.toBeInstanceOf(SourceError);
    expect(seen("error")).toMatchObject([{ fatal: true }]);
    expect(consumer.state).toBe("closed");
  });

  test("signal: closes the consumer when it aborts, also before the start; its listener is removed", async () => {
    const controller = new AbortController();
    const { consumer, pass } = makeRig({ consumer: { signal: controller.signal } });
    const ran = consumer.run();
    await pass();
    controller.abort();
    expect(consumer.state).toBe("draining");
    await pass();
    expect(await ran).toMatchObject({ abandoned: 0 });

    const early = makeRig({ consumer: { signal: AbortSignal.abort() } });
    const earlyRan = early.consumer.run();
    await early.pass(2000);
    expect(await earlyRan).toMatchObject({ abandoned: 0 });
    expect(early.seen("error")).toEqual([]);
  });

  test("R4: close() while starting settles run() with a report, whatever the start says then", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 1 } });
    const source = patched(memory.source, () => {
      let refuse = (_: Error): void => {};
      return {
        start: () =>
          new Promise<void>((_resolve, reject) => {
            refuse = reject;
            rejecters.push(refuse);
          }),
        stop: async () => {
          for (const reject of rejecters) reject(new Error("disconnected"));
        },
      };
    });
    const rejecters: ((error: Error) => void)[] = [];
    const { consumer, pass, clock, seen } = makeRig({ memory, consumer: { source } });
    const ran = consumer.run().then(
      (report) => report,
      (error: unknown) => error,
    );
    await pass();
    const closed = consumer.close();
    await pass(2000);
    expect(await ran).toEqual({ drained: 0, abandoned: 0, uncommitted: [] });
    expect(await closed).toEqual({ drained: 0, abandoned: 0, uncommitted: [] });
    expect(seen("error")).toEqual([]);
    expect(clock.pendingTimers()).toBe(0);
  });
});

describe("close", () => {
  test("R4: drains, commits, leaves and reports; it is idempotent and leaves no timer", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      retry: { backoffMs: 500_000, maxBackoffMs: 500_000 },
      virtualPartitions: { maxPartitions: 10, distribution: "per-key" as const },
    };
    await withRig({ topic, consumer: { drainTimeoutMs: 1000 } }, async (rig) => {
      const { consumer, send, pass, clock, stored, seen } = rig;
      await send([...keys(4), "k0"]);
      calls.at(3).fail();
      await pass();
      const closed = consumer.close();
      expect(consumer.close()).toBe(closed);
      await pass(100);
      calls.finish(0, 1);
      await pass(900);
      const report = await closed;
      expect(report).toEqual({ drained: 2, abandoned: 1, uncommitted: [] });
      expect(stored()).toBe(2);
      expect(calls.started).toEqual([0, 1, 2, 3]);
      expect(seen("closed")).toHaveLength(1);
      expect(consumer.close()).toBe(closed);
      expect(clock.pendingTimers()).toBe(0);
      calls.finishAll();
      await pass(100);
    });
  });

  test("R4: polling stops in the same tick", async () => {
    const calls = new Calls();
    const memory = { deliverMode: "manual" as const };
    await withRig({ topic: { eachMessage: calls.eachMessage }, memory }, async (rig) => {
      const { consumer, send, pass, memory } = rig;
      await send(["a"]);
      memory.step(TOPIC, 0);
      await send(["b"]);
      const closed = consumer.close();
      expect(memory.step(TOPIC, 0)).toBe(-1);
      await pass(10);
      calls.finishAll();
      await pass();
      await closed;
      expect(rig.seen("polled")).toHaveLength(1);
    });
  });

  test("R4: a partition that is assigned during the close gets no call and no commit", async () => {
    const calls = new Calls();
    const memory = { topics: { [TOPIC]: 2 }, assignment: "manual" as const };
    await withRig({ topic: { eachMessage: calls.eachMessage }, memory }, async (rig) => {
      const { consumer, send, pass, memory } = rig;
      await memory.assign(WHERE);
      await send(["a"], 0);
      await send(["a"], 1);
      const closed = consumer.close();
      await memory.assign([{ topic: TOPIC, partition: 1 }]);
      await pass(100);
      expect(calls.started).toEqual([0]);
      calls.finishAll();
      await pass(100);
      await closed;
      expect(rig.stored(1)).toBeNull();
      expect(rig.seen("assigned")).toHaveLength(1);
    });
  });

  test("R4: in a handler, without await, it lets that call finish", async () => {
    let close = (): void => {};
    const topic = {
      eachMessage: async (message: Message) => {
        if (message.offset === 1) close();
      },
    };
    await withRig({ topic }, async ({ consumer, send, pass, stored }) => {
      let report: unknown;
      close = () => {
        void consumer.close().then((result) => {
          report = result;
        });
      };
      await send(["a", "b", "c"]);
      await pass(10);
      expect(report).toEqual({ drained: 1, abandoned: 0, uncommitted: [] });
      expect(stored()).toBe(2);
    });
  });

  test("R4: awaited in a handler, it holds that call until the drain deadline", async () => {
    let close = (): Promise<unknown> => Promise.resolve();
    const topic = { eachMessage: () => close() as Promise<void> };
    await withRig(
      { topic, consumer: { drainTimeoutMs: 500 } },
      async ({ consumer, send, pass }) => {
        close = () => consumer.close();
        await send(["a"]);
        await pass(499);
        expect(consumer.state).toBe("draining");
        await pass(1);
        expect(consumer.state).toBe("closed");
      },
    );
  });

  test("R4: it settles within drainTimeoutMs + 5 s whatever the broker and the handlers do", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 2 } });
    const source = patched(memory.source, () => ({ stop: () => new Promise<void>(() => {}) }));
    const topic = {
      consumer: (): VirtualPartitionConsumer => ({
        consume: (batch) => (batch.partition === 0 ? new Promise<void>(() => {}) : undefined),
        flush: () => new Promise<void>(() => {}),
        shutdown: () => new Promise<void>(() => {}),
      }),
    };
    const rig = makeRig({ topic, memory, consumer: { source, drainTimeoutMs: 2000 } });
    const { consumer, send, pass, clock } = rig;
    const ran = consumer.run();
    await pass(100);
    memory.failNextCommit("hang", 1000);
    await send(["a"], 0);
    await send(["a"], 1);
    const began = clock.now();
    let settled = -1;
    void consumer.close().then(() => {
      settled = clock.now() - began;
    });
    await pass(8000);
    expect(settled).toBeGreaterThanOrEqual(2000);
    expect(settled).toBeLessThanOrEqual(7000);
    expect(await ran).toEqual({
      drained: 0,
      abandoned: 1,
      uncommitted: [{ topic: TOPIC, partition: 1 }],
    });
  });

  test("R4: close({ drainTimeoutMs }) wins over the option; a wrong one is a RangeError", async () => {
    const calls = new Calls();
    await withRig(
      { topic: { eachMessage: calls.eachMessage } },
      async ({ consumer, send, pass }) => {
        await send(["a"]);
        expect(() => consumer.close({ drainTimeoutMs: -1 })).toThrow(RangeError);
        const closed = consumer.close({ drainTimeoutMs: 50 });
        await pass(50);
        expect(await closed).toMatchObject({ abandoned: 1 });
        calls.finishAll();
        await pass();
      },
    );
  });

  test("R4: results that come after the close change nothing; closed is the last event", async () => {
    const calls = new Calls();
    const topic = {
      consumer: (): VirtualPartitionConsumer => ({
        consume: calls.eachBatch,
        revoked: async () => {
          await later;
          throw new Error("too late");
        },
      }),
      maxMessages: 1,
    };
    let end = (): void => {};
    const later = new Promise<void>((resolve) => {
      end = resolve;
    });
    await withRig({ topic, consumer: { drainTimeoutMs: 0 } }, async (rig) => {
      const { consumer, send, pass, memory, events, stored } = rig;
      await send(["a", "b"]);
      const closed = consumer.close();
      await pass();
      await closed;
      calls.at(0).fail();
      end();
      await pass(100);
      memory.deliver(TOPIC, 0, [{}]);
      await pass(5000);
      expect(events.at(-1)?.name).toBe("closed");
      expect(stored()).toBe(0);
      expect(calls.started).toEqual([0]);
    });
  });

  test("await using closes", async () => {
    const { consumer, pass } = makeRig({});
    const started = consumer.start();
    await pass();
    await started;
    const disposed = consumer[Symbol.asyncDispose]();
    await pass();
    await disposed;
    expect(consumer.state).toBe("closed");
  });
});

describe("fatal errors", () => {
  test("R8: a fatal error of the source drains, commits, closes, and rejects run() with it", async () => {
    const calls = new Calls();
    const topic = {
      eachMessage: calls.eachMessage,
      virtualPartitions: { maxPartitions: 5, distribution: "per-key" as const },
    };
    const { consumer, send, pass, memory, seen, stored, events } = makeRig({ topic });
    const ran = consumer.run().then(
      () => null,
      (error: unknown) => error,
    );
    await pass();
    await send(["a", "b"]);
    calls.finish(0);
    await pass();
    const fatal = new SourceError("authentication failed");
    memory.fail(fatal, true);
    await pass(10);
    expect(consumer.state).toBe("draining");
    calls.finishAll();
    await pass(10);
    expect(await ran).toBe(fatal);
    expect(stored()).toBe(2);
    expect(seen("error")).toMatchObject([{ fatal: true, error: { message: fatal.message } }]);
    expect(events.at(-1)?.name).toBe("closed");
  });

  test("R8: an error of the source that is not fatal is reported and work goes on", async () => {
    await withRig({}, async ({ send, pass, memory, seen, stored }) => {
      memory.fail(new SourceError("broker away"), false);
      await send(["a"]);
      await pass(100);
      expect(seen("error")).toMatchObject([{ fatal: false, error: { code: "HEADRACE_SOURCE" } }]);
      expect(stored()).toBe(1);
    });
  });

  test("a fatal error after start() does not kill the process when nobody watches", async () => {
    const { consumer, pass, memory, log } = makeRig({ quiet: true });
    const started = consumer.start();
    await pass();
    await started;
    memory.fail(new SourceError("gone"), true);
    await pass(100);
    expect(consumer.state).toBe("closed");
    expect(log.join()).toContain("gone");
  });
});

describe("events", () => {
  test("assigned is the first event of a partition, closed the last of the consumer", async () => {
    const memory = memorySource({ topics: { [TOPIC]: 2 } });
    for (const partition of [0, 1]) memory.deliver(TOPIC, partition, [{ key: "a" }]);
    memory.setCommitted("order", TOPIC, 0, 99);
    const rig = makeRig({ memory, consumer: { groupId: "order" } });
    rig.consumer.pause([{ topic: TOPIC, partition: 1 }]);
    const ran = rig.consumer.run();
    await rig.pass(1000);
    void rig.consumer.close();
    await rig.pass(1000);
    await ran;
    for (const partition of [0, 1]) {
      const own = rig.events.filter((event) => event.payload.partition === partition);
      expect(own[0]?.name).toBe("assigned");
    }
    expect(rig.events.at(-1)?.name).toBe("closed");
    expect(rig.seen("closed")).toHaveLength(1);
    expect(() => JSON.stringify(rig.events)).not.toThrow();
  });

  test("H4: processed, marked and distributed are per batch or slice, with counts and ranges", async () => {
    await withRig({ topic: { eachMessage: () => {}, virtualPartitions: true } }, async (rig) => {
      await rig.send(keys(100));
      for (const name of ["polled", "processed", "marked"] as const) {
        expect(rig.seen(name)).toEqual([
          { topic: TOPIC, partition: 0, count: 100, firstOffset: 0, lastOffset: 99 },
        ]);
      }
      expect(rig.seen("distributed")).toMatchObject([
        { count: 100, firstOffset: 0, lastOffset: 99 },
      ]);
    });
  });

  test("X4: an error without a listener goes to the logger", async () => {
    await withRig({ quiet: true }, async ({ memory, pass, log }) => {
      memory.fail(new SourceError("no broker"), false);
      await pass();
      expect(log).toEqual(["no broker"]);
    });
  });

  test("X4: a listener that throws is reported once and never stops the pipeline", async () => {
    await withRig({}, async ({ consumer, send, pass, log, stored, seen }) => {
      for (const name of ["polled", "marked", "error"] as const) {
        consumer.on(name, () => {
          throw new Error(`broken ${name}`);
        });
      }
      for (let i = 0; i < 5; i++) await send(keys(2));
      await pass(100);
      expect(stored()).toBe(10);
      expect(seen("marked")).toHaveLength(5);
      expect(log.filter((line) => line.includes("broken polled"))).toHaveLength(1);
      expect(log.filter((line) => line.includes("broken marked"))).toHaveLength(1);
    });
  });

  test("on() returns a function that removes the listener", async () => {
    const seen: unknown[] = [];
    await withRig({}, async ({ consumer, send }) => {
      const off = consumer.on("polled", (payload) => seen.push(payload));
      await send(["a"]);
      off();
      await send(["a"]);
      expect(seen).toHaveLength(1);
    });
  });
});

describe("pause and resume", () => {
  test("E8: a paused partition starts no call, polled or not; running calls finish; others go on", async () => {
    const calls = new Calls();
    const topic = { eachMessage: calls.eachMessage };
    const memory = { topics: { [TOPIC]: 2 } };
    await withRig({ topic, memory }, async ({ consumer, send, pass, seen, stored }) => {
      await send(["a", "b"], 0);
      consumer.pause(WHERE);
      expect(consumer.explain()[0]).toMatchObject({ partition: 0, reason: "paused" });
      expect(seen("paused")).toEqual([{ topic: TOPIC, partition: 0 }]);
      await send(["c"], 0);
      await send(["a"], 1);
      expect(calls.running).toHaveLength(2);
      calls.finishAll();
      await pass(2000);
      expect(calls.running).toHaveLength(0);
      expect([stored(0), stored(1)]).toEqual([1, 1]);
      consumer.resume(WHERE);
      await pass();
      expect(seen("resumed")).toEqual([{ topic: TOPIC, partition: 0 }]);
      expect(calls.open).toEqual([1]);
      calls.finishAll();
      await pass();
      calls.finishAll();
      await pass(100);
      expect(stored(0)).toBe(3);
    });
  });

  test("E8: consumer.pause survives rebalances, and may come before the start", async () => {
    const handled: number[] = [];
    const topic = { eachMessage: (message: Message) => void handled.push(message.offset) };
    const rig = makeRig({ topic });
    rig.consumer.pause(WHERE);
    const ran = rig.consumer.run();
    await rig.pass();
    await rig.send(["a"]);
    await rig.memory.revoke(WHERE);
    await rig.memory.assign(WHERE);
    await rig.pass(1000);
    expect(handled).toEqual([]);
    rig.consumer.resume();
    await rig.pass();
    expect(handled).toEqual([0]);
    void rig.consumer.close();
    await rig.pass(100);
    await ran;
  });

  test("E8: pausing in a handler stops its own lane after this call", async () => {
    const handled: number[] = [];
    let pause = (): void => {};
    const topic = {
      eachMessage: (message: Message, _context: MessageContext) => {
        handled.push(message.offset);
        if (message.offset === 2) pause();
      },
    };
    await withRig({ topic }, async ({ consumer, send, pass }) => {
      pause = () => consumer.pause();
      await send(range(6).map(String));
      expect(handled).toEqual([0, 1, 2]);
      consumer.resume();
      await pass();
      expect(handled).toEqual(range(6));
    });
  });

  test("concurrency takes integers from 1 and refuses others", async () => {
    await withRig({}, async ({ consumer }) => {
      for (const wrong of [0, -1, 1.5, Number.NaN, 1e9]) {
        expect(() => {
          consumer.concurrency = wrong;
        }).toThrow(RangeError);
      }
      expect(() => {
        consumer.concurrency = "3" as never;
      }).toThrow(TypeError);
      expect(consumer.concurrency).toBe(10);
    });
  });
});
