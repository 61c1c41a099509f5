import { describe, expect, test } from "bun:test";
import type { CallContext } from "../../src/process/call-context.ts";
import { CallDeadlines } from "../../src/process/call-deadlines.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

function setUp() {
  const clock = fakeClock();
  const overdue: [number, unknown][] = [];
  const deadlines = new CallDeadlines(clock, 100, (call) => overdue.push([clock.now(), call]));
  const calls = ["a", "b", "c"] as unknown as CallContext[];
  return { clock, overdue, deadlines, calls };
}

describe("CallDeadlines", () => {
  test("R12: each call is told once, at its own time, with one timer for all", async () => {
    const { clock, overdue, deadlines, calls } = setUp();
    const [a, b, c] = calls as [CallContext, CallContext, CallContext];
    deadlines.started(a);
    await clock.advance(30);
    deadlines.started(b);
    await clock.advance(30);
    deadlines.started(c);
    deadlines.ended(b);
    expect(clock.pendingTimers()).toBe(1);
    await clock.advance(1000);
    expect(overdue as unknown).toEqual([
      [100, "a"],
      [160, "c"],
    ]);
    expect(clock.pendingTimers()).toBe(0);
  });

  test("R12: a context that is used again has the time of its new call", async () => {
    const { clock, overdue, deadlines, calls } = setUp();
    const [a, b] = calls as [CallContext, CallContext];
    deadlines.started(a);
    await clock.advance(60);
    deadlines.ended(a);
    deadlines.started(b);
    deadlines.started(a);
    await clock.advance(99);
    expect(overdue).toEqual([]);
    await clock.advance(1);
    expect(overdue.map(([atMs]) => atMs)).toEqual([160, 160]);
    deadlines.ended(a);
    deadlines.ended(b);
    deadlines.started(a);
    deadlines.ended(a);
    expect(clock.pendingTimers()).toBe(0);
  });
});
