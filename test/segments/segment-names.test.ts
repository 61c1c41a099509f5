import { describe, expect, test } from "bun:test";
import {
  DEFAULT_MERGE_KEY,
  segmentGroupId,
  segmentGroupIds,
} from "../../src/segments/segment-names.ts";

describe("segment names", () => {
  test("S1: a group with count n becomes n groups; one segment keeps the name", () => {
    const naming = { origin: "orders", count: 3, mergeKey: DEFAULT_MERGE_KEY };
    expect(segmentGroupIds(naming)).toEqual([
      "orders-parallel-0",
      "orders-parallel-1",
      "orders-parallel-2",
    ]);
    expect(segmentGroupId({ ...naming, mergeKey: "/" }, 2)).toBe("orders/2");
    expect(segmentGroupIds({ ...naming, count: 1 })).toEqual(["orders"]);
  });
});
