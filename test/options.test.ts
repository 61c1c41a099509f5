import { describe, expect, test } from "bun:test";
import { createConsumer } from "../src/consumer.ts";
import { byKey, random, roundRobin } from "../src/group/partitioners.ts";
import type { ConsumerOptions } from "../src/options.ts";
import { resolveOptions } from "../src/resolve-options.ts";
import { fakeClock } from "../src/testing/fake-clock.ts";
import { memorySource } from "../src/testing/memory-source.ts";

const clock = fakeClock();
const source = memorySource().source;
const eachMessage = (): void => {};

type Loose = Record<string, unknown>;
const options = (extra: Loose = {}): ConsumerOptions =>
  ({ source, groupId: "g", topics: { t: { eachMessage } }, ...extra }) as ConsumerOptions;
const topic = (extra: Loose): Loose => ({ topics: { t: { eachMessage, ...extra } } });
const queue = (extra: Loose, onError?: string): Loose =>
  topic({ onError, deadLetterQueue: { topic: "dead", ...extra } });
const module = (given: unknown): Loose => ({ topics: { t: { module: given } } });
const segments = (extra: Loose, beside: Loose = {}): Loose => ({
  parallelSegments: { count: 4, partitioner: byKey(), ...extra },
  ...beside,
});
const lanes = (extra: Loose): Loose => topic({ virtualPartitions: extra });

/** What was thrown. */
function thrown(given: unknown): Error {
  try {
    resolveOptions(given as ConsumerOptions, clock);
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

type Kind = typeof TypeError | typeof RangeError;
/** Option as the message names it, wrong options, kind, how the value is shown. */
const WRONG: [name: string, extra: Loose, kind: Kind, shown: string][] = [
  ["source", { source: undefined }, TypeError, "undefined"],
  ["source", { source: "kafka" }, TypeError, '"kafka"'],
  ["source.open", { source: {} }, TypeError, "undefined"],
  ["groupId", { groupId: undefined }, TypeError, "undefined"],
  ["groupId", { groupId: "" }, RangeError, '""'],
  ["groupId", { groupId: 7 }, TypeError, "7"],
  ["topics", { topics: undefined }, TypeError, "undefined"],
  ["topics", { topics: ["orders"] }, TypeError, "an array of 1"],
  ["topics", { topics: {} }, RangeError, "{  }"],
  ["topic names", { topics: { "a/b": { eachMessage } } }, RangeError, '"a/b"'],
  ["topic names", { topics: { "": { eachMessage } } }, RangeError, '""'],
  ['topics["t"]', { topics: { t: null } }, TypeError, "null"],
  ['topics["t"]', { topics: { t: {} } }, TypeError, '"none"'],
  ['topics["t"]', topic({ eachBatch: eachMessage }), TypeError, '"eachMessage and eachBatch"'],
  ['topics["t"].eachMessage', { topics: { t: { eachMessage: "no" } } }, TypeError, '"no"'],
  ['"eachMesage"', topic({ eachMesage: eachMessage }), TypeError, "a function (eachMessage)"],
  ['"conccurrency"', { conccurrency: 3 }, TypeError, "3"],
  ["concurrency", { concurrency: 0 }, RangeError, "0"],
  ["concurrency", { concurrency: 1.5 }, RangeError, "1.5"],
  ["concurrency", { concurrency: "10" }, TypeError, '"10"'],
  ["concurrency", { concurrency: Number.NaN }, RangeError, "NaN"],
  ["concurrency", { concurrency: null }, TypeError, "null"],
  ["concurrency", { concurrency: 100_001 }, RangeError, "100001"],
  ["maxInFlightMessages", { maxInFlightMessages: 99 }, RangeError, "99"],
  ["maxInFlightMessages", { maxInFlightMessages: 1e9 }, RangeError, "1000000000"],
  ["maxInFlightBytes", { maxInFlightBytes: 1000 }, RangeError, "1000"],
  ["maxUnmarkedMessages", { maxUnmarkedMessages: 0 }, RangeError, "0"],
  ["commitIntervalMs", { commitIntervalMs: 5 }, RangeError, "5"],
  ["commitIntervalMs", { commitIntervalMs: Number.POSITIVE_INFINITY }, RangeError, "Infinity"],
  ["drainTimeoutMs", { drainTimeoutMs: -1 }, RangeError, "-1"],
  ["drainTimeoutMs", { drainTimeoutMs: 20n }, TypeError, "20n"],
  ["stallMs", { stallMs: 10 }, RangeError, "10"],
  ["onOutOfRange", { onOutOfRange: "begin" }, RangeError, '"begin"'],
  ["onOutOfRange", { onOutOfRange: 1 }, TypeError, "1"],
  ["fromBeginning", { fromBeginning: "yes" }, TypeError, '"yes"'],
  ["clock", { clock: 1 }, TypeError, "1"],
  ["clock.now", { clock: {} }, TypeError, "undefined"],
  ["signal", { signal: {} }, TypeError, "{  }"],
  ["logger", { logger: true }, TypeError, "true"],
  ["logger.warn", { logger: { debug() {}, info() {} } }, TypeError, "undefined"],
  ["connections", { connections: 2 }, RangeError, "2"],
  ["workers", { workers: 0 }, RangeError, "0"],
  ["workers", { workers: 1025 }, RangeError, "1025"],
  ["workers", { workers: 1.5 }, RangeError, "1.5"],
  ["workers", { workers: "2" }, TypeError, '"2"'],
  ["module must be a URL", module("./handler.ts"), RangeError, '"./handler.ts"'],
  ["module must be a URL", module("handler"), RangeError, '"handler"'],
  ["module must be a URL", module(""), RangeError, '""'],
  ["module must be a URL", module({}), TypeError, "{  }"],
  ["module must be a URL", module(true), TypeError, "true"],
  ["offsetMap", { offsetMap: "base64" }, RangeError, '"base64"'],
  ["parallelSegments", { parallelSegments: 4 }, TypeError, "4"],
  ["parallelSegments.count", { parallelSegments: { count: 0 } }, RangeError, "0"],
  ["parallelSegments.count", { parallelSegments: {} }, TypeError, "undefined"],
  ["parallelSegments.count", segments({ count: 65_537 }), RangeError, "65537"],
  ["parallelSegments.partitioner", { parallelSegments: { count: 2 } }, TypeError, "undefined"],
  ["parallelSegments.partitioner", segments({ partitioner: random() }), TypeError, "random()"],
  ["partitioner", segments({ partitioner: roundRobin() }), TypeError, "roundRobin()"],
  ["parallelSegments.reducer", segments({ reducer: 3 }), TypeError, "3"],
  ["parallelSegments.mergeKey", segments({ mergeKey: "" }), RangeError, '""'],
  ["parallelSegments.version", segments({ version: 2 }), TypeError, "2"],
  ["24 bytes", segments({ version: "é".repeat(13) }), RangeError, JSON.stringify("é".repeat(13))],
  ["onPartitionerError", segments({ onPartitionerError: "skip" }), RangeError, '"skip"'],
  ["parallelSegments.run", segments({ run: "none" }), TypeError, '"none"'],
  ["parallelSegments.run", segments({ run: [] }), RangeError, "an array of 0"],
  ["parallelSegments.run", segments({ run: [0, 4] }), RangeError, "4"],
  ["parallelSegments.run", segments({ run: [1, 1] }), RangeError, '"1,1"'],
  ['no option "segment"', segments({ segment: 1 }), TypeError, "1"],
  ["source with admin()", segments({}, { source: { open() {} } }), TypeError, "{ open }"],
  ["maxMessages", topic({ maxMessages: 0 }), RangeError, "0"],
  ["maxMessages", topic({ maxMessages: 100_001 }), RangeError, "100001"],
  ["maxWaitMs", topic({ maxWaitMs: -5 }), RangeError, "-5"],
  ["acknowledge", topic({ acknowledge: "auto" }), RangeError, '"auto"'],
  ["onError", topic({ onError: "retry" }), RangeError, '"retry"'],
  ["deserializer", topic({ deserializer: "json" }), TypeError, '"json"'],
  ["retry", topic({ retry: 3 }), TypeError, "3"],
  ['retry has no option "backoff"', topic({ retry: { backoff: 3 } }), TypeError, "3"],
  ["retry.backoffMs", topic({ retry: { backoffMs: 0 } }), RangeError, "0"],
  [
    "retry.maxBackoffMs",
    topic({ retry: { backoffMs: 500, maxBackoffMs: 400 } }),
    RangeError,
    "400",
  ],
  ["retry.multiplier", topic({ retry: { multiplier: 0.5 } }), RangeError, "0.5"],
  ["retry.jitter", topic({ retry: { jitter: 1.1 } }), RangeError, "1.1"],
  ["virtualPartitions", topic({ virtualPartitions: false }), TypeError, "false"],
  ["virtualPartitions", topic({ virtualPartitions: 8 }), TypeError, "8"],
  ['virtualPartitions has no option "count"', lanes({ count: 3 }), TypeError, "3"],
  ["maxPartitions", lanes({ maxPartitions: 0 }), RangeError, "0"],
  ["maxPartitions", lanes({ maxPartitions: 65_537 }), RangeError, "65537"],
  ["partitioner", lanes({ partitioner: "key" }), TypeError, '"key"'],
  ["reducer", lanes({ reducer: 3 }), TypeError, "3"],
  ["reducer", lanes({ reducer: () => 0, distribution: "balanced" }), TypeError, '"balanced"'],
  ["reducer", lanes({ reducer: () => 0, distribution: "per-key" }), TypeError, '"per-key"'],
  ["distribution", lanes({ distribution: "random" }), RangeError, '"random"'],
  [
    "distribution",
    {
      topics: { t: { consumer: () => ({}), virtualPartitions: { distribution: "per-key" } } },
    },
    TypeError,
    '"consumer"',
  ],
  ["handlerTimeoutMs", { handlerTimeoutMs: 0 }, RangeError, "0"],
  ["handlerTimeoutMs", { handlerTimeoutMs: 1.5 }, RangeError, "1.5"],
  ["handlerTimeoutMs", { handlerTimeoutMs: 25 * 3_600_000 }, RangeError, "90000000"],
  ["handlerTimeoutMs", { handlerTimeoutMs: "1s" }, TypeError, '"1s"'],
  ["handlerTimeoutMs", { handlerTimeoutMs: null }, TypeError, "null"],
  ["offsetMap", { offsetMap: true }, TypeError, "true"],
  ["offsetMap", { offsetMap: "Dense" }, RangeError, '"Dense"'],
  ["maxMetadataLength", { maxMetadataLength: 127 }, RangeError, "127"],
  ["maxMetadataLength", { maxMetadataLength: 32_768 }, RangeError, "32768"],
  ["maxMetadataLength", { maxMetadataLength: "4096" }, TypeError, '"4096"'],
  ["offsetMetadataStrategy", lanes({ offsetMetadataStrategy: "latest" }), RangeError, '"latest"'],
  ["offsetMetadataStrategy", lanes({ offsetMetadataStrategy: 1 }), TypeError, "1"],
  ["deadLetterQueue", topic({ deadLetterQueue: "orders.dead" }), TypeError, '"orders.dead"'],
  ["deadLetterQueue", topic({ deadLetterQueue: null }), TypeError, "null"],
  ["deadLetterQueue", topic({ deadLetterQueue: true }), TypeError, "true"],
  ['deadLetterQueue has no option "retries"', queue({ retries: 3 }), TypeError, "3"],
  ["deadLetterQueue.topic", topic({ deadLetterQueue: {} }), TypeError, "undefined"],
  ["deadLetterQueue.topic", queue({ topic: true }), TypeError, "true"],
  ["deadLetterQueue.topic", queue({ topic: "" }), RangeError, '""'],
  ["deadLetterQueue.topic", queue({ topic: "a b" }), RangeError, '"a b"'],
  ["deadLetterQueue.maxRetries", queue({ maxRetries: -1 }), RangeError, "-1"],
  ["deadLetterQueue.maxRetries", queue({ maxRetries: 0.5 }), RangeError, "0.5"],
  ["deadLetterQueue.maxRetries", queue({ maxRetries: 1_000_001 }), RangeError, "1000001"],
  ["deadLetterQueue.maxRetries", queue({ maxRetries: "3" }), TypeError, '"3"'],
  // Q2: the first attempt may be parallel, and only the collapsed run decides.
  ["deadLetterQueue.maxRetries", queue({ maxRetries: 0 }), RangeError, "0"],
  ["deadLetterQueue.maxRetries", queue({ maxRetries: 0 }, "collapse"), RangeError, "0"],
  ["deadLetterQueue.independent", queue({ independent: 1 }), TypeError, "1"],
  ["deadLetterQueue.strategy", queue({ strategy: "skip" }), TypeError, '"skip"'],
  ["deadLetterQueue.map", queue({ map: {} }), TypeError, "{  }"],
  [
    "deadLetterQueue needs a source with sink()",
    { source: { open() {} }, ...queue({}) },
    TypeError,
    "{ open }",
  ],
  [
    "deadLetterQueue needs a source with sink()",
    { source: { open() {} }, ...queue({ topic: false, strategy: () => "skip" }) },
    TypeError,
    "{ open }",
  ],
];

/** What the module of a topic is taken for. */
const MODULES: [unknown, string][] = [
  [new URL("file:///a/b.ts"), "file:///a/b.ts"],
  ["file:///a/b.ts", "file:///a/b.ts"],
  ["data:text/javascript,1", "data:text/javascript,1"],
  ["https://example.org/a.ts", "https://example.org/a.ts"],
  ["/a b/c#d?.ts", "file:///a%20b/c%23d%3F.ts"],
  ["C:\\a b\\c.ts", "file:///C:/a%20b/c.ts"],
];

describe("resolveOptions()", () => {
  test.each(MODULES)("takes the module %p", (given, url) => {
    const { handler } = resolveOptions(options(module(given)), clock).topics.get("t")!;
    expect(handler).toEqual({ form: "module", module: url });
  });

  test("takes a module that is a function: it starts a thread", () => {
    const spawn = (): never => {
      throw new Error("not called");
    };
    const { handler } = resolveOptions(options(module(spawn)), clock).topics.get("t")!;
    expect(handler).toEqual({ form: "module", module: spawn });
  });

  for (const [i, [name, extra, kind, shown]] of WRONG.entries()) {
    test(`refuses wrong option ${i}: ${name}: received ${shown}`, () => {
      const error = thrown(options(extra));
      expect(error).toBeInstanceOf(kind);
      expect(error.message).toMatch(/^Cannot create a consumer as .+: received .+$/);
      expect(error.message).toContain(name);
      expect(error.message.endsWith(`: received ${shown}`)).toBe(true);
    });
  }

  test("refuses no options at all", () => {
    expect(thrown(undefined)).toBeInstanceOf(TypeError);
    expect(thrown("options")).toBeInstanceOf(TypeError);
  });

  test("fills in the documented defaults", () => {
    const resolved = resolveOptions(options(), clock);
    expect(resolved).toMatchObject({
      groupId: "g",
      concurrency: 10,
      maxInFlightMessages: 10_000,
      maxInFlightBytes: 64 * 1024 * 1024,
      maxUnmarkedMessages: 100_000,
      commitIntervalMs: 1000,
      drainTimeoutMs: 20_000,
      stallMs: 60_000,
      onOutOfRange: "earliest",
      fromBeginning: false,
      signal: null,
      handlerTimeoutMs: 0,
      offsetMap: "dense",
      maxMetadataLength: 4096,
    });
    expect(resolved.clock).toBe(clock);
    expect(resolved.topics.get("t")).toMatchObject({
      name: "t",
      distribution: "single",
      maxPartitions: 1,
      maxMessages: 100,
      maxWaitMs: 0,
      manual: false,
      onError: "collapse",
      deadLetterQueue: null,
      exactText: false,
      retry: { backoffMs: 1000, maxBackoffMs: 30_000, multiplier: 2, jitter: 0.2 },
    });
  });

  test("Q5: a dead letter queue has its defaults, and maxRetries 0 goes with isolate (Q2)", () => {
    const resolved = resolveOptions(options(queue({})), clock).topics.get("t")?.deadLetterQueue;
    const defaults = { maxRetries: 3, independent: false, strategy: null, map: null };
    expect(resolved).toEqual({ topic: "dead", ...defaults });
    const none = resolveOptions(options(queue({ maxRetries: 0 }, "isolate")), clock);
    expect(none.topics.get("t")?.deadLetterQueue?.maxRetries).toBe(0);
    const skipping = options({ source: { open() {} }, ...queue({ topic: false }) });
    expect(resolveOptions(skipping, clock).topics.get("t")?.deadLetterQueue?.topic).toBe(false);
  });

  test("D5: maxPartitions defaults to the concurrency, virtualPartitions: true to consistent", () => {
    const given = options({ concurrency: 33, ...topic({ virtualPartitions: true }) });
    expect(resolveOptions(given, clock).topics.get("t")).toMatchObject({
      distribution: "consistent",
      maxPartitions: 33,
      partitioner: null,
      reducer: null,
    });
  });

  test("parallel segments have their defaults, and run all in one process", () => {
    const { segments: resolved } = resolveOptions(options(segments({})), clock);
    expect(resolved).toMatchObject({ count: 4, reducer: null, mergeKey: null, version: null });
    expect(resolved).toMatchObject({ stops: false, run: [0, 1, 2, 3] });
    expect(resolveOptions(options(), clock).segments).toBe(null);
    expect(resolveOptions(options(segments({ count: 1 })), clock).segments).toBe(null);
  });

  const VARIABLES: [text: string | undefined, run: unknown, expected: number[] | string][] = [
    [undefined, undefined, [0, 1, 2, 3]],
    ["", undefined, [0, 1, 2, 3]],
    ["all", undefined, [0, 1, 2, 3]],
    ["2, 0", undefined, [0, 2]],
    ["2", [3], [3]],
    ["2", "all", [0, 1, 2, 3]],
    ["4", undefined, "HEADRACE_SEGMENTS must name segments from 0 to 3: received 4"],
    ["1,x", undefined, 'HEADRACE_SEGMENTS must name segments from 0 to 3: received "x"'],
    ["1,,2", undefined, 'HEADRACE_SEGMENTS must name segments from 0 to 3: received ""'],
    ["-1", undefined, 'HEADRACE_SEGMENTS must name segments from 0 to 3: received "-1"'],
    ["1,1", undefined, 'HEADRACE_SEGMENTS must name each segment once: received "1,1"'],
  ];
  test.each(VARIABLES)("HEADRACE_SEGMENTS %j with run %j", (text, run, expected) => {
    const given = options(segments(run === undefined ? {} : { run }));
    const environment = (name: string) => (name === "HEADRACE_SEGMENTS" ? text : undefined);
    const resolve = () => resolveOptions(given, clock, environment).segments?.run;
    if (typeof expected === "string") expect(resolve).toThrow(expected);
    else expect(resolve()).toEqual(expected);
  });

  test("takes every option at its limits", () => {
    const given = options({
      concurrency: 100_000,
      connections: 1,
      offsetMap: "off",
      handlerTimeoutMs: 24 * 3_600_000,
      maxMetadataLength: 32_767,
      parallelSegments: { count: 1, partitioner: () => "k" },
      logger: false,
      drainTimeoutMs: 0,
      commitIntervalMs: 10,
      signal: new AbortController().signal,
      maxInFlightMessages: 100_000,
      ...topic({
        maxMessages: 100_000,
        maxWaitMs: 3_600_000,
        onError: "isolate",
        acknowledge: "manual",
        retry: { backoffMs: 1, maxBackoffMs: 1, multiplier: 1, jitter: 0 },
        deadLetterQueue: { topic: "x".repeat(249), maxRetries: 1_000_000, independent: true },
        virtualPartitions: {
          maxPartitions: 65_536,
          distribution: "per-key",
          offsetMetadataStrategy: "exact",
        },
      }),
    });
    expect(resolveOptions(given, clock).topics.get("t")).toMatchObject({
      manual: true,
      maxPartitions: 65_536,
      distribution: "per-key",
      exactText: true,
    });
  });

  test("maxInFlightMessages follows a larger maxMessages when it is not given", () => {
    const given = options(topic({ maxMessages: 50_000 }));
    expect(resolveOptions(given, clock).maxInFlightMessages).toBe(50_000);
  });

  test("createConsumer() throws at once, before anything is opened", () => {
    let opened = 0;
    const counting = { open: () => opened++ };
    const wrong = options({ source: counting, concurrency: -1 });
    expect(() => createConsumer(wrong)).toThrow(RangeError);
    createConsumer(options({ source: counting }));
    expect(opened).toBe(0);
  });
});
