import { describe, expect, test } from "bun:test";
import { barRows } from "../../src/cli/bar-rows.ts";
import { chart } from "../../src/cli/chart.ts";
import { bar, count, duration, plural, rate } from "../../src/cli/format.ts";
import { paintFor, plain, visibleLength } from "../../src/cli/paint.ts";
import { table } from "../../src/cli/table.ts";

describe("table()", () => {
  test("aligns columns when cells are coloured", () => {
    const paint = paintFor({ colour: true });
    const rows = [
      ["way", "rate"],
      [paint.green("a"), "1,000/s"],
      ["longer", "5/s"],
    ];
    expect(table(rows, ["left", "right"]).map(plain)).toEqual([
      "way        rate",
      "a       1,000/s",
      "longer      5/s",
    ]);
  });
});

describe("chart()", () => {
  test("draws one bar per count on the given scale", () => {
    expect(chart([4, 2, 1, 0], { height: 2, columns: 10, top: 4 })).toEqual(["4 │█", "0 │██▄"]);
  });

  test("shows a count that is too small for the scale", () => {
    expect(chart([1000, 1], { height: 1, columns: 10, top: 1000 })).toEqual(["1000 │█▁"]);
  });

  test("draws the largest of several counts when columns are few", () => {
    expect(chart([1, 8, 2, 4], { height: 1, columns: 2, top: 8 })).toEqual(["8 │█▄"]);
  });

  test("works without counts", () => {
    expect(chart([], { height: 1, columns: 5, top: 0 })).toEqual(["1 │"]);
  });
});

describe("format", () => {
  test("numbers read as people write them", () => {
    expect(count(10_000)).toBe("10,000");
    expect(rate(158.4)).toBe("158/s");
    expect(rate(9.54)).toBe("9.5/s");
    expect(rate(470_711)).toBe("471k/s");
    expect(rate(Number.NaN)).toBe("-");
    expect(duration(12.4)).toBe("12 ms");
    expect(duration(2345)).toBe("2.3 s");
    expect(duration(64_000)).toBe("64 s");
    expect(plural(1, "message")).toBe("1 message");
    expect(plural(2, "message")).toBe("2 messages");
  });

  test.each([
    [0, 0],
    [0.5, 5],
    [1, 10],
    [2, 10],
    [-1, 0],
  ])("bar() of %d fills %d of 10", (share, filled) => {
    const [full, empty] = bar(share, 10);
    expect([full.length, empty.length]).toEqual([filled, 10 - filled]);
  });
});

describe("paint", () => {
  test("adds nothing without colours", () => {
    expect(paintFor({ colour: false }).red("a")).toBe("a");
  });

  test("visibleLength() leaves colours out", () => {
    const red = paintFor({ colour: true }).red("abc");
    expect(red).not.toBe("abc");
    expect(visibleLength(red)).toBe(3);
  });
});

describe("barRows()", () => {
  const paint = paintFor({ colour: false });

  test("draws a bar behind each row, on one scale, in the room that is left", () => {
    const rows = [
      { cells: ["a", "10"], value: 10 },
      { cells: ["bcd", "5"], value: 5 },
      { cells: ["", "0"], value: 0 },
    ];
    expect(barRows(rows, ["left", "right"], paint, 19)).toEqual([
      "a    10  ━━━━━━━━━━",
      "bcd   5  ━━━━━",
      "      0",
    ]);
  });

  test("shows a value that is too small for the scale, and works without values", () => {
    const rows = [
      { cells: ["a"], value: 1000 },
      { cells: ["b"], value: 1 },
    ];
    expect(barRows(rows, ["left"], paint, 11)).toEqual(["a  ━━━━━━━━", "b  ╸"]);
    expect(barRows([{ cells: ["a"], value: 0 }], ["left"], paint, 5)).toEqual(["a"]);
  });
});
