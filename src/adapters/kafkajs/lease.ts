/** Ownership periods as this adapter keeps them. */
import type { CommittedOffset, Lease } from "../../source/source.ts";

/**
 * `starting`: its start offset is being looked up; the core has not seen it. `live`. `draining`:
 * inside the revoke hook, commits still count. `suspended`: between the hook and the answer of the
 * join, which is known once the stored offsets are read; a request would hang behind the join.
 * `ended`.
 */
export type LeaseState = "starting" | "live" | "draining" | "suspended" | "ended";

function same(a: CommittedOffset | null, b: CommittedOffset | null): boolean {
  return a?.offset === b?.offset && a?.metadata === b?.metadata;
}

/** One ownership period, with the member id and generation that fence its commits (rule R5). */
export class KafkajsLease implements Lease {
  readonly topic: string;
  readonly partition: number;
  readonly memberId: string;
  #generation: number;
  state: LeaseState = "starting";
  /** Next offset to deliver; -1 before the start is known. */
  position = -1;
  /** What the last fetch has brought. */
  fetchedMessages = 0;
  /** The core wants nothing for now. */
  paused = false;
  /** What the broker is known to have stored: read at assignment, or acknowledged since. */
  #stored: CommittedOffset | null = null;
  /** Sent since then, and not acknowledged: the broker may have it or not. */
  #sent: CommittedOffset | null = null;

  constructor(topic: string, partition: number, memberId: string, generation: number) {
    this.topic = topic;
    this.partition = partition;
    this.memberId = memberId;
    this.#generation = generation;
  }

  /** The generation in which the partition was last given to the member. */
  get generation(): number {
    return this.#generation;
  }

  /** The core knows it and it has not ended. */
  get known(): boolean {
    return this.state === "live" || this.state === "draining" || this.state === "suspended";
  }

  /** The core takes it over where the broker says. */
  begin(committed: CommittedOffset | null): void {
    this.#stored = committed;
    this.state = "live";
  }

  sending({ offset, metadata }: CommittedOffset): void {
    this.#sent = { offset, metadata };
  }

  acknowledged({ offset, metadata }: CommittedOffset): void {
    const commit = { offset, metadata };
    this.#stored = commit;
    if (same(this.#sent, commit)) this.#sent = null;
  }

  /**
   * Rule R3, first half: it was drained, and the member that got the partition in this generation
   * is the one that had it in the generation before.
   */
  mayGoOn(memberId: string, generation: number): boolean {
    const next = this.#generation + 1 === generation;
    return this.state === "suspended" && this.memberId === memberId && next;
  }

  /**
   * Rule R3, second half: nobody else has committed. What is stored is what this lease knew to be
   * stored, or what it sent without an answer.
   */
  wrote(committed: CommittedOffset | null): boolean {
    return same(committed, this.#stored) || (this.#sent !== null && same(committed, this.#sent));
  }

  /** Goes on under a new generation, with what is stored now. */
  goOn(generation: number, committed: CommittedOffset | null): void {
    this.#generation = generation;
    this.#sent = null;
    this.begin(committed);
  }
}
