import { type Admin, type Consumer, SourceError, type SourceFactory } from "../../index.ts";
import { CommandError } from "../command-error.ts";
import { withDeadline } from "../with-deadline.ts";

const ADMIN_TIMEOUT_MS = 20_000;
const TICK_MS = 25;
/** Between two questions about partitions of other members. */
const ASK_EVERY_MS = 500;

/** One topic as it was when the command began. */
export interface TopicEnd {
  readonly groupId: string;
  readonly topic: string;
  readonly partitionCount: number;
  /** Next offset to be written, by partition; partitions without messages are left out. */
  readonly ends: ReadonlyMap<number, number>;
  /** The group had a stored offset somewhere in the topic. */
  readonly groupKnowsTopic: boolean;
}

/** What a command asks about a topic before and while it runs. */
export class TopicAdmin {
  readonly #admin: Admin;
  readonly #name: string;

  /** @param name The brokers or the directory, for messages. */
  constructor(factory: SourceFactory, name: string) {
    const admin = factory.admin?.();
    if (admin === undefined) {
      throw new CommandError(`Cannot run as the source must have an admin: received ${name}`);
    }
    this.#admin = admin;
    this.#name = name;
  }

  /** @throws {CommandError|HeadraceError} When the source does not answer or has no such topic. */
  async look(groupId: string, topic: string): Promise<TopicEnd> {
    const asked = async (): Promise<TopicEnd> => {
      await this.#admin.open();
      const counts = await this.#admin.partitionCounts([topic]);
      if (!counts.has(topic)) {
        const rule = `topic ${topic} must exist at ${this.#name}`;
        throw new SourceError(`Cannot run as ${rule}: received no such topic`);
      }
      const bounds = await this.#admin.logBounds(topic);
      const committed = await this.#admin.committed(groupId, topic);
      return {
        groupId,
        topic,
        partitionCount: counts.get(topic)!,
        ends: new Map(
          bounds
            .filter(({ logStart, logEnd }) => logEnd > logStart)
            .map(({ partition, logEnd }) => [partition, logEnd]),
        ),
        groupKnowsTopic: committed.some(({ offset }) => offset !== null),
      };
    };
    return await withDeadline(asked(), ADMIN_TIMEOUT_MS, `read from ${this.#name}`);
  }

  /**
   * Settles when everything below the ends is done: by this consumer, or stored by another member of its group.
   *
   * @param signal Ends the wait early, without an error.
   */
  async reached(end: TopicEnd, consumer: Consumer, signal: AbortSignal): Promise<void> {
    const open = new Map(end.ends);
    let askedAt = performance.now();
    while (!signal.aborted) {
      const foreign = new Set(open.keys());
      for (const { partition, committable } of consumer.stats().partitions) {
        foreign.delete(partition);
        if (committable >= (open.get(partition) ?? 0)) open.delete(partition);
      }
      if (open.size === 0) return;
      if (foreign.size > 0 && performance.now() - askedAt >= ASK_EVERY_MS) {
        await this.#dropStored(end, open, foreign);
        askedAt = performance.now();
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  }

  async close(): Promise<void> {
    await this.#admin.close();
  }

  async #dropStored(
    { groupId, topic }: TopicEnd,
    open: Map<number, number>,
    foreign: ReadonlySet<number>,
  ): Promise<void> {
    for (const { partition, offset } of await this.#admin.committed(groupId, topic)) {
      if (foreign.has(partition) && (offset ?? -1) >= open.get(partition)!) open.delete(partition);
    }
  }
}
