import type { Clock, TimerHandle } from "../types.ts";
import { logClock } from "./log-clock.ts";
import type { ReadablePartition, ReadableStore } from "./readable.ts";
import { LOOK_MS } from "./watch-file.ts";

/**
 * Calls back when a partition of a topic has grown, or may have: by notification, and by a look
 * four times a second for those that get lost. Partitions that are added are watched too. The
 * process stays alive until this is stopped.
 *
 * @returns Stops it.
 */
export function watchTopic(
  store: ReadableStore,
  topic: string,
  listener: () => void,
  clock: Clock = logClock,
): () => void {
  const watched = new Map<ReadablePartition, () => void>();
  let timer: TimerHandle;
  const ends = (): string => {
    const partitions = store.topic(topic)?.partitions ?? [];
    for (const partition of partitions) {
      partition.refresh();
      if (!watched.has(partition)) watched.set(partition, partition.onWrite(listener));
    }
    return partitions.map(({ logEnd }) => logEnd).join();
  };
  let before = ends();
  const wait = (): void => {
    timer = clock.setTimer(() => {
      store.refresh();
      const now = ends();
      wait();
      if (now !== before) listener();
      before = now;
    }, LOOK_MS);
  };
  wait();
  return () => {
    clock.clearTimer(timer);
    for (const stop of watched.values()) stop();
  };
}
