/** Waiting with an end: by time, or by signal. */
import type { Clock } from "../../types.ts";

/** How a bounded wait ended. */
export type WaitEnd = "settled" | "expired";

/**
 * Settles with the promise's end, whatever it was, or after `ms`, whichever comes first. Never
 * rejects.
 */
export function settledWithin(
  promise: PromiseLike<unknown>,
  ms: number,
  clock: Clock,
): Promise<WaitEnd> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => resolve("expired"), ms);
    const done = (): void => {
      clock.clearTimer(timer);
      resolve("settled");
    };
    promise.then(done, done);
  });
}

/** What {@link untilAborted} rejects with. */
export class AbortedWait extends Error {}

/**
 * The promise's result, or an {@link AbortedWait} once the signal aborts. A result that comes later
 * is dropped: the caller has given its answer by then.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new AbortedWait());
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    const forget = (): void => signal.removeEventListener("abort", abort);
    promise.then(
      (value) => {
        forget();
        resolve(value);
      },
      (error) => {
        forget();
        reject(error);
      },
    );
  });
}

/** Waits `ms`. */
export function delay(ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(resolve, ms);
  });
}

/** A promise with its ends, for whoever settles it from outside. */
export interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Makes a {@link Deferred}. */
export function deferred(): Deferred {
  let resolve = (): void => {};
  let reject = (_: unknown): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
