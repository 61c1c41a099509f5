import type { ConsumerStats } from "../../index.ts";

/** What the status line shows: of one consumer, or of several together. */
export interface RunFigures {
  /** Messages whose call ended well. */
  readonly processed: number;
  /** Failed attempts. */
  readonly failed: number;
  /** Handler calls running now, and how many may. */
  readonly running: number;
  readonly concurrency: number;
  readonly inFlight: number;
  readonly queued: number;
  /** null: not known of some partition. */
  readonly lag: number | null;
  readonly partitions: number;
}

export const NO_FIGURES: RunFigures = {
  ...{ processed: 0, failed: 0, running: 0, concurrency: 0 },
  ...{ inFlight: 0, queued: 0, lag: 0, partitions: 0 },
};

export function figuresOf(stats: ConsumerStats): RunFigures {
  const { processed, failed, running, concurrency } = stats;
  let inFlight = 0;
  let queued = 0;
  let lag: number | null = 0;
  for (const partition of stats.partitions) {
    inFlight += partition.inFlight;
    queued += partition.queued;
    lag = sumOrNull(lag, partition.lag);
  }
  const partitions = stats.partitions.length;
  return { processed, failed, running, concurrency, inFlight, queued, lag, partitions };
}

export function sumFigures(all: readonly RunFigures[]): RunFigures {
  return all.reduce(
    (sum, one) => ({
      processed: sum.processed + one.processed,
      failed: sum.failed + one.failed,
      running: sum.running + one.running,
      concurrency: sum.concurrency + one.concurrency,
      inFlight: sum.inFlight + one.inFlight,
      queued: sum.queued + one.queued,
      lag: sumOrNull(sum.lag, one.lag),
      partitions: sum.partitions + one.partitions,
    }),
    NO_FIGURES,
  );
}

function sumOrNull(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other;
}
