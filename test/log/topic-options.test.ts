import { describe, expect, test } from "bun:test";
import { conflict, resolveLogOptions, topicRequest } from "../../src/log/log-options.ts";
import { checkOverrides, TOPIC_DEFAULTS, withOverrides } from "../../src/log/topic-options.ts";

describe("checkOverrides()", () => {
  test("gives what was given, and nothing else", () => {
    const archive = () => {};
    const given = {
      segment: { bytes: 2048, maxAgeMs: undefined },
      retention: { maxAgeMs: 5, archive, barrierMaxAgeMs: null },
      deduplication: {},
      other: 1,
    };
    expect(checkOverrides("", given)).toEqual({
      segment: { bytes: 2048 },
      retention: { maxAgeMs: 5, archive, barrierMaxAgeMs: null },
      deduplication: {},
    });
    expect(checkOverrides("", { retention: null, deduplication: null })).toEqual({
      retention: null,
      deduplication: null,
    });
  });

  test.each([
    ["segment.bytes", { segment: { bytes: 100 } }, RangeError],
    ["segment.maxAgeMs", { segment: { maxAgeMs: 0 } }, RangeError],
    ["segment", { segment: null }, TypeError],
    ["segment", { segment: { size: 1 } }, TypeError],
    ["retention.maxAgeMs", { retention: { maxAgeMs: "1h" } }, TypeError],
    ["retention.maxTopicBytes", { retention: { maxTopicBytes: 1 } }, RangeError],
    ["retention.deleteOldestSegments", { retention: { deleteOldestSegments: 1 } }, TypeError],
    ["retention.protectUncommitted", { retention: { protectUncommitted: null } }, TypeError],
    ["retention.barrierMaxAgeMs", { retention: { barrierMaxAgeMs: 1.5 } }, RangeError],
    ["retention.archive", { retention: { archive: "" } }, RangeError],
    ["retention.archive", { retention: { archive: 1 } }, TypeError],
    ["deduplication.maxEntries", { deduplication: { maxEntries: 0 } }, RangeError],
    ["deduplication.ttlMs", { deduplication: { ttlMs: -1 } }, RangeError],
    ["deduplication", { deduplication: true }, TypeError],
  ] as [string, Record<string, unknown>, typeof TypeError][])(
    "refuses a wrong %s",
    (name, given, type) => {
      expect(() => checkOverrides("topics.a.", given)).toThrow(type);
      expect(() => checkOverrides("topics.a.", given)).toThrow(`topics.a.${name}`);
    },
  );

  test("takes an archive callback for the log alone: a topic could not keep it", () => {
    const retention = { archive: () => {} };
    expect(checkOverrides("", { retention }).retention).toEqual(retention);
    expect(() => checkOverrides("topics.a.", { retention })).toThrow("a directory or null");
  });
});

describe("withOverrides()", () => {
  test("lays given options over the others, one by one", () => {
    const log = withOverrides(TOPIC_DEFAULTS, {
      segment: { bytes: 4096 },
      retention: { maxAgeMs: 9, archive: "a" },
    });
    expect(log).toEqual({
      segment: { bytes: 4096, maxAgeMs: null },
      retention: {
        maxAgeMs: 9,
        maxTopicBytes: null,
        deleteOldestSegments: false,
        archive: "a",
        protectUncommitted: true,
        barrierMaxAgeMs: 604_800_000,
      },
      deduplication: null,
    });
    const topic = withOverrides(log, {
      segment: { maxAgeMs: 3 },
      retention: { maxTopicBytes: 5000 },
      deduplication: { ttlMs: 1 },
    });
    expect(topic.segment).toEqual({ bytes: 4096, maxAgeMs: 3 });
    expect(topic.retention).toMatchObject({ maxAgeMs: 9, archive: "a", maxTopicBytes: 5000 });
    expect(topic.deduplication).toEqual({ maxEntries: 10_000, ttlMs: 1 });
    expect(withOverrides(topic, { retention: null, deduplication: null })).toEqual({
      ...topic,
      retention: null,
      deduplication: null,
    });
    expect(withOverrides(topic, {})).toEqual(topic);
  });
});

describe("resolveLogOptions()", () => {
  test("has the defaults of the design", () => {
    expect(resolveLogOptions()).toEqual({
      topics: new Map(),
      flush: { messages: 1024, bytes: 1_048_576, intervalMs: 5 },
      sync: "interval",
      syncIntervalMs: 1000,
      acknowledge: "written",
      verify: "read",
      cacheIndexes: "open",
      onCorruption: "fail",
      topicDefaults: TOPIC_DEFAULTS,
      on: {},
      automaticRetention: true,
      given: new Map(),
    });
  });

  test.each([
    ["sync", { sync: "always" }, RangeError],
    ["syncIntervalMs", { syncIntervalMs: 0 }, RangeError],
    ["acknowledge", { acknowledge: true }, TypeError],
    ["acknowledge", { acknowledge: "synced", sync: "never" }, RangeError],
    ["verify", { verify: "never" }, RangeError],
    ["cacheIndexes", { cacheIndexes: "some" }, RangeError],
    ["onCorruption", { onCorruption: "ignore" }, RangeError],
    ["flush.messages", { flush: { messages: 0 } }, RangeError],
    ["flush.bytes", { flush: { bytes: 2 ** 40 } }, RangeError],
    ["flush.intervalMs", { flush: { intervalMs: -1 } }, RangeError],
    ["flush", { flush: { ms: 1 } }, TypeError],
    ["on.corrupt", { on: { corrupt: 5 } }, TypeError],
    ["on", { on: { tornTails: () => {} } }, TypeError],
    [
      "topics.a.deduplication.ttlMs",
      { topics: { a: { partitions: 1, deduplication: { ttlMs: 0 } } } },
      RangeError,
    ],
  ] as [string, object, typeof TypeError][])("refuses a wrong %s", (name, options, type) => {
    expect(() => resolveLogOptions(options)).toThrow(type);
    expect(() => resolveLogOptions(options)).toThrow(name);
  });
});

describe("topicRequest()", () => {
  test("parts the partition count from what is stored", () => {
    const segment = { bytes: 2048 };
    expect(topicRequest("topics.a", { partitions: 3, segment })).toEqual({
      partitions: 3,
      overrides: { segment },
    });
  });
});

describe("conflict()", () => {
  test.each([
    [{ segment: { bytes: 4096 } }, { segment: { bytes: 4096 } }, undefined],
    [{ segment: { bytes: 4096 } }, { segment: { bytes: 2048 } }, "segment.bytes 4096 and not 2048"],
    [{}, { sync: "interval", topics: { t: { partitions: 1 } } }, undefined],
    [{ segment: { bytes: 4096 } }, {}, undefined],
  ] as [object, object, string | undefined][])("of %j and then %j is %s", (first, later, found) => {
    expect(conflict(resolveLogOptions(first), resolveLogOptions(later))).toBe(found);
  });
});
