/** The leases of a group member: what joins, drains and losses do to them. */
import type { HeadraceError } from "../../errors.ts";
import { invariant } from "../../invariant.ts";
import type { AssignedLease, Lease, SourceListener } from "../../source/source.ts";
import type { Clock } from "../../types.ts";
import type { ClientConsumer, TopicData } from "./client.ts";
import { isAuthError, sourceError } from "./errors.ts";
import { KafkajsLease } from "./lease.ts";
import { LeaseTable, type Rejoin } from "./lease-table.ts";
import type { Membership } from "./membership.ts";
import { readAssigned } from "./start-offsets.ts";
import { delay, settledWithin } from "./wait.ts";

/** Between attempts to read start offsets. */
const RETRY_MS = 250;
/** What a drain waits for the answer of the join before, whose offsets are still being read. */
const ANSWER_MS = 1_000;

/** What the leases need of the source. */
export interface LeasesHost {
  readonly clock: Clock;
  readonly membership: Pick<
    Membership,
    "groupId" | "memberId" | "generation" | "cluster" | "coordinator" | "arm" | "disarm" | "refind"
  >;
  readonly stopping: boolean;
  /** null before it was made. */
  readonly consumer: Pick<ClientConsumer, "pause" | "resume" | "seek"> | null;
  /** Calls the listener; what it throws is reported and goes no further. */
  tell<R>(what: string, act: (listener: SourceListener) => R): R | undefined;
  fail(error: HeadraceError, fatal: boolean): void;
  /** An assignment is known and its leases are open. */
  assigned(): void;
}

/** Leases as the client's calls take them. */
export function partitionsOf(leases: readonly Lease[]): TopicData<number>[] {
  return leases.map(({ topic, partition }) => ({ topic, partitions: [partition] }));
}

/**
 * Rule O12: brokers delete a topic's offsets with the topic, so one that is gone although a lease
 * was there means a topic that was made anew. The group is no new one then, and must not begin at
 * the end: what the log has is read by O11, or, where the old position lies inside the new log and
 * proves nothing, from the log's start.
 */
function afterLoss(assigned: AssignedLease, lost: KafkajsLease): AssignedLease {
  const { committed, logStart, logEnd } = assigned;
  const { position } = lost;
  if (committed !== null) return assigned;
  const inside = position >= logStart && position <= logEnd;
  if (inside) return { ...assigned, groupKnowsTopic: true };
  return { ...assigned, committed: { offset: position, metadata: "" } };
}

export class MemberLeases {
  readonly table: LeaseTable = new LeaseTable();
  readonly #host: LeasesHost;
  /** The join whose answer the core does not know yet: its offsets are being read. */
  #rejoin: Rejoin | null = null;
  #answering: Promise<void> = Promise.resolve();

  constructor(host: LeasesHost) {
    this.#host = host;
  }

  /**
   * Runs inside kafkajs's join, before it fetches: everything is paused until the start offsets are
   * known.
   */
  joined(assignment: Readonly<Record<string, readonly number[]>>): void {
    const { membership, consumer } = this.#host;
    const { memberId, generation } = membership;
    let rejoin = this.table.rejoin(assignment, memberId, generation);
    const { returning, opened, ended } = rejoin;
    const leases = [...returning, ...opened];
    consumer?.pause(partitionsOf(leases));
    membership.arm();
    if (ended.some((lease) => lease.memberId !== memberId)) {
      this.#host.tell("lost", (to) => to.lost(ended));
      rejoin = { returning, opened, ended: [] };
    }
    this.#rejoin = rejoin;
    this.#answering = this.#begin(
      leases,
      (assigned, to) => this.#answer(rejoin, assigned, to),
      () => this.#rejoin === rejoin,
    );
  }

  /**
   * Reads what is stored and where the logs begin and end until it succeeds, then opens. Gives up
   * silently when the leases end meanwhile.
   */
  async #begin(
    leases: readonly KafkajsLease[],
    open: (assigned: readonly AssignedLease[], to: SourceListener) => void,
    wanted: () => boolean,
  ): Promise<void> {
    const { membership, clock } = this.#host;
    const goesOn = (): boolean => !this.#host.stopping && wanted();
    while (goesOn()) {
      try {
        const { cluster, coordinator, groupId } = membership;
        if (cluster === null || coordinator === null) return;
        const assigned =
          leases.length === 0 ? [] : await readAssigned(groupId, cluster, coordinator, leases);
        if (!goesOn()) return;
        this.#host.tell("assigned", (to) => open(assigned, to));
        this.#host.assigned();
        return;
      } catch (error) {
        if (!goesOn()) return;
        const fatal = isAuthError(error);
        const rule = "Cannot start reading as offsets must be known";
        this.#host.fail(sourceError(rule, error), fatal);
        if (fatal) return;
        await delay(RETRY_MS, clock);
        // Leaders or the coordinator may have moved. Failing here fails the next attempt, which
        // reports it.
        await membership.refind().catch(() => {});
      }
    }
  }

  /** The offsets are known: says which leases go on (rule R3), and opens the new ones. */
  #answer({ ended }: Rejoin, assigned: readonly AssignedLease[], to: SourceListener): void {
    this.#rejoin = null;
    const kept: KafkajsLease[] = [];
    const over: KafkajsLease[] = [...ended];
    const fresh: AssignedLease[] = [];
    for (const one of assigned) {
      const lease = one.lease as KafkajsLease;
      const { memberId, generation } = this.#host.membership;
      if (lease.state === "starting") fresh.push(one);
      else if (lease.wrote(one.committed)) {
        lease.goOn(generation, one.committed);
        kept.push(lease);
      } else {
        lease.state = "ended";
        over.push(lease);
        const next = new KafkajsLease(lease.topic, lease.partition, memberId, generation);
        this.table.set(next);
        fresh.push({ ...afterLoss(one, lease), lease: next });
      }
    }
    to.joined(kept, over);
    for (const lease of kept) this.#fetchFrom(lease);
    this.#open(fresh, to);
  }

  #open(assigned: readonly AssignedLease[], to: SourceListener): void {
    const leases = assigned.map(({ lease }) => lease as KafkajsLease);
    for (const [index, lease] of leases.entries()) lease.begin(assigned[index]?.committed ?? null);
    if (leases.length === 0) return;
    const starts = to.assigned(assigned);
    for (const [index, lease] of leases.entries()) {
      if (lease.state !== "live") continue;
      // A seek from within `assigned` wins.
      if (lease.position < 0) lease.position = starts[index] ?? -1;
      invariant(lease.position >= 0, "assigned() answers a start offset for every lease");
      this.#fetchFrom(lease);
    }
  }

  /** The client forgets positions at a join, and what was on its way was dropped. */
  #fetchFrom(lease: KafkajsLease): void {
    if (lease.state !== "live") return;
    this.seekClient(lease);
    if (!lease.paused) this.#host.consumer?.resume(partitionsOf([lease]));
  }

  seekClient({ topic, partition, position }: KafkajsLease): void {
    this.#host.consumer?.seek({ topic, partition, offset: String(position) });
  }

  /**
   * Rule O12: the position lies outside the log, so the lease is lost and a new one starts by O11.
   */
  outOfRange(topic: string, partition: number): void {
    if (this.#host.stopping) return;
    const lost = this.table.get(topic, partition);
    this.#host.consumer?.pause([{ topic, partitions: [partition] }]);
    if (lost?.state !== "live") return;
    lost.state = "ended";
    const next = new KafkajsLease(topic, partition, lost.memberId, lost.generation);
    this.table.set(next);
    this.#host.tell("lost", (to) => to.lost([lost]));
    void this.#begin(
      [next],
      (assigned, to) => {
        this.#open(
          assigned.map((one) => afterLoss(one, lost)),
          to,
        );
      },
      () => next.state === "starting",
    );
  }

  /** Inside the revoke hook, before the join: the core gets `deadlineMs` for all of it. */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#host;
    const startMs = clock.now();
    // Nothing is parked yet, so offsets can still be read: leases that go on are worth the wait.
    if (this.#rejoin !== null) await settledWithin(this.#answering, ANSWER_MS, clock);
    if (this.#host.stopping) return;
    this.#giveUp();
    const leases = this.table.known();
    if (leases.length === 0) return;
    for (const lease of leases) lease.state = "draining";
    const leftMs = deadlineMs - (clock.now() - startMs);
    const drained = this.#host.tell("revoking", (to) => to.revoking(leases, leftMs));
    if (drained !== undefined) await settledWithin(drained, leftMs, clock);
    for (const lease of leases) if (lease.state === "draining") lease.state = "suspended";
  }

  /** What the core does not know as open yet must not open while the next join waits. */
  #giveUp(): void {
    const rejoin = this.#rejoin;
    this.#rejoin = null;
    for (const lease of this.table.all()) if (lease.state === "starting") lease.state = "ended";
    if (rejoin === null) return;
    for (const lease of rejoin.returning) lease.state = "ended";
    const over = [...rejoin.ended, ...rejoin.returning];
    this.#host.tell("joined", (to) => to.joined([], over));
  }

  loseAll(): void {
    this.#host.membership.disarm();
    const lost = [...(this.#rejoin?.ended ?? []), ...this.table.endAll()];
    this.#rejoin = null;
    if (lost.length > 0) this.#host.tell("lost", (to) => to.lost(lost));
  }

  /** At the end: nobody is told. */
  endAll(): void {
    this.#rejoin = null;
    this.table.endAll();
  }
}
