import { describe, expect, test } from "bun:test";
import { type DrawnPartition, drawPartition } from "../../../src/cli/log/draw-partition.ts";
import { paintFor, visibleLength } from "../../../src/cli/paint.ts";

const paint = paintFor({ colour: false });

function draw(partition: DrawnPartition, columns = 60): string[] {
  return drawPartition(partition, columns, paint);
}

/** Segments of `size` offsets each; the last one is active. */
function segmentsOf(logStart: number, logEnd: number, size: number): DrawnPartition["segments"] {
  const segments = [];
  for (let baseOffset = logStart; baseOffset < logEnd; baseOffset += size) {
    const nextOffset = Math.min(logEnd, baseOffset + size);
    segments.push({ baseOffset, nextOffset, sealed: nextOffset < logEnd });
  }
  return segments;
}

describe("drawPartition()", () => {
  test("draws segments to scale, with groups below", () => {
    const partition = {
      logStart: 0,
      logEnd: 6000,
      segments: segmentsOf(0, 6000, 2500),
      groups: [
        { groupId: "billing", offset: 1000 },
        { groupId: "audit", offset: 5900 },
        { groupId: "mail", offset: 6000 },
      ],
    };
    expect(draw(partition)).toEqual([
      "█████████████████████████│████████████████████████│░░░░░░░░░",
      "0                        2,500                         6,000",
      "          ▲ billing 1,000, lag 5,000",
      "                                      audit 5,900, lag 100 ▲",
      "                                         mail 6,000, lag 0 ▲",
    ]);
  });

  test("counts from the log's start when retention has removed messages", () => {
    const segments = segmentsOf(1_000_000, 1_000_400, 200);
    const groups = [
      { groupId: "late", offset: 10 },
      { groupId: "lost", offset: 2_000_000 },
    ];
    const lines = draw({ logStart: 1_000_000, logEnd: 1_000_400, segments, groups }, 40);
    expect(lines).toEqual([
      "████████████████████│░░░░░░░░░░░░░░░░░░░",
      "1,000,000           1,000,200  1,000,400",
      "▲ late 10, before the log",
      "      lost 2,000,000, ahead of the log ▲",
    ]);
  });

  test("says that a partition is empty", () => {
    const groups = [{ groupId: "g", offset: 7 }];
    expect(draw({ logStart: 7, logEnd: 7, segments: [], groups })).toEqual(["empty", "g 7, lag 0"]);
  });

  test("cuts long group names", () => {
    const groups = [{ groupId: "x".repeat(200), offset: 0 }];
    const segments = segmentsOf(0, 10, 10);
    const [, , group] = draw({ logStart: 0, logEnd: 10, segments, groups });
    expect(group).toBe(`▲ ${"x".repeat(23)}… 0, lag 10`);
  });

  test.each([
    [20, 1],
    [20, 3],
    [60, 59],
    [60, 60],
    [60, 1000],
    [76, 7],
  ])("fits %d columns with %d segments, the active one always seen", (columns, segmentCount) => {
    const logEnd = segmentCount * 10;
    for (const offset of [0, 1, logEnd >> 1, logEnd - 1, logEnd]) {
      const lines = draw(
        {
          logStart: 0,
          logEnd,
          segments: segmentsOf(0, logEnd, 10),
          groups: [{ groupId: "g", offset }],
        },
        columns,
      );
      expect(visibleLength(lines[0]!)).toBe(columns);
      expect(lines[0]!.endsWith("░")).toBe(true);
      expect(lines[1]!.length).toBe(columns);
      expect(lines[1]!.endsWith(` ${logEnd.toLocaleString("en-US")}`)).toBe(true);
      for (const line of lines) expect(visibleLength(line)).toBeLessThanOrEqual(columns);
    }
  });
});
