/** Ownership periods as this adapter keeps them. */
import type { Lease } from "../../source/source.ts";

/**
 * `starting`: its start offset is being looked up; the core has not seen it. `live`. `draining`:
 * inside the revoke hook, commits still count. `suspended`: between the hook and the answer of the
 * join; a request would hang behind the join. `ended`.
 */
export type LeaseState = "starting" | "live" | "draining" | "suspended" | "ended";

/** One ownership period, with the member id and generation that fence its commits (rule R5). */
export class KafkajsLease implements Lease {
  readonly topic: string;
  readonly partition: number;
  readonly memberId: string;
  readonly generation: number;
  state: LeaseState = "starting";
  /** Next offset to deliver; -1 before the start is known. */
  position = -1;
  /** The core wants nothing for now. */
  paused = false;

  constructor(topic: string, partition: number, memberId: string, generation: number) {
    this.topic = topic;
    this.partition = partition;
    this.memberId = memberId;
    this.generation = generation;
  }

  /** The core knows it and it has not ended. */
  get known(): boolean {
    return this.state === "live" || this.state === "draining" || this.state === "suspended";
  }
}

/** The leases of now, by topic and partition. */
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

  /** The leases that the core knows. */
  known(): KafkajsLease[] {
    const known: KafkajsLease[] = [];
    for (const partitions of this.#byTopic.values()) {
      for (const lease of partitions.values()) if (lease.known) known.push(lease);
    }
    return known;
  }

  /** Ends every lease and forgets it; returns those that the core knew. */
  endAll(): KafkajsLease[] {
    const known = this.known();
    for (const partitions of this.#byTopic.values()) {
      for (const lease of partitions.values()) lease.state = "ended";
    }
    this.#byTopic.clear();
    return known;
  }
}
