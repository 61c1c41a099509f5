import { type HeadraceError, SourceError } from "../errors.ts";
import type { Clock, TimerHandle } from "../types.ts";
import type { Assignable } from "./assignor.ts";
import { type AssignorName, type AssignorRule, assignors } from "./assignors.ts";
import type { LockedGroup } from "./locked-group.ts";
import type { ReaderPartition } from "./reader-partition.ts";
import type { ReaderStore } from "./reader-store.ts";
import type { ReaderTopic } from "./reader-topic.ts";

/** How often it is looked for topics that other processes made, grew or removed. */
const TOPIC_LOOK_MS = 1000;

/** One ownership period of a partition as the coordinator sees it. */
export interface Ownership {
  readonly topic: ReaderTopic;
  readonly log: ReaderPartition;
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
  /** Gone without warning. */
  lose(owned: readonly Ownership[]): void;
  failed(error: HeadraceError, fatal: boolean): void;
}

/** A partition to be owned, with its topic. */
export interface AssignedPartition {
  readonly topic: ReaderTopic;
  readonly log: ReaderPartition;
  /** Where the group's offsets of this topic are stored. */
  readonly offsets: LockedGroup;
  /** A topic of this name was there before and is gone: the group is no new one (O12). */
  readonly remade: boolean;
  /** Position at which an earlier lease found itself outside the log (O12). */
  readonly lostAt?: number;
}

interface Target {
  readonly topic: ReaderTopic;
  readonly log: ReaderPartition;
  readonly member: GroupMember;
}

const coordinators = new WeakMap<ReaderStore, Map<string, GroupCoordinator>>();

/**
 * Shares partitions of a log among the members of one group in this process, as a broker would:
 * who loses a partition drains first, and only then another one gets it. Holds the group's lock in
 * each of its topics, so that all members are in this process.
 */
export class GroupCoordinator {
  readonly #store: ReaderStore;
  readonly #groupId: string;
  readonly #assignor: AssignorName;
  readonly #rule: AssignorRule;
  readonly #members: GroupMember[] = [];
  readonly #owned = new Map<ReaderPartition, Ownership>();
  readonly #locked = new Map<ReaderTopic, LockedGroup>();
  /** Topics that went away while they were read. */
  readonly #gone = new Set<string>();
  readonly #stopListening: () => void;
  /** Goes on where the last process left off, so that stored ones never come again. */
  #generation = 0;
  /** The rounds that run, one after the other. */
  #rounds: Promise<void> | undefined;
  #again = false;
  #stopLooking: () => void = () => {};

  constructor(store: ReaderStore, groupId: string, assignor: AssignorName) {
    this.#store = store;
    this.#groupId = groupId;
    this.#assignor = assignor;
    this.#rule = assignors[assignor];
    this.#stopListening = store.onTopicChange(() => void this.#rebalance());
  }

  /** The group's coordinator, made by its first member. */
  static of(store: ReaderStore, groupId: string, assignor: AssignorName): GroupCoordinator {
    const groups = coordinators.get(store) ?? new Map<string, GroupCoordinator>();
    coordinators.set(store, groups);
    const coordinator = groups.get(groupId) ?? new GroupCoordinator(store, groupId, assignor);
    groups.set(groupId, coordinator);
    return coordinator;
  }

  /**
   * Settles when the member has its first partitions.
   *
   * @throws {LogError} When another process has the group, naming it.
   * @throws {SourceError} When the group has another assignor.
   */
  async join(member: GroupMember, assignor: AssignorName): Promise<void> {
    if (assignor !== this.#assignor) {
      throw new SourceError(
        `Cannot join group ${this.#groupId} as its members must have one assignor, ` +
          `${this.#assignor}: received ${assignor}`,
      );
    }
    try {
      this.#lock(member.topics);
    } catch (error) {
      this.#endIfEmpty();
      throw error;
    }
    this.#members.push(member);
    this.#lookAgain();
    await this.#rebalance();
  }

  /** The member's partitions are free at once; the others get them in the background. */
  leave(member: GroupMember): void {
    const at = this.#members.indexOf(member);
    if (at === -1) return;
    this.#members.splice(at, 1);
    for (const [log, owned] of this.#owned) if (owned.member === member) this.#owned.delete(log);
    this.#lookAgain();
    if (this.#members.length > 0) void this.#rebalance();
    this.#endIfEmpty();
  }

  /** Looks for topics that other processes have changed; true when this one is still there. */
  isThere(topic: ReaderTopic): boolean {
    this.#look();
    return this.#store.topic(topic.name) === topic;
  }

  /** A lease found itself outside the log: its member gets the partition anew (O12). */
  renew(owned: Ownership, lostAt: number): void {
    const { topic, log, member } = owned;
    if (this.#owned.get(log) !== owned) return;
    this.#owned.delete(log);
    const offsets = this.#locked.get(topic);
    if (offsets === undefined || !this.isThere(topic)) {
      this.#gone.add(topic.name);
      void this.#rebalance();
      return;
    }
    const remade = this.#gone.has(topic.name);
    for (const next of member.assign([{ topic, log, offsets, remade, lostAt }], this.#generation)) {
      this.#owned.set(log, next);
    }
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
    if (this.#members.length === 0) return;
    this.#loseGone();
    this.#lockAll();
    const before = this.#plan();
    const moving = [...this.#owned.values()].filter(
      ({ log, member }) => !this.#rule.incremental || before.get(log)?.member !== member,
    );
    await Promise.all(
      perMember(moving, (one) => one.member).map(([member, owned]) => member.revoke(owned)),
    );
    // Members may have come and gone while others drained: some partitions may stay where they
    // were.
    const target = this.#plan();
    if (moving.length > 0) this.#generation++;
    for (const [member, owned] of perMember(moving, (one) => one.member)) {
      const alive = owned.filter((one) => this.#owned.get(one.log) === one);
      const kept = alive.filter(({ log }) => target.get(log)?.member === member);
      const ended = alive.filter((one) => !kept.includes(one));
      for (const { log } of ended) this.#owned.delete(log);
      if (alive.length > 0) member.settle(kept, ended);
    }
    const free = [...target.values()].filter(({ log }) => !this.#owned.has(log));
    if (moving.length === 0 && free.length > 0) this.#generation++;
    this.#give(free);
  }

  /** Partitions of topics that are gone cannot be drained: nothing can be committed there. */
  #loseGone(): void {
    const gone = [...this.#owned.values()].filter(
      ({ topic }) => this.#store.topic(topic.name) !== topic,
    );
    for (const { topic, log } of gone) {
      this.#gone.add(topic.name);
      this.#owned.delete(log);
    }
    for (const [member, owned] of perMember(gone, (one) => one.member)) member.lose(owned);
    for (const [topic, offsets] of this.#locked) {
      if (this.#store.topic(topic.name) === topic) continue;
      this.#locked.delete(topic);
      offsets.release();
    }
  }

  /** Locks the group in topics that were made while it runs. */
  #lockAll(): void {
    for (const member of this.#members) {
      try {
        this.#lock(member.topics);
      } catch (error) {
        member.failed(asSourceError(error), true);
      }
    }
  }

  #lock(topics: readonly string[]): void {
    for (const name of topics) {
      const topic = this.#store.topic(name);
      if (topic === undefined || this.#locked.has(topic)) continue;
      const rule = `Cannot join group ${this.#groupId} as one process runs a group at a time`;
      const offsets = topic.groups.lock(this.#groupId, rule);
      this.#locked.set(topic, offsets);
      for (const partition of offsets.partitions) {
        const { generation } = offsets.get(partition)!;
        this.#generation = Math.max(this.#generation, generation);
      }
    }
  }

  #give(free: readonly Target[]): void {
    for (const [member, targets] of perMember(free, (one) => one.member)) {
      // A listener that was called before may have stopped this one.
      if (!this.#members.includes(member)) continue;
      const partitions = targets.map(({ topic, log }) => {
        const offsets = this.#locked.get(topic)!;
        return { topic, log, offsets, remade: this.#gone.has(topic.name) };
      });
      for (const owned of member.assign(partitions, this.#generation)) {
        this.#owned.set(owned.log, owned);
      }
    }
  }

  #plan(): Map<ReaderPartition, Target> {
    const topics = this.#store.topics().filter((topic) => this.#locked.has(topic));
    const all = topics.flatMap((topic) => topic.partitions.map((log) => ({ topic, log })));
    const assignable = all.map(({ topic, log }): Assignable<GroupMember> => {
      const owner = this.#owned.get(log)?.member;
      return { topic: topic.name, partition: log.place.partition, owner };
    });
    const owners = this.#rule.assign(this.#members, assignable);
    const target = new Map<ReaderPartition, Target>();
    owners.forEach((member, at) => {
      if (member !== undefined) target.set(all[at]!.log, { ...all[at]!, member });
    });
    return target;
  }

  #look(): void {
    try {
      this.#store.refresh();
    } catch (error) {
      for (const member of [...this.#members]) member.failed(asSourceError(error), false);
    }
  }

  /** Looks at times, by the clock of the first member. */
  #lookAgain(): void {
    this.#stopLooking();
    const clock = this.#members[0]?.clock;
    if (clock === undefined) return;
    let timer: TimerHandle;
    const wait = (): void => {
      timer = clock.setTimer(() => {
        this.#look();
        wait();
      }, TOPIC_LOOK_MS);
    };
    this.#stopLooking = () => clock.clearTimer(timer);
    wait();
  }

  #endIfEmpty(): void {
    if (this.#members.length > 0) return;
    this.#stopListening();
    for (const offsets of this.#locked.values()) offsets.release();
    this.#locked.clear();
    const groups = coordinators.get(this.#store);
    if (groups?.get(this.#groupId) === this) groups.delete(this.#groupId);
  }
}

function asSourceError(cause: unknown): SourceError {
  if (cause instanceof SourceError) return cause;
  return new SourceError(cause instanceof Error ? cause.message : String(cause), { cause });
}

function perMember<T>(items: readonly T[], of: (item: T) => GroupMember): [GroupMember, T[]][] {
  const groups = new Map<GroupMember, T[]>();
  for (const item of items) {
    const member = of(item);
    groups.set(member, [...(groups.get(member) ?? []), item]);
  }
  return [...groups];
}
