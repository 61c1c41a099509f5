import { describe, expect, test } from "bun:test";
import { fakeClock } from "../../src/testing/fake-clock.ts";

describe("fakeClock", () => {
  test("advance() runs timers in order of time, each at its own time", async () => {
    const clock = fakeClock();
    const ran: string[] = [];
    clock.setTimer(() => ran.push(`b@${clock.now()}`), 20);
    clock.setTimer(() => ran.push(`a@${clock.now()}`), 10);
    clock.setTimer(() => ran.push(`c@${clock.now()}`), 20);
    clock.setTimer(() => ran.push("late"), 51);
    await clock.advance(50);
    expect(ran).toEqual(["a@10", "b@20", "c@20"]);
    expect(clock.now()).toBe(50);
    expect(clock.pendingTimers()).toBe(1);
  });

  test("advance() lets promise callbacks settle between timers when they await many times", async () => {
    const clock = fakeClock();
    const ran: string[] = [];
    clock.setTimer(async () => {
      for (let i = 0; i < 500; i++) await Promise.resolve();
      ran.push(`chain@${clock.now()}`);
    }, 10);
    clock.setTimer(() => ran.push("next"), 11);
    await clock.advance(20);
    expect(ran).toEqual(["chain@10", "next"]);
  });

  test("advance() runs timers that a timer sets when they fall due in the same advance", async () => {
    const clock = fakeClock();
    const at: number[] = [];
    const tick = (): void => {
      at.push(clock.now());
      clock.setTimer(tick, 10);
    };
    clock.setTimer(tick, 10);
    await clock.advance(35);
    expect(at).toEqual([10, 20, 30]);
  });

  test("clearTimer() keeps a timer from running when it is called before its time", async () => {
    const clock = fakeClock();
    let ran = 0;
    const handle = clock.setTimer(() => ran++, 10);
    clock.setTimer(() => clock.clearTimer(handle), 5);
    await clock.advance(100);
    expect(ran).toBe(0);
  });

  test("advance(0) runs timers of 0 ms and deferred callbacks when time stands still", async () => {
    const clock = fakeClock();
    const ran: string[] = [];
    clock.setTimer(() => ran.push("timer"), 0);
    clock.setTimer(() => ran.push("never"), 1);
    clock.defer(() => {
      ran.push("deferred");
      clock.defer(() => ran.push("deferred again"));
    });
    await clock.advance(0);
    expect(ran).toEqual(["deferred", "deferred again", "timer"]);
    expect(clock.now()).toBe(0);
  });

  test("wallTime() moves with now() when an epoch is given", async () => {
    const clock = fakeClock({ epochMs: 1000 });
    await clock.advance(25);
    expect(clock.wallTime()).toBe(1025);
  });

  test("advance() rejects when a timer's callback throws, and can be used again", async () => {
    const clock = fakeClock();
    clock.setTimer(() => {
      throw new Error("boom");
    }, 10);
    await expect(clock.advance(20)).rejects.toThrow("boom");
    expect(clock.now()).toBe(10);
    await clock.advance(5);
    expect(clock.now()).toBe(15);
  });

  test("advance() rejects when another advance is running", async () => {
    const clock = fakeClock();
    const first = clock.advance(1);
    await expect(clock.advance(1)).rejects.toThrow("advancing already");
    await first;
  });

  test("advance() and setTimer() refuse times when they are not finite", async () => {
    const clock = fakeClock();
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
    await expect(clock.advance(Number.NaN)).rejects.toThrow(RangeError);
    expect(() => clock.setTimer(() => {}, Number.NaN)).toThrow(RangeError);
  });
});
