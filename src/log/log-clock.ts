import { clearTimeout, setTimeout } from "node:timers";
import { systemClock } from "../runtime/system-clock.ts";
import type { Clock, TimerHandle } from "../types.ts";

/** The clock of logs: append times, ages, intervals. Its timers can be put into the background. */
export const logClock: Clock = {
  ...systemClock,
  setTimer: (callback, ms) => setTimeout(callback, ms),
  clearTimer: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/** Lets the process end while the timer waits. A timer of another clock is left as it is. */
export function inBackground(timer: TimerHandle): TimerHandle {
  (timer as { unref?: () => void } | null)?.unref?.();
  return timer;
}
