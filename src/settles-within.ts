import type { Clock, TimerHandle } from "./types.ts";

/**
 * Waits for a promise, but not longer than `ms`.
 *
 * @returns true when it settled in time; its rejection is passed on then, and is ignored later.
 */
export async function settlesWithin(
  clock: Clock,
  ms: number,
  promise: Promise<unknown>,
): Promise<boolean> {
  let timer: TimerHandle = null;
  const late = new Promise<boolean>((resolve) => {
    timer = clock.setTimer(() => resolve(false), Math.max(0, ms));
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clock.clearTimer(timer);
  }
}
