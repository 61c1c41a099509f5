/** Says what it was given by what it throws: that reaches the test as the error of a failed call. */
import type { Batch, Deserializer } from "../../../src/types.ts";

interface Said {
  readonly length: number;
}

export const eachBatch = (batch: Batch<Said>): void => {
  const { topic, virtualPartition, messages } = batch;
  const lengths: readonly number[] = messages.map(({ payload }) => payload.length);
  throw new Error(`${topic} ${virtualPartition} ${JSON.stringify(lengths)}`);
};

export const deserializer: Deserializer<Said> = (value) => ({ length: value?.length ?? -1 });
