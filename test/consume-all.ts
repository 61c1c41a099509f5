import { createConsumer } from "../src/consumer.ts";
import type { TopicOptions } from "../src/options.ts";
import type { SourceFactory } from "../src/source/source.ts";

/** What is consumed, and by how many threads. */
export interface Consumed {
  readonly source: SourceFactory;
  readonly topic: string;
  readonly count: number;
  readonly workers: number;
}

/** Handles all messages of a topic, of which few are in memory at once. @returns How many calls have ended. */
export async function consumeAll(
  { source, topic, count, workers }: Consumed,
  options: Partial<TopicOptions>,
): Promise<number> {
  let done = 0;
  const consumer = createConsumer({
    source,
    groupId: `g${Math.random()}`,
    workers,
    fromBeginning: true,
    maxInFlightBytes: 3_000_000,
    logger: false,
    topics: { [topic]: { virtualPartitions: true, ...options } as TopicOptions },
  });
  const ended = new Promise<void>((resolve) => {
    consumer.on("processed", (event) => {
      done += event.count;
      if (done === count) resolve();
    });
  });
  await Promise.race([consumer.run(), ended]);
  await consumer.close();
  return done;
}

/** A handler in threads that expects values to be one byte again and again: `offset % 251`. It adds its failures. */
export function checksBytes(failures: string[]): Partial<TopicOptions> {
  return {
    module: new URL("./worker/modules/checks-bytes.ts", import.meta.url),
    onError: "isolate",
    deadLetterQueue: {
      topic: false,
      maxRetries: 0,
      strategy: ({ error }) => {
        failures.push(String(error));
        return "skip";
      },
    },
  };
}
