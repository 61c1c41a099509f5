import { describe, expect, test } from "bun:test";
import { Slice } from "../../src/schedule/slice.ts";
import type { Clock } from "../../src/types.ts";

/** A slice over a clock that a test moves, which counts its reads. */
function setUp() {
  const state = { nowMs: 0, reads: 0 };
  const slice = new Slice({
    now: () => {
      state.reads++;
      return state.nowMs;
    },
  } as Clock);
  return { state, slice };
}

describe("Slice", () => {
  test("H5: spend() ends a slot after 1,024 messages", () => {
    const { slice } = setUp();
    slice.startBurst(0);
    for (let round = 0; round < 3; round++) {
      slice.start();
      let spent = 1;
      while (slice.spend()) spent++;
      expect(spent).toBe(1024);
      expect(slice.over).toBe(true);
      expect(slice.expired).toBe(false);
    }
  });

  test.each([
    [0.0005, 1.1],
    [0.01, 1.1],
    [0.3, 2],
    [1, 2],
    [4, 6],
    [25, 30],
  ])("R1: a burst of calls of %d ms expires 10 ms after it began", (costMs, slackMs) => {
    const { state, slice } = setUp();
    for (let burst = 0; burst < 20; burst++) {
      const beganMs = state.nowMs;
      slice.startBurst(beganMs);
      while (!slice.expired) {
        slice.start();
        do state.nowMs += costMs;
        while (slice.spend());
      }
      expect(state.nowMs - beganMs).toBeGreaterThanOrEqual(10 - costMs / 1000);
      expect(state.nowMs - beganMs).toBeLessThanOrEqual(10 + slackMs);
    }
  });

  test("H4: the clock is not read for every message of fast calls", () => {
    const { state, slice } = setUp();
    slice.startBurst(0);
    let spent = 0;
    while (spent < 10_000) {
      slice.start();
      do {
        state.nowMs += 0.0001;
        spent++;
      } while (slice.spend());
    }
    expect(state.reads).toBeLessThan(spent / 16);
  });
});
