import { CommandError } from "./command-error.ts";

/**
 * Waits for a promise, but not for ever.
 *
 * @param what Completes "Cannot <what> as it must answer within …".
 * @throws {CommandError} When the time is over.
 */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const rule = `it must answer within ${ms / 1000} s`;
      reject(new CommandError(`Cannot ${what} as ${rule}: received no answer`));
    }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
