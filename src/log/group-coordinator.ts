import type { Clock } from "../types.ts";
import { assignSticky } from "./assign-sticky.ts";
import type { Assignable } from "./assignor.ts";
import type { LogStore } from "./log-store.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { TopicLog } from "./topic-log.ts";

/** One ownership period of a partition as the coordinator sees it. */
export interface Ownership {
  readonly log: PartitionLog;
  readonly member: GroupMember;
}

/** A member of a group in this process. None of these calls throws or rejects. */
export interface GroupMember {
  readonly clock: Clock;
  readonly topics: readonly string[];
  /** Drains; settles when the partitions may move, or when the member is stopped. */
  revoke(owned: readonly Ownership[]): Promise<void>;
  /** The answer of the join, for what was revoked. */
  settle(kept: readonly Ownership[], ended: readonly Ownership[]): void;
  /** New partitions, in the group's new generation. */
  assign(partitions: readonly AssignedPartition[], generation: number): readonly Ownership[];
}

/** A partition to be owned, with its topic. */
export interface AssignedPartition {
  readonly topic: TopicLog;
  readonly log: PartitionLog;
}

const coordinators = new WeakMap<LogStore, Map<string, GroupCoordinator>>();

/**
 * Shares partitions of a log among the members of one group in this process, as a broker would
 * with incremental cooperative rebalancing: only partitions that move are revoked; their owners
 * drain; only then others get them.
 */
export class GroupCoordinator {
  readonly #store: LogStore;
  readonly #members: GroupMember[] = [];
  readonly #owned = new Map<PartitionLog, Ownership>();
  readonly #stopListening: () => void;
  readonly #groupId: string;
  #generation: number;
  /** The rounds that run, one after the other. */
  #rounds: Promise<void> | undefined;
  #again = false;

  constructor(store: LogStore, groupId: string) {
    this.#store = store;
    this.#groupId = groupId;
    this.#generation = lastGeneration(store, groupId);
    this.#stopListening = store.onTopicChange(() => void this.#rebalance());
  }

  /** The group's coordinator, made by its first member. */
  static of(store: LogStore, groupId: string): GroupCoordinator {
    const groups = coordinators.get(store) ?? new Map<string, GroupCoordinator>();
    coordinators.set(store, groups);
    const coordinator = groups.get(groupId) ?? new GroupCoordinator(store, groupId);
    groups.set(groupId, coordinator);
    return coordinator;
  }

  /** True while a member of this process is in the group. */
  static isLive(store: LogStore, groupId: string): boolean {
    return coordinators.get(store)?.has(groupId) ?? false;
  }

  /** Settles when the member has its first partitions. */
  async join(member: GroupMember): Promise<void> {
    this.#members.push(member);
    await this.#rebalance();
  }

  /** The member's partitions are free at once; the others get them in the background. */
  leave(member: GroupMember): void {
    const at = this.#members.indexOf(member);
    if (at === -1) return;
    this.#members.splice(at, 1);
    for (const [log, owned] of this.#owned) if (owned.member === member) this.#owned.delete(log);
    if (this.#members.length > 0) {
      void this.#rebalance();
      return;
    }
    this.#stopListening();
    coordinators.get(this.#store)?.delete(this.#groupId);
  }

  /** Runs rounds until one saw everything that was asked for meanwhile. */
  #rebalance(): Promise<void> {
    this.#again = true;
    this.#rounds ??= this.#run();
    return this.#rounds;
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#round();
      }
    } finally {
      // In the turn that looked at #again: who asks later starts a run of its own.
      this.#rounds = undefined;
    }
  }

  async #round(): Promise<void> {
    const clock = this.#members[0]?.clock;
    if (clock === undefined) return;
    // Nothing of a source runs inside the turn that joined, left or made a topic.
    await new Promise<void>((resolve) => clock.defer(resolve));
    const before = this.#plan();
    const moving = [...this.#owned.values()].filter(
      ({ log, member }) => before.get(log)?.member !== member,
    );
    await Promise.all(
      perMember(moving, (one) => one.member).map(([member, owned]) => member.revoke(owned)),
    );
    // Members may have come and gone while others drained: some partitions may stay where they
    // were.
    const target = this.#plan();
    for (const [member, owned] of perMember(moving, (one) => one.member)) {
      const alive = owned.filter((one) => this.#owned.get(one.log) === one);
      const kept = alive.filter(({ log }) => target.get(log)?.member === member);
      const ended = alive.filter((one) => !kept.includes(one));
      for (const { log } of ended) this.#owned.delete(log);
      if (alive.length > 0) member.settle(kept, ended);
    }
    this.#give([...target.values()].filter(({ log }) => !this.#owned.has(log)));
  }

  #give(free: readonly Target[]): void {
    if (free.length === 0) return;
    this.#generation++;
    for (const [member, partitions] of perMember(free, (one) => one.member)) {
      // A listener that was called before may have stopped this one.
      if (!this.#members.includes(member)) continue;
      for (const owned of member.assign(partitions, this.#generation)) {
        this.#owned.set(owned.log, owned);
      }
    }
  }

  #plan(): Map<PartitionLog, Target> {
    const all = this.#store.topics().flatMap((topic) => {
      return topic.partitions.map((log) => ({ topic, log }));
    });
    const assignable = all.map(({ topic, log }): Assignable<GroupMember> => {
      const owner = this.#owned.get(log)?.member;
      return { topic: topic.name, partition: log.place.partition, owner };
    });
    const owners = assignSticky(this.#members, assignable);
    const target = new Map<PartitionLog, Target>();
    owners.forEach((member, at) => {
      if (member !== undefined) target.set(all[at]!.log, { ...all[at]!, member });
    });
    return target;
  }
}

interface Target extends AssignedPartition {
  readonly member: GroupMember;
}

function perMember<T>(items: readonly T[], of: (item: T) => GroupMember): [GroupMember, T[]][] {
  const groups = new Map<GroupMember, T[]>();
  for (const item of items) {
    const member = of(item);
    groups.set(member, [...(groups.get(member) ?? []), item]);
  }
  return [...groups];
}

/** Generations go on where the last process left off, so that stored ones never come again. */
function lastGeneration(store: LogStore, groupId: string): number {
  const stored = store
    .topics()
    .flatMap((topic) =>
      topic.partitions.map(
        ({ place }) => topic.groups.get(groupId, place.partition)?.generation ?? 0,
      ),
    );
  return stored.reduce((highest, generation) => Math.max(highest, generation), 0);
}
