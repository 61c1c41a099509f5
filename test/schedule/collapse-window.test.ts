import { describe, expect, test } from "bun:test";
import { CollapseWindow } from "../../src/schedule/collapse-window.ts";

describe("CollapseWindow", () => {
  test("E2: a failure gathers; set() covers what failed, what was left and what ended well", () => {
    for (const [failed, left, done, until] of [
      [5, -1, 3, 6],
      [5, 9, 3, 10],
      [5, -1, 20, 21],
      [0, -1, -1, 1],
    ] as const) {
      const window = new CollapseWindow();
      expect([window.mayStart, window.ordered, window.failing]).toEqual([true, false, false]);
      window.failed(failed);
      window.started(left);
      expect([window.mayStart, window.failing, window.until]).toEqual([false, true, -1]);
      expect(window.set(done)).toBe(true);
      expect([window.phase, window.until, window.failing]).toEqual(["waiting", until, false]);
      expect([window.mayStart, window.ordered]).toEqual([false, false]);
      window.phase = "ordered";
      expect([window.mayStart, window.ordered]).toEqual([true, true]);
      window.end();
      expect(window).toMatchObject({ phase: "none", until: -1 });
    }
  });

  test("E6: a request collapses up to and including its offset, the highest of several, without a back-off", () => {
    const window = new CollapseWindow();
    window.request(7);
    window.request(9);
    window.request(3);
    expect([window.phase, window.until, window.failing]).toEqual(["gathering", 10, false]);
    expect(window.set(500)).toBe(false);
    expect([window.phase, window.until]).toEqual(["ordered", 10]);
    window.request(11);
    window.request(2);
    expect(window.until).toBe(12);
  });

  test("E2, E6: both: the higher end counts, and the back-off comes first", () => {
    for (const [requested, until] of [
      [100, 101],
      [2, 8],
    ] as const) {
      const window = new CollapseWindow();
      window.request(requested);
      window.failed(7);
      expect(window.failing).toBe(true);
      expect(window.set(3)).toBe(true);
      expect(window.until).toBe(until);
    }
  });

  test("E2: a second collapse knows what had started before, and nothing of the first one's request", () => {
    const window = new CollapseWindow();
    window.failed(7);
    window.request(50);
    window.set(8);
    window.end();
    window.failed(3);
    expect(window.set(9)).toBe(true);
    expect(window.until).toBe(10);
  });
});
