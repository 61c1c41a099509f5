import { FencedError } from "./errors.ts";

/** What a dead letter is refused with when its lease is over (Q6). */
export function leaseOverError(topic: string, partition: number, offset: number): FencedError {
  const where = `${topic}#${partition}@${offset}`;
  return new FencedError(`Cannot dead-letter as the lease must be live: received ${where}`);
}
