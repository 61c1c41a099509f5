import { createConsumer } from "../../src/index.ts";
import type { SourceFactory } from "../../src/source/source.ts";

/**
 * Most messages that were polled and had not ended, while two threads handled all of a topic of one partition.
 *
 * @param module A file of `modules/`.
 */
export async function mostPolled(
  source: SourceFactory,
  topic: string,
  count: number,
  module: string,
): Promise<number> {
  const consumer = createConsumer({
    source,
    groupId: `g${Math.random()}`,
    concurrency: 64,
    workers: 2,
    fromBeginning: true,
    topics: {
      [topic]: {
        module: new URL(`./modules/${module}`, import.meta.url),
        virtualPartitions: true,
      },
    },
  });
  let most = 0;
  consumer.on("polled", () => {
    const { queued, inFlight } = consumer.stats().partitions[0]!;
    most = Math.max(most, queued + inFlight);
  });
  consumer.on("idle", () => {
    if (consumer.stats().processed === count) void consumer.close();
  });
  await consumer.run();
  return most;
}
