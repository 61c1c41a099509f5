import { describe, expect, test } from "bun:test";
import { plentyOf, type Reading } from "../src/read-ahead.ts";
import type { ResolvedTopic } from "../src/resolve-topic.ts";

function reading(given: {
  isBusy?: boolean;
  ofBatches?: boolean;
  maxPartitions?: number;
}): Reading {
  const { isBusy = true, ofBatches = false, maxPartitions = 1000 } = given;
  const topic = { maxPartitions, maxMessages: 100 } as ResolvedTopic;
  return { topic, handler: { ofBatches }, processor: { isBusy }, slots: { concurrency: 64 } };
}

describe("plentyOf()", () => {
  test("F1: nothing is plenty while a thread may be free", () => {
    expect(plentyOf(reading({ isBusy: false }), 1000)).toBe(Number.POSITIVE_INFINITY);
  });

  test("F1: two calls for each slot that the partition may fill are plenty", () => {
    expect(plentyOf(reading({}), 0)).toBe(128);
    expect(plentyOf(reading({ maxPartitions: 10 }), 0)).toBe(20);
    expect(plentyOf(reading({ maxPartitions: 10, ofBatches: true }), 0)).toBe(2000);
  });

  test("F1: where the next read takes a while, no less than four reads are", () => {
    expect(plentyOf(reading({}), 10)).toBe(128);
    expect(plentyOf(reading({}), 57)).toBe(228);
    expect(plentyOf(reading({}), 10_000)).toBe(40_000);
  });
});
