/** What the consumer's rule tests share: a consumer over a memory source and a fake clock, and calls under control. */
import { expect } from "bun:test";
import { createConsumer } from "../../src/consumer.ts";
import type { Consumer } from "../../src/consumer-interface.ts";
import type { ConsumerEventName, ConsumerEvents } from "../../src/events.ts";
import type { ConsumerOptions, TopicOptions } from "../../src/options.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import {
  type MemorySource,
  type MemorySourceOptions,
  memorySource,
} from "../../src/testing/memory-source.ts";
import type { Batch, Message, MessageContext } from "../../src/types.ts";

export const TOPIC = "orders";
export const ALL_EVENTS: readonly ConsumerEventName[] = [
  "assigned",
  "revoked",
  "lost",
  "polled",
  "distributed",
  "processed",
  "failed",
  "collapsed",
  "expanded",
  "deadLettered",
  "skipped",
  "marked",
  "committed",
  "offsetReset",
  "partitionerFailed",
  "keyBound",
  "stalled",
  "paused",
  "resumed",
  "drained",
  "closed",
  "error",
];

export interface SeenEvent {
  readonly name: ConsumerEventName;
  readonly payload: Record<string, unknown>;
}

/** Calls that a failing test leaves behind hold their keys (R6): every rig has a group of its own. */
let groups = 0;

export interface Rig {
  readonly groupId: string;
  readonly clock: FakeClock;
  readonly memory: MemorySource;
  readonly consumer: Consumer;
  /** Every event in its order. */
  readonly events: SeenEvent[];
  /** What the logger got. */
  readonly log: string[];
  /** Payloads of the events with this name. */
  seen<E extends ConsumerEventName>(name: E): ConsumerEvents[E][];
  /** Delivers records with these keys, in one batch, and runs what is ready. */
  send(keys: readonly (string | null)[], partition?: number): Promise<void>;
  /** Runs what is ready, then lets time pass. */
  pass(ms?: number): Promise<void>;
  /** Stored offset of a partition, or null. */
  stored(partition?: number): number | null;
}

export interface RigOptions {
  readonly topic?: TopicOptions;
  readonly topics?: Record<string, TopicOptions>;
  readonly consumer?: Partial<ConsumerOptions>;
  readonly memory?: MemorySource | MemorySourceOptions;
  readonly clock?: FakeClock;
  /** Do not listen to events (H4). */
  readonly quiet?: boolean;
}

export function makeRig(options: RigOptions): Rig {
  const clock = options.clock ?? fakeClock();
  const given = options.memory ?? {};
  const memory = "deliver" in given ? given : memorySource({ topics: { [TOPIC]: 1 }, ...given });
  const log: string[] = [];
  const line = (message: string): void => void log.push(message);
  const groupId = options.consumer?.groupId ?? `group-${groups++}`;
  const topics = options.topics ?? { [TOPIC]: options.topic ?? { eachMessage: () => {} } };
  const consumer = createConsumer({
    source: memory.source,
    groupId,
    topics,
    clock,
    fromBeginning: true,
    logger: { debug: line, info: line, warn: line, error: line },
    ...options.consumer,
  } as ConsumerOptions);
  const events: SeenEvent[] = [];
  for (const name of options.quiet ? [] : ALL_EVENTS) {
    consumer.on(name, (payload) => {
      events.push({ name, payload: payload as unknown as Record<string, unknown> });
    });
  }
  const pass = (ms = 0): Promise<void> => clock.advance(ms);
  return {
    groupId,
    clock,
    memory,
    consumer,
    events,
    log,
    pass,
    seen: <E extends ConsumerEventName>(name: E) =>
      events.filter((event) => event.name === name).map((event) => event.payload) as never,
    send: async (keys, partition = 0) => {
      memory.deliver(
        TOPIC,
        partition,
        keys.map((key) => ({ key, value: "v" })),
      );
      await pass();
    },
    stored: (partition = 0) => memory.committed(groupId, TOPIC, partition)?.offset ?? null,
  };
}

/** Runs a body over a started consumer, closes it afterwards, and checks what must hold for every consumer. */
export async function withRig(
  options: RigOptions,
  body: (rig: Rig) => Promise<void>,
): Promise<void> {
  const rig = makeRig(options);
  const { consumer, clock, memory } = rig;
  try {
    const started = consumer.start();
    await clock.advance(0);
    await started;
    await clock.advance(0);
    await body(rig);
  } finally {
    const closed = consumer.close({ drainTimeoutMs: 0 });
    // A close that the body began keeps its own deadline.
    await clock.advance(26_000);
    await closed;
  }
  expect(memory.listenerErrors()).toEqual([]);
  expect(memory.staleCommits()).toEqual([]);
}

/** One call that waits for the test. */
export interface OpenCall {
  readonly offsets: readonly number[];
  readonly context: MessageContext;
  readonly messages: readonly Message[];
  finish(): void;
  fail(error?: unknown): void;
}

/** A handler whose calls end when the test says so. */
export class Calls {
  /** Offsets in the order of their calls, all of them. */
  readonly started: number[] = [];
  readonly running: OpenCall[] = [];
  mostAtOnce = 0;

  readonly eachMessage = (message: Message, context: MessageContext): Promise<void> =>
    this.#open([message], context);

  readonly eachBatch = (batch: Batch): Promise<void> => this.#open(batch.messages, batch);

  get open(): number[] {
    return this.running.flatMap((call) => call.offsets).sort((a, b) => a - b);
  }

  /** The running call with this offset. */
  at(offset: number): OpenCall {
    const call = this.running.find((one) => one.offsets.includes(offset));
    if (call === undefined) throw new Error(`No call runs with offset ${offset}: ${this.open}`);
    return call;
  }

  finish(...offsets: number[]): void {
    for (const offset of offsets) this.at(offset).finish();
  }

  finishAll(): void {
    for (const call of [...this.running]) call.finish();
  }

  #open(messages: readonly Message[], context: MessageContext): Promise<void> {
    const offsets = messages.map((message) => message.offset);
    this.started.push(...offsets);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.running.splice(this.running.indexOf(call), 1);
        settle();
      };
      const call: OpenCall = {
        offsets,
        context,
        messages,
        finish: () => end(resolve),
        fail: (error = new Error("planned")) => end(() => reject(error)),
      };
      this.running.push(call);
      this.mostAtOnce = Math.max(this.mostAtOnce, this.running.length);
    });
  }
}

/** Numbers from 0. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** `count` records, each with a key of its own. */
export function keys(count: number, prefix = "k"): string[] {
  return range(count).map((i) => `${prefix}${i}`);
}

/** Lanes that a test chooses: the key's first byte names the virtual partition, so "0" to "9" are numbers. */
export function laneByKey(maxPartitions: number): {
  maxPartitions: number;
  reducer: (key: unknown) => number;
} {
  return { maxPartitions, reducer: (key) => ((key as Uint8Array)[0]! % 48) % maxPartitions };
}
