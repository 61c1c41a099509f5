import { describe, expect, test } from "bun:test";
import { Pauses } from "../../src/schedule/pauses.ts";
import { fakeClock } from "../../src/testing/fake-clock.ts";

function setUp(user = false) {
  const clock = fakeClock();
  const told: [number, boolean][] = [];
  const pauses = new Pauses(clock, user, (paused) => told.push([clock.now(), paused]));
  return { clock, told, pauses };
}

describe("Pauses", () => {
  test("E8: a pause for a while ends by itself; the latest end wins, whenever it was asked for", async () => {
    const { clock, told, pauses } = setUp();
    pauses.pauseFor(100);
    pauses.pauseFor(50);
    await clock.advance(60);
    pauses.pauseFor(90);
    pauses.pauseFor(0);
    pauses.pauseFor(-5);
    expect(pauses.paused).toBe(true);
    await clock.advance(89);
    expect(pauses.paused).toBe(true);
    await clock.advance(1);
    expect(told).toEqual([
      [0, true],
      [150, false],
    ]);
    expect(clock.pendingTimers()).toBe(0);
    pauses.pauseFor(10);
    await clock.advance(10);
    expect(told).toHaveLength(4);
  });

  test("E8: it is paused while either holds, and tells of changes only", async () => {
    const { clock, told, pauses } = setUp();
    pauses.user = true;
    pauses.user = true;
    pauses.pauseFor(100);
    pauses.user = false;
    expect([pauses.paused, pauses.user]).toEqual([true, false]);
    pauses.user = true;
    await clock.advance(200);
    expect(pauses.paused).toBe(true);
    pauses.user = false;
    expect(told).toEqual([
      [0, true],
      [200, false],
    ]);
  });

  test("E8: paused from the start it tells nothing; end() leaves no timer and no event", async () => {
    const { clock, told, pauses } = setUp(true);
    expect(pauses.paused).toBe(true);
    pauses.pauseFor(100);
    pauses.end();
    expect(clock.pendingTimers()).toBe(0);
    await clock.advance(200);
    expect(told).toEqual([]);
  });
});
