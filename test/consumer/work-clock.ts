import type { Clock } from "../../src/types.ts";

/** A clock on which every handler call takes some time, and whose turns of the event loop are counted. */
export class WorkClock implements Clock {
  #nowMs = 0;
  readonly burstsMs: number[] = [0];
  work(ms: number): void {
    this.#nowMs += ms;
    this.burstsMs[this.burstsMs.length - 1]! += ms;
  }
  now(): number {
    return this.#nowMs;
  }
  wallTime(): number {
    return this.#nowMs;
  }
  setTimer(callback: () => void, ms: number): unknown {
    return setTimeout(callback, ms);
  }
  clearTimer(handle: unknown): void {
    clearTimeout(handle as ReturnType<typeof setTimeout>);
  }
  defer(callback: () => void): void {
    setImmediate(() => {
      this.burstsMs.push(0);
      callback();
    });
  }
}
