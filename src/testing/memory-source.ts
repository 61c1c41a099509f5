/** An in-memory broker under a test's control: topics, groups with members, commits. */
import type { HeadraceError } from "../errors.ts";
import type { PlainRecord } from "../plain-record.ts";
import type { CommittedOffset, Lease, SourceFactory } from "../source/source.ts";
import type { TopicPartition } from "../types.ts";
import { Validator } from "../validate.ts";
import { memoryAdmin, memorySink } from "./memory-clients.ts";
import {
  type CommitAttempt,
  type CommitHook,
  type MemoryCommit,
  MemoryCommits,
  type PlannedOutcome,
} from "./memory-commits.ts";
import type { StepOptions } from "./memory-lease.ts";
import { MemoryLog, type MemoryPartition, type MemoryRecordInput } from "./memory-log.ts";
import { type GroupOptions, MemoryMember } from "./memory-member.ts";

const check = new Validator("use a memory source");

/** {@link memorySource}'s options. */
export interface MemorySourceOptions {
  /** Partition counts by topic. Default: a topic comes to be, with 1 partition, when it is first named. */
  readonly topics?: Readonly<Record<string, number>>;
  /**
   * `all-to-first` (default): a member that starts gets every partition of its topics that nobody in its group owns;
   * `manual`: it gets nothing. Members get and lose more by `assign`, `revoke` and `lose` alone.
   */
  readonly assignment?: "all-to-first" | "manual";
  /** `automatic` (default): batches are handed over as soon as they may be; `manual`: by `step` alone. */
  readonly deliverMode?: "automatic" | "manual";
  /** Most records of one batch; default 500. */
  readonly maxBatchRecords?: number;
  /** UTF-16 units of commit metadata that are accepted; more is `too-large`. Default 4096. */
  readonly maxMetadataLength?: number;
  /** Chooses the answer of each commit request that `failNextCommit` has not decided. */
  readonly onCommit?: CommitHook;
}

/** How partitions are revoked. */
export interface RevokeOptions {
  /** Those that the same member gets back in the same rebalance: continued leases (R3). */
  readonly keep?: readonly TopicPartition[];
  /** Runs between the end of the drain and the answer of the join, when leases are suspended (R2). */
  readonly whileSuspended?: () => void | Promise<void>;
}

/** {@link memorySource}'s answer. Members are counted from 0 in the order in which sources were opened. */
export interface MemorySource {
  /** What `createConsumer` and `createProducer` take. */
  readonly source: SourceFactory;
  /** Creates a topic, or adds partitions to it. */
  createTopic(topic: string, partitions: number): void;
  /**
   * Appends records. Each call is one batch (cut at `maxBatchRecords`), handed over when the partition is assigned,
   * not paused and not held; until then it stays in the log.
   *
   * @returns The records' offsets.
   */
  deliver(topic: string, partition: number, records: readonly MemoryRecordInput[]): number[];
  /** Leaves a hole of `count` offsets at the log's end, as transaction markers do. */
  skip(topic: string, partition: number, count: number): void;
  /** Drops records below `logStart`, as retention does. */
  trim(topic: string, partition: number, logStart: number): void;
  /** Records that are in the log. */
  records(topic: string, partition: number): readonly PlainRecord[];
  /** Hands over one pending batch per owner, at once. @returns The number of records, or -1 when there was nothing. */
  step(topic: string, partition: number, how?: StepOptions): number;
  /** Gives partitions to a member; default: the first that runs. Settles when its consumer has chosen its offsets. */
  assign(partitions: readonly TopicPartition[], member?: number): Promise<void>;
  /** Takes partitions away from whoever owns them. Settles when the owners have drained and the leases ended. */
  revoke(partitions: readonly TopicPartition[], how?: RevokeOptions): Promise<void>;
  /** Takes partitions away without a drain. */
  lose(partitions: readonly TopicPartition[]): Promise<void>;
  /** The member's process dies: its partitions are free, it hears and gets nothing more. */
  kill(member: number): void;
  /** The client of every running member reports an error. */
  fail(error: HeadraceError, fatal: boolean): void;
  /** Commits that were stored, in their order. */
  commits(): readonly MemoryCommit[];
  /** Every entry of every commit request, with what became of it. */
  commitAttempts(): readonly CommitAttempt[];
  /** Commits that were sent for a lease after the member knew that it was over: none, if the consumer is right. */
  staleCommits(): readonly MemoryCommit[];
  /** What is stored for a group and partition. */
  committed(groupId: string, topic: string, partition: number): CommittedOffset | null;
  /** Stores an offset as another program would. It may be out of range or below 0. */
  setCommitted(
    groupId: string,
    topic: string,
    partition: number,
    offset: number,
    metadata?: string,
  ): void;
  /** Decides the answers of the next `count` (default 1) commit requests; a second call queues behind the first. */
  failNextCommit(outcome: PlannedOutcome, count?: number): void;
  /** What consumers threw at the source: none, if they are right. */
  listenerErrors(): readonly unknown[];
  /**
   * Resolves when, for every assigned partition, everything is handed over and committed up to the log's end, and no
   * batch, commit or rebalance is on its way. Time does not pass by itself: over a fake clock, advance it meanwhile.
   */
  idle(): Promise<void>;
}

class MemoryBroker implements MemorySource {
  readonly source: SourceFactory;
  readonly #log: MemoryLog;
  readonly #commits = new MemoryCommits();
  readonly #options: MemorySourceOptions;
  readonly #maxBatchRecords: number;
  readonly #maxMetadataLength: number;
  readonly #members: MemoryMember[] = [];
  readonly #listenerErrors: unknown[] = [];
  #idleWaiters: (() => void)[] = [];
  #rebalances = 0;

  constructor(options: MemorySourceOptions) {
    check.oneOf("assignment", options.assignment, "all-to-first", ["all-to-first", "manual"]);
    check.oneOf("deliverMode", options.deliverMode, "automatic", ["automatic", "manual"]);
    this.#maxBatchRecords = check.integer("maxBatchRecords", options.maxBatchRecords, 500, 1, 1e6);
    const metadata = options.maxMetadataLength;
    this.#maxMetadataLength = check.integer("maxMetadataLength", metadata, 4096, 0, 1e9);
    this.#options = options;
    this.#log = new MemoryLog(options.topics);
    this.source = {
      open: (group) => this.#open(group),
      sink: () =>
        memorySink(this.#log, (topic, partition, records) =>
          this.deliver(topic, partition, records),
        ),
      admin: () =>
        memoryAdmin({
          log: this.#log,
          commits: this.#commits,
          maxMetadataLength: this.#maxMetadataLength,
          membersOf: (groupId) => this.#membersOf(groupId),
          chooseOutcome: (entries) => this.#chooseOutcome(entries),
        }),
    };
  }

  createTopic(topic: string, partitions: number): void {
    this.#log.createTopic(topic, partitions);
  }

  deliver(topic: string, partition: number, records: readonly MemoryRecordInput[]): number[] {
    const offsets = this.#log.partition(topic, partition).append(records);
    this.#grown({ topic, partition });
    return offsets;
  }

  skip(topic: string, partition: number, count: number): void {
    this.#log.partition(topic, partition).skip(count);
    this.#grown({ topic, partition });
  }

  trim(topic: string, partition: number, logStart: number): void {
    this.#log.partition(topic, partition).trim(logStart);
  }

  records(topic: string, partition: number): readonly PlainRecord[] {
    return [...this.#log.partition(topic, partition).all()];
  }

  step(topic: string, partition: number, how: StepOptions = {}): number {
    const counts = this.#members.map((member) => member.step({ topic, partition }, how));
    const handed = counts.filter((count) => count >= 0);
    return handed.length === 0 ? -1 : handed.reduce((sum, count) => sum + count, 0);
  }

  async assign(partitions: readonly TopicPartition[], index?: number): Promise<void> {
    const member =
      index === undefined ? this.#members.find((one) => one.running) : this.#members[index];
    if (!member?.running) throw check.rangeError("assign needs a member that runs", index);
    const logs = partitions.map((one) => this.#log.partition(one.topic, one.partition));
    await this.#rebalance(() =>
      this.#assign(member, () => {
        const taken = logs.find((log) => this.#isOwned(member.group.groupId, log));
        if (!taken) return logs;
        const name = `${taken.topic}#${taken.partition}`;
        throw check.rangeError("assign takes partitions that nobody in the group owns", name);
      }),
    );
  }

  async revoke(partitions: readonly TopicPartition[], how: RevokeOptions = {}): Promise<void> {
    const wanted = this.#within(partitions);
    const keep = among(how.keep ?? []);
    await this.#rebalance(() =>
      Promise.all(this.#members.map((one) => one.revoke(wanted, keep, how.whileSuspended))),
    );
  }

  async lose(partitions: readonly TopicPartition[]): Promise<void> {
    const wanted = this.#within(partitions);
    await this.#rebalance(() => Promise.all(this.#members.map((member) => member.lose(wanted))));
  }

  kill(index: number): void {
    const member = this.#members[index];
    if (!member) throw check.rangeError("kill needs a member", index);
    member.kill();
  }

  fail(error: HeadraceError, fatal: boolean): void {
    for (const member of this.#members) if (member.running) member.fail(error, fatal);
  }

  commits(): readonly MemoryCommit[] {
    return this.#commits.stored();
  }

  commitAttempts(): readonly CommitAttempt[] {
    return this.#commits.attempts();
  }

  staleCommits(): readonly MemoryCommit[] {
    return this.#commits.stale();
  }

  committed(groupId: string, topic: string, partition: number): CommittedOffset | null {
    return this.#commits.get(groupId, topic, partition);
  }

  setCommitted(
    groupId: string,
    topic: string,
    partition: number,
    offset: number,
    metadata = "",
  ): void {
    if (!Number.isSafeInteger(offset)) throw check.rangeError("offset must be an integer", offset);
    this.#commits.set(groupId, topic, partition, { offset, metadata });
  }

  failNextCommit(outcome: PlannedOutcome, count = 1): void {
    this.#commits.plan(outcome, count);
  }

  listenerErrors(): readonly unknown[] {
    return [...this.#listenerErrors];
  }

  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#changed();
    });
  }

  #open(group: GroupOptions): MemoryMember {
    const member = new MemoryMember(group, this.#members.length, {
      commits: this.#commits,
      maxBatchRecords: this.#maxBatchRecords,
      maxMetadataLength: this.#maxMetadataLength,
      manual: this.#options.deliverMode === "manual",
      chooseOutcome: (entries) => this.#chooseOutcome(entries),
      join: (one) => this.#join(one),
      listenerThrew: (error) => {
        this.#listenerErrors.push(error);
      },
      changed: () => this.#changed(),
    });
    this.#members.push(member);
    return member;
  }

  #chooseOutcome(entries: readonly MemoryCommit[]): ReturnType<CommitHook> {
    return this.#commits.nextPlanned() ?? this.#options.onCommit?.(entries);
  }

  #membersOf(groupId: string): number[] {
    return this.#members
      .filter(({ running, group }) => running && group.groupId === groupId)
      .map(({ index }) => index);
  }

  async #join(member: MemoryMember): Promise<void> {
    const { topics, groupId } = member.group;
    const logs = topics.flatMap((topic) => this.#log.partitionsOf(topic));
    if (this.#options.assignment === "manual") return;
    const free = (): MemoryPartition[] => logs.filter((log) => !this.#isOwned(groupId, log));
    await this.#rebalance(() => this.#assign(member, free));
  }

  #assign(member: MemoryMember, free: () => readonly MemoryPartition[]): Promise<void> {
    const { groupId } = member.group;
    return member.assign(free, ({ topic, partition }) => ({
      committed: this.#commits.get(groupId, topic, partition),
      groupKnowsTopic: this.#log
        .partitionsOf(topic)
        .some(
          (one) =>
            one.partition !== partition &&
            this.#commits.get(groupId, topic, one.partition) !== null,
        ),
    }));
  }

  #isOwned(groupId: string, where: TopicPartition): boolean {
    return this.#members.some((one) => one.group.groupId === groupId && one.owns(where));
  }

  #within(partitions: readonly TopicPartition[]): (lease: Lease) => boolean {
    const unowned = partitions.find((one) => !this.#members.some((member) => member.owns(one)));
    if (!unowned) return among(partitions);
    const name = `${unowned.topic}#${unowned.partition}`;
    throw check.rangeError("only partitions that a member owns can be taken away", name);
  }

  async #rebalance(act: () => Promise<unknown>): Promise<void> {
    this.#rebalances += 1;
    try {
      await act();
    } finally {
      this.#rebalances -= 1;
      this.#changed();
    }
  }

  #grown(where: TopicPartition): void {
    for (const member of this.#members) member.grown(where);
  }

  #changed(): void {
    if (this.#idleWaiters.length === 0 || this.#rebalances > 0) return;
    if (!this.#members.every((member) => member.idle())) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}

function among(partitions: readonly TopicPartition[]): (lease: Lease) => boolean {
  const names = new Set(partitions.map((one) => `${one.topic}#${one.partition}`));
  return (lease) => names.has(`${lease.topic}#${lease.partition}`);
}

/**
 * Makes a source that lives in memory and does only what a test tells it: no broker, no time, no chance.
 *
 * Offsets and commits outlive the consumers, so that a second consumer on the same memory source goes on where the
 * first one stopped.
 *
 * ```ts
 * const memory = memorySource({ topics: { orders: 2 } });
 * const consumer = createConsumer({
 *   source: memory.source, groupId: "g", fromBeginning: true, topics: { orders: { eachMessage } },
 * });
 * await consumer.start();
 * memory.deliver("orders", 0, [{ key: "a", value: "1" }, { key: "b", value: "2" }]);
 * await memory.idle();
 * memory.commits(); // [{ topic: "orders", partition: 0, offset: 2, … }]
 * ```
 *
 * @throws {TypeError | RangeError} When an option is wrong.
 */
export function memorySource(options: MemorySourceOptions = {}): MemorySource {
  return new MemoryBroker(options);
}
