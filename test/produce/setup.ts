import { expect } from "bun:test";
import { createProducer, type Producer } from "../../src/produce/producer.ts";
import type { ProducerOptions } from "../../src/produce/producer-options.ts";
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import type { ProducerRecord } from "../../src/types.ts";
import { FakeSink } from "./fake-sink.ts";

/** A producer over a fake sink and a fake clock. */
export interface Setup {
  readonly sink: FakeSink;
  readonly producer: Producer;
  readonly clock: FakeClock;
}

/** Topics: `t` with 1 partition, `two` with 2. */
export function setup(options: Partial<ProducerOptions> = {}, counts = { t: 1, two: 2 }): Setup {
  const sink = new FakeSink(counts);
  const clock = fakeClock();
  const producer = createProducer({ sink: sink.factory, clock, logger: false, ...options });
  return { sink, producer, clock };
}

export const record = (value: string, more: Partial<ProducerRecord> = {}): ProducerRecord => {
  return { topic: "t", value, ...more };
};

/** What a promise has come to by now. */
export function watch<T>(promise: Promise<T>): { value?: T; error?: unknown } {
  const seen: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect("resolved").toBe("rejected"),
    (error: unknown) => error,
  );
}
