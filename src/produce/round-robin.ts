/** Counts partitions off, one after the other, for each topic. */
export class RoundRobin {
  /** Next partition by topic; as many entries as there are topics. */
  readonly #next = new Map<string, number>();

  /** @returns An integer in [0, partitionCount), beginning with 0. */
  next(topic: string, partitionCount: number): number {
    const partition = (this.#next.get(topic) ?? 0) % partitionCount;
    this.#next.set(topic, partition + 1);
    return partition;
  }
}
