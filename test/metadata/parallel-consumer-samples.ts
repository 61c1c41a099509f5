import samples from "./parallel-consumer.json" with { type: "json" };

/** Metadata that Parallel Consumer 0.5.3.3 wrote to a real broker. */
export interface ParallelConsumerSample {
  /** First letter of the payload: which of its formats this is. */
  readonly form: string;
  readonly committed: number;
  /** The log's end. */
  readonly end: number;
  /** [from, to) of offsets that were not done, where the list is not too long. */
  readonly incomplete?: readonly (readonly number[])[];
  readonly incompleteRanges: number;
  readonly incompleteOffsets: number;
  readonly metadata: string;
}

export const parallelConsumerSamples: readonly ParallelConsumerSample[] = samples.samples;
