/** The leases of now, by topic and partition. */
import { KafkajsLease } from "./lease.ts";
import type { OwnedPartitions } from "./owned-partitions.ts";

/** What a join did to the leases. */
export interface Rejoin {
  /** Given back: they go on if nobody else has committed meanwhile. */
  readonly returning: readonly KafkajsLease[];
  /** New ones. */
  readonly opened: readonly KafkajsLease[];
  /** Those that the core knows and that are over. */
  readonly ended: readonly KafkajsLease[];
}

export class LeaseTable {
  readonly #byTopic = new Map<string, Map<number, KafkajsLease>>();

  get(topic: string, partition: number): KafkajsLease | undefined {
    return this.#byTopic.get(topic)?.get(partition);
  }

  /** Puts the lease in place of the one its partition had. */
  set(lease: KafkajsLease): void {
    let partitions = this.#byTopic.get(lease.topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#byTopic.set(lease.topic, partitions);
    }
    partitions.set(lease.partition, lease);
  }

  all(): KafkajsLease[] {
    return [...this.#byTopic.values()].flatMap((partitions) => [...partitions.values()]);
  }

  /** The leases that the core knows. */
  known(): KafkajsLease[] {
    return this.all().filter((lease) => lease.known);
  }

  /** The partitions of the last assignment, whatever has become of their leases since. */
  owned(): OwnedPartitions {
    const topics = new Map<string, readonly number[]>();
    for (const [topic, partitions] of this.#byTopic) {
      if (partitions.size > 0) topics.set(topic, [...partitions.keys()]);
    }
    const generation = this.all().reduce((last, lease) => Math.max(last, lease.generation), -1);
    return { generation, topics };
  }

  /** Ends every lease and forgets it; returns those that the core knew. */
  endAll(): KafkajsLease[] {
    const known = this.known();
    for (const lease of this.all()) lease.state = "ended";
    this.#byTopic.clear();
    return known;
  }

  /** Takes the answer of a join over: topics with their partitions. */
  rejoin(
    assignment: Readonly<Record<string, readonly number[]>>,
    memberId: string,
    generation: number,
  ): Rejoin {
    const returning: KafkajsLease[] = [];
    const opened: KafkajsLease[] = [];
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) {
        const lease = this.get(topic, partition);
        if (lease?.mayGoOn(memberId, generation)) returning.push(lease);
        else opened.push(new KafkajsLease(topic, partition, memberId, generation));
      }
    }
    const goingOn = new Set(returning);
    const ended = this.known().filter((lease) => !goingOn.has(lease));
    for (const lease of this.all()) if (!goingOn.has(lease)) lease.state = "ended";
    this.#byTopic.clear();
    for (const lease of [...returning, ...opened]) this.set(lease);
    return { returning, opened, ended };
  }
}
