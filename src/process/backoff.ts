/** How long a failed call waits: backoffMs × multiplier^(failures − 1), capped, with jitter (E5). */
export function backoffDelayMs(
  retry: {
    readonly backoffMs: number;
    readonly maxBackoffMs: number;
    readonly multiplier: number;
    readonly jitter: number;
  },
  failures: number,
  random: () => number = Math.random,
): number {
  const grown = retry.backoffMs * retry.multiplier ** (failures - 1);
  const capped = Math.min(grown, retry.maxBackoffMs);
  return capped * (1 - retry.jitter * random());
}
