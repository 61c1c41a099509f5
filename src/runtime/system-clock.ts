import type { Clock } from "../types.ts";

type Defer = (callback: () => void) => unknown;

/** Runs in a later turn of the event loop, behind pending I/O, without the millisecond that timers round up to. */
function macrotask(): Defer {
  const { setImmediate } = globalThis as { setImmediate?: Defer };
  return setImmediate ?? ((callback) => setTimeout(callback, 0));
}

const defer: Defer = macrotask();

/** The clock of this process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
  defer: (callback) => {
    defer(callback);
  },
};
