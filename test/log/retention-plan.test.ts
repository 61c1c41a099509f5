import { describe, expect, test } from "bun:test";
import {
  type GroupPosition,
  type PartitionFacts,
  planRetention,
  type RetentionPolicy,
  type SegmentFacts,
} from "../../src/log/retention-plan.ts";
import { random } from "./temporary.ts";

const NOW = 1_000_000;
const KEEP: RetentionPolicy = {
  maxAgeMs: null,
  maxTopicBytes: null,
  deleteOldestSegments: false,
  protectUncommitted: true,
  barrierMaxAgeMs: null,
};

/** Segments of ten records and 100 bytes each, whose last appends are so old (ms; null: unknown). */
function partition(at: number, ages: readonly (number | null)[], activeBytes = 50): PartitionFacts {
  const sealed = ages.map((age, index): SegmentFacts => {
    const lastAppendTimeUs = age === null ? Number.NEGATIVE_INFINITY : (NOW - age) * 1000;
    const baseOffset = index * 10;
    return { baseOffset, nextOffset: baseOffset + 10, logBytes: 100, lastAppendTimeUs };
  });
  return { partition: at, sealed, activeBytes };
}

function position(groupId: string, at: number, offset: number, age = 0): GroupPosition {
  return { groupId, partition: at, offset, committedAtMs: NOW - age };
}

function plan(
  policy: RetentionPolicy,
  partitions: readonly PartitionFacts[],
  positions: readonly GroupPosition[] = [],
) {
  return planRetention(policy, partitions, () => positions, NOW);
}

/** `partition:baseOffset` of what goes. */
function removed(
  policy: RetentionPolicy,
  partitions: readonly PartitionFacts[],
  positions: readonly GroupPosition[] = [],
): string[] {
  const { removals } = plan(policy, partitions, positions);
  return removals.map((one) => `${one.partition}:${one.segment.baseOffset}`);
}

describe("planRetention()", () => {
  test("removes nothing without a limit", () => {
    expect(removed(KEEP, [partition(0, [999_999, 5])])).toEqual([]);
    expect(removed({ ...KEEP, deleteOldestSegments: true }, [partition(0, [9])])).toEqual([]);
  });

  test("by age: the last append counts, at the limit too, oldest first, to the first young one", () => {
    const byAge = { ...KEEP, maxAgeMs: 100 };
    expect(removed(byAge, [partition(0, [300, 101, 100, 99, 200])])).toEqual([
      "0:0",
      "0:10",
      "0:20",
    ]);
    expect(removed(byAge, [partition(0, [99])])).toEqual([]);
  });

  test("asks for positions only when something would go, and then for all partitions", () => {
    const asked: (readonly number[])[] = [];
    const positionsOf = (partitions: readonly number[]) => {
      asked.push(partitions);
      return [];
    };
    const partitions = [partition(0, [50]), partition(1, [150])];
    planRetention({ ...KEEP, maxAgeMs: 200 }, partitions, positionsOf, NOW);
    const off = { ...KEEP, maxAgeMs: 100, protectUncommitted: false };
    planRetention(off, partitions, positionsOf, NOW);
    expect(asked).toEqual([]);
    planRetention({ ...KEEP, maxAgeMs: 100 }, partitions, positionsOf, NOW);
    expect(asked).toEqual([[0, 1]]);
  });

  test("by age: unknown age is not old", () => {
    const byAge = { ...KEEP, maxAgeMs: 100 };
    expect(removed(byAge, [partition(0, [null, 300])])).toEqual([]);
    expect(removed(byAge, [partition(0, [300, null, 300])])).toEqual(["0:0"]);
    const zero = { baseOffset: 0, nextOffset: 10, logBytes: 100, lastAppendTimeUs: 0 };
    expect(removed(byAge, [{ partition: 0, sealed: [zero], activeBytes: 0 }])).toEqual([]);
  });

  test("by size: the oldest of all partitions, until the topic is at the limit or below", () => {
    const bySize = { ...KEEP, maxTopicBytes: 400, deleteOldestSegments: true };
    // 2 * 50 + 6 * 100 = 700 bytes.
    const partitions = [partition(0, [50, 30, 10]), partition(1, [40, 39, 5])];
    expect(removed(bySize, partitions)).toEqual(["0:0", "1:0", "1:10"]);
    expect(removed({ ...bySize, maxTopicBytes: 700 }, partitions)).toEqual([]);
    expect(removed({ ...bySize, maxTopicBytes: 699 }, partitions)).toEqual(["0:0"]);
  });

  test("by size: never the active segment, and an unknown age comes last", () => {
    const bySize = { ...KEEP, maxTopicBytes: 10, deleteOldestSegments: true };
    expect(
      removed(bySize, [partition(0, [3], 5000), partition(1, [null]), partition(2, [2])]),
    ).toEqual(["0:0", "2:0", "1:0"]);
  });

  test("by size: nothing without deleteOldestSegments", () => {
    expect(removed({ ...KEEP, maxTopicBytes: 10 }, [partition(0, [50, 30])])).toEqual([]);
  });

  test("by both: what goes by age counts for the size", () => {
    const both = { ...KEEP, maxAgeMs: 100, maxTopicBytes: 250, deleteOldestSegments: true };
    expect(removed(both, [partition(0, [150, 20, 10])])).toEqual(["0:0"]);
    expect(removed({ ...both, maxTopicBytes: 249 }, [partition(0, [150, 20, 10])])).toEqual([
      "0:0",
      "0:10",
    ]);
  });

  test("protectUncommitted keeps what the slowest group of the partition has not committed", () => {
    const byAge = { ...KEEP, maxAgeMs: 100 };
    const partitions = [partition(0, [300, 300, 300]), partition(1, [300])];
    const positions = [position("fast", 0, 30), position("slow", 0, 19), position("other", 1, 10)];
    const { removals, holds } = plan(byAge, partitions, positions);
    expect(removals.map((one) => [one.partition, one.segment.baseOffset])).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(holds).toEqual([{ groupId: "slow", partition: 0, offset: 19, bytes: 200 }]);
    // Everything below 20 is committed: the segment up to 20 goes.
    expect(removed(byAge, [partition(0, [300, 300])], [position("slow", 0, 20)])).toEqual([
      "0:0",
      "0:10",
    ]);
    expect(removed({ ...byAge, protectUncommitted: false }, partitions, positions).length).toBe(4);
  });

  test("by size, a held partition is passed over, and the hold says what it costs", () => {
    const bySize = { ...KEEP, maxTopicBytes: 300, deleteOldestSegments: true };
    const partitions = [partition(0, [50, 40]), partition(1, [30, 20])];
    const decided = plan(bySize, partitions, [position("g", 0, 5)]);
    expect(decided.removals.map((one) => one.partition)).toEqual([1, 1]);
    expect(decided.holds).toEqual([{ groupId: "g", partition: 0, offset: 5, bytes: 200 }]);
  });

  test("a group that holds nothing which would go is not named", () => {
    const byAge = { ...KEEP, maxAgeMs: 100 };
    const decided = plan(byAge, [partition(0, [300, 50])], [position("g", 0, 12)]);
    expect(decided.removals.length).toBe(1);
    expect(decided.holds).toEqual([]);
  });

  test("barrierMaxAgeMs: a group that has not moved for so long holds nothing", () => {
    const byAge = { ...KEEP, maxAgeMs: 100, barrierMaxAgeMs: 250 };
    const partitions = [partition(0, [300, 260])];
    expect(removed(byAge, partitions, [position("g", 0, 5, 249)])).toEqual([]);
    expect(removed(byAge, partitions, [position("g", 0, 5, 250)])).toEqual(["0:0", "0:10"]);
    // The one behind it that still moves takes over.
    const two = [position("gone", 0, 5, 9999), position("here", 0, 15, 0)];
    const { removals, holds } = plan(byAge, partitions, two);
    expect(removals.length).toBe(1);
    expect(holds).toEqual([{ groupId: "here", partition: 0, offset: 15, bytes: 100 }]);
  });

  test("barrierMaxAgeMs: the time counts from when there was something to read", () => {
    const policy = { ...KEEP, maxAgeMs: 100, barrierMaxAgeMs: 250 };
    // At the end of a quiet partition, 9999 ms ago; then segments came.
    expect(removed(policy, [partition(0, [300, 240])], [position("g", 0, 10, 9999)])).toEqual([
      "0:0",
    ]);
    expect(removed(policy, [partition(0, [300, 250])], [position("g", 0, 10, 9999)])).toEqual([
      "0:0",
      "0:10",
    ]);
    // What it reads next is gone already: it was given up, and does not hold the next one.
    const young = [{ ...partition(0, [0, 300, 240]) }];
    const rest = [{ ...young[0]!, sealed: young[0]!.sealed.slice(1) }];
    expect(removed(policy, rest, [position("g", 0, 5, 9999)])).toEqual(["0:10", "0:20"]);
  });

  test("for random topics: a prefix of each partition, nothing uncommitted, no more than it must", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = random(seed);
      const pick = <T>(...all: T[]): T => all[next() % all.length]!;
      const partitions = Array.from({ length: 1 + (next() % 4) }, (_, at) => {
        const ages = Array.from({ length: next() % 6 }, () =>
          pick(null, next() % 400, next() % 400),
        );
        return partition(at, ages, next() % 100);
      });
      const policy: RetentionPolicy = {
        maxAgeMs: pick(null, 100, 200),
        maxTopicBytes: pick(null, 100, 300, 600),
        deleteOldestSegments: pick(true, false),
        protectUncommitted: pick(true, true, false),
        barrierMaxAgeMs: pick(null, 150),
      };
      const positions = Array.from({ length: next() % 5 }, (_, at) => {
        return position(`g${at}`, next() % 4, next() % 60, next() % 400);
      });
      const { removals } = plan(policy, partitions, positions);
      const note = { seed, policy, partitions, positions, removals };
      const counts = partitions.map((facts) => {
        const own = removals.filter((one) => one.partition === facts.partition);
        // Dense: always from the front.
        expect({ ...note, own: own.map(({ segment }) => segment) }).toEqual({
          ...note,
          own: facts.sealed.slice(0, own.length),
        });
        return own.length;
      });
      for (const { partition: at, segment } of removals) {
        const holding = positions.filter(({ partition: where, offset, committedAtMs }) => {
          const live = (policy.barrierMaxAgeMs ?? Infinity) > NOW - committedAtMs;
          return policy.protectUncommitted && live && where === at && offset < segment.nextOffset;
        });
        expect({ ...note, holding }).toEqual({ ...note, holding: [] });
      }
      const left = partitions.reduce((sum, facts, at) => {
        return sum + facts.activeBytes + 100 * (facts.sealed.length - counts[at]!);
      }, 0);
      if (policy.maxAgeMs === null && removals.length > 0) {
        const limit = policy.maxTopicBytes!;
        expect({ ...note, enough: left + 100 > limit }).toEqual({ ...note, enough: true });
      }
    }
  });
});
