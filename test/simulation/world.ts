/** A small world of members, partitions and chance: one seed is one run. */
import { type FakeClock, fakeClock } from "../../src/testing/fake-clock.ts";
import type { PlannedOutcome } from "../../src/testing/memory-commits.ts";
import { type MemorySource, memorySource } from "../../src/testing/memory-source.ts";
import type { MessageContext, TopicPartition } from "../../src/types.ts";
import { Checker, type SimResult } from "./checker.ts";
import { demand, Violation } from "./demand.ts";
import { finish } from "./finish.ts";
import { errorOf, say } from "./handlers.ts";
import { Letters } from "./letters.ts";
import { checkLiveness } from "./liveness.ts";
import { type KeptMessage, Member, type PendingCall } from "./member.ts";
import { nameOf } from "./name-of.ts";
import type { SimCall, SimPartition } from "./period.ts";
import { Random } from "./random.ts";
import { drawScenario, LETTER_TOPICS, type Scenario } from "./scenario.ts";

/** Kept messages of calls that ended long ago are forgotten. */
const MAX_KEPT = 200;
/** What was done so long ago must be stored. */
const SETTLED_MS = 2000;

/** Tells runs of one process apart: what is held for a group must not reach the next run (R6). */
let runs = 0;

export interface SimLocation extends SimPartition, TopicPartition {
  /** A rebalance of it is on its way. */
  moving: object | null;
}

export class World {
  readonly random: Random;
  readonly scenario: Scenario;
  readonly clock: FakeClock = fakeClock();
  readonly memory: MemorySource;
  readonly checker: Checker;
  readonly groupId: string;
  readonly trace: string[] = [];
  readonly partitions: SimLocation[] = [];
  readonly pending: PendingCall[] = [];
  kept: KeptMessage[] = [];
  members: Member[] = [];
  /** No more faults: everything must come to an end. */
  calm = false;
  lastCall: SimCall | null = null;
  /** Answers of the next commits; "held": on its way until `releases` is called. */
  readonly plannedCommits: (PlannedOutcome | "held")[] = [];
  readonly releases: (() => void)[] = [];
  readonly suspensions: (() => void)[] = [];
  /** Whoever holds a partition's lock leaves it. */
  readonly locks: (() => void)[] = [];
  /** Partitions in which some member of this process holds the lock (C4). */
  readonly locked: Set<string> = new Set();
  readonly letters: Letters = new Letters(this);
  /** Told to be fenced: the next thing is that they are lost. */
  readonly fenced: Set<SimLocation> = new Set<SimLocation>();
  readonly #tracing: boolean;
  #problem: unknown = null;
  #seenCommits = 0;
  /** Members are counted as the memory source counts them. */
  #nextMember = 0;

  constructor(seed: number, tracing: boolean) {
    this.random = new Random(seed);
    this.#tracing = tracing;
    this.scenario = drawScenario(this.random);
    this.groupId = `simulation-${seed}-${runs++}`;
    this.checker = new Checker(this.scenario, () => this.clock.now());
    this.memory = memorySource({
      topics: { ...this.scenario.partitions, ...LETTER_TOPICS },
      maxMetadataLength: this.scenario.brokerMetadataLength,
      assignment: "manual",
      deliverMode: "manual",
      onCommit: (entries) => this.#answerCommit(entries),
    });
    for (const [topic, count] of Object.entries(this.scenario.partitions)) {
      const rules = this.scenario.topics.get(topic)!;
      for (let partition = 0; partition < count; partition++) {
        const name = nameOf({ topic, partition });
        this.partitions.push({
          ...{ name, rules, records: [], committed: null, metadata: "", logStart: 0, logEnd: 0 },
          ...{ everDone: new Set<number>(), skippedBelow: 0, topic, partition, moving: null },
        });
      }
    }
    this.note(
      () => `scenario ${JSON.stringify({ ...this.scenario, topics: [...this.scenario.topics] })}`,
    );
  }

  // ---- what members use --------------------------------------------------------------------------------------

  note(line: () => string): void {
    // What follows a violation would only mislead.
    if (this.#tracing && this.#problem === null)
      this.trace.push(`${String(this.clock.now()).padStart(6)} ${line()}`);
  }

  /** A rule was broken: the run is over at the end of this step. */
  get broken(): boolean {
    return this.#problem !== null;
  }

  /** Keeps the first violation: it is thrown inside the consumer, which would take it for a handler's error. */
  readonly guard = <R>(act: () => R): R => {
    try {
      return act();
    } catch (error) {
      this.#problem ??= error;
      throw error;
    }
  };

  partition({ topic, partition }: TopicPartition): SimLocation {
    return this.partitions.find((one) => one.topic === topic && one.partition === partition)!;
  }

  suspendCall(call: SimCall, member: Member, context: MessageContext): PromiseLike<void> {
    let resolve = (): void => {};
    let reject = (_error: Error): void => {};
    const promise = new Promise<void>((onOk, onError) => {
      resolve = onOk;
      reject = onError;
    });
    const settle = (result: SimResult): void => {
      this.note(() => `settle m${member.model.index} #${call.id} ${say(result)}`);
      const { collapse, state } = call.period;
      if (state === "live" && collapse.phase === "gathering" && collapse.failed) {
        this.expect(context.failing, "E2: a call does not know that another one has failed");
      }
      this.checker.endCall(call, result);
      if (result === "ok") resolve();
      else reject(errorOf(result));
    };
    this.pending.push({ call, member, settle, discard: resolve });
    const foreign = this.random.chance(0.1);
    // biome-ignore lint/suspicious/noThenProperty: a thenable of another library
    return foreign ? { then: (onOk, onError) => promise.then(onOk, onError) } : promise;
  }

  mark({ call, member, message, context }: KeptMessage): void {
    const model = call.messages.find((one) => one.offset === message.offset)!;
    const text = this.random.chance(this.scenario.behaviour.text) ? this.drawText() : undefined;
    this.note(() => `  m${member.model.index} marks ${model.offset} ${text ?? ""}`);
    // Noted before: marking may start calls at once.
    const due = this.checker.mark(call, model, text);
    const answer = context.markAsConsumed(message, text);
    const { name } = call.period.partition;
    this.guard(() =>
      demand(answer === due, () => `O8: marking ${name} ${model.offset} answers ${answer}`),
    );
  }

  /** Texts of the user's, now and then as long as they may be (O7). */
  drawText(): string {
    const { random, scenario } = this;
    const length = random.pick([0, 1, 10, 10, scenario.maxMetadataLength - 64]);
    return `${random.integer(0, 9)}`.repeat(length);
  }

  pause(member: Member, partition: SimPartition): void {
    this.note(() => `  m${member.model.index} pauses ${partition.name}`);
    member.consumer.pause([partition as SimLocation]);
    member.model.paused.add(partition);
  }

  resume(member: Member, partition: SimPartition): void {
    this.note(() => `  m${member.model.index} resumes ${partition.name}`);
    member.model.paused.delete(partition);
    member.consumer.resume([partition as SimLocation]);
  }

  seek(member: Member, partition: SimPartition): void {
    const offset = this.random.integer(0, (partition as SimLocation).logEnd);
    const { closing } = member.model;
    const held = member
      .periods()
      .some((one) => one.partition === partition && one.state === "live");
    const live = held && !closing;
    this.note(() => `  m${member.model.index} seeks ${partition.name} to ${offset}`);
    member.consumer.seek(partition as SimLocation, offset).then(
      () => this.expect(live, "a seek without a lease succeeds"),
      () => this.expect(!live, "a seek of a live lease is refused"),
    );
  }

  // ---- one run -----------------------------------------------------------------------------------------------

  /** @param actions Draws and makes one step. */
  async run(actions: (world: World) => Promise<void>): Promise<void> {
    for (let i = 0; i < this.scenario.members; i++) await this.startMember();
    for (const partition of this.partitions) this.assign(partition, this.members[0]!);
    for (let step = 0; step < this.scenario.steps; step++) {
      await actions(this);
      await this.settle(0);
    }
    await finish(this);
  }

  async startMember(): Promise<void> {
    const member = new Member(this, this.#nextMember++);
    this.checker.members.set(member.model.index, member.model);
    this.members.push(member);
    this.note(() => `start m${member.model.index}`);
    await member.start();
  }

  /** Lets time pass, then checks every rule. */
  async settle(ms: number): Promise<void> {
    await this.clock.advance(ms);
    this.check();
  }

  check(): void {
    if (this.#problem !== null) throw this.#problem;
    const { memory, checker } = this;
    const commits = memory.commits();
    for (; this.#seenCommits < commits.length; this.#seenCommits++) {
      const commit = commits[this.#seenCommits]!;
      const partition = this.partition(commit);
      partition.committed = commit.offset;
      partition.metadata = commit.metadata;
    }
    const [stale] = memory.staleCommits();
    demand(stale === undefined, () => `4: stale commit ${JSON.stringify(stale)}`);
    const [thrown] = memory.listenerErrors();
    demand(thrown === undefined, () => `the consumer threw at the source: ${thrown}`);
    checkLiveness(checker);
    for (const member of this.members) this.#compareStats(member);
  }

  /** What the consumer says of itself is what the model says. */
  #compareStats(member: Member): void {
    const { consumer, model } = member;
    const stats = consumer.stats();
    const { droppedResults } = stats;
    demand(
      droppedResults === model.dropped,
      () => `R3: m${model.index} dropped ${droppedResults} results instead of ${model.dropped}`,
    );
    for (const period of member.periods()) {
      const own = stats.partitions.find((one) => nameOf(one) === period.partition.name);
      demand(
        own?.committable === period.committable,
        () =>
          `O3: ${period.partition.name} is committable to ${own?.committable} ` +
          `instead of ${period.committable}`,
      );
      const { phase, until } = period.collapse;
      demand(
        phase !== "ordered" || own?.collapsedUntil === until,
        () => `E2: ${period.partition.name} collapses until ${own?.collapsedUntil}, not ${until}`,
      );
    }
  }

  /** O4: what is done is stored, where nothing but time was missing. */
  checkCommitted(): void {
    for (const period of this.checker.periods) {
      if (period.state !== "live" || this.fenced.has(period.partition as SimLocation)) continue;
      // Handlers that never rest leave something to commit at any time.
      if (this.clock.now() - period.activeMs < SETTLED_MS) continue;
      const { name, committed } = period.partition;
      const { committable } = period;
      // A hole alone needs no commit, unless it is all that is left.
      const records = period.partition.records.filter(({ offset }) => offset >= (committed ?? 0));
      const stored = !records.some(({ offset }) => offset < committable);
      demand(stored, () => `O4: ${name} stays committed to ${committed} instead of ${committable}`);
      const { metadata } = period.partition;
      if (period.stored && committed === committable) {
        this.checker.checkMetadata(period, committed, metadata);
      }
    }
  }

  expect(holds: boolean, otherwise: string): void {
    if (!holds) this.#problem ??= new Violation(otherwise);
  }

  #answerCommit(
    entries: readonly TopicPartition[],
  ): PlannedOutcome | undefined | Promise<PlannedOutcome | undefined> {
    const planned = this.plannedCommits.shift();
    if (planned !== undefined) this.note(() => `  commit will be ${planned}`);
    if (planned === "fenced") for (const entry of entries) this.fenced.add(this.partition(entry));
    if (planned !== "held") return planned;
    return new Promise((resolve) => this.releases.push(() => resolve(undefined)));
  }

  // ---- what actions use --------------------------------------------------------------------------------------

  ownerOf(partition: SimPartition): Member | undefined {
    return this.members.find((one) => one.periods().some((own) => own.partition === partition));
  }

  isFree(partition: SimLocation): boolean {
    return partition.moving === null && this.ownerOf(partition) === undefined;
  }

  assign(partition: SimLocation, member: Member): void {
    this.note(() => `assign ${partition.name} to m${member.model.index}`);
    this.move(partition, this.memory.assign([partition], member.model.index));
  }

  /** A partition is moving until the promise settles, or its member is gone. */
  move(partition: SimLocation, until: Promise<unknown>): void {
    const token = {};
    partition.moving = token;
    const settled = until.finally(() => {
      if (partition.moving === token) partition.moving = null;
    });
    this.ignore(settled);
  }

  /** @returns Records handed over; below 1: nothing. */
  deliver(partition: SimLocation, maxRecords: number, late = false): number {
    if (late) this.ownerOf(partition)?.border.expectLate();
    this.note(() => `deliver ${partition.name}${late ? " late" : ""}`);
    const { topic, partition: index } = partition;
    return this.memory.step(topic, index, { maxRecords, late });
  }

  close(member: Member): void {
    this.note(() => `close m${member.model.index}`);
    this.#forgetClosed(member, member.close());
  }

  #forgetClosed(member: Member, closed: Promise<unknown>): void {
    this.ignore(
      closed.then(() => {
        this.note(() => `closed m${member.model.index}`);
        this.members = this.members.filter((one) => one !== member);
      }),
    );
  }

  /** Hands a batch over twice: an InvariantError for a live lease, nothing for one that has ended (R8). */
  mislead(member: Member): void {
    const { border } = member;
    const period = border.lastPeriod();
    if (period === null) return;
    this.note(() => `deliver ${period.partition.name} once more`);
    member.misled = period.state !== "ended";
    if (member.misled) {
      member.model.closing = true;
      border.repeatBatch();
      member.draining();
      this.#forgetClosed(member, member.consumer.close());
    } else border.repeatBatch();
  }

  kill(member: Member): void {
    this.note(() => `kill m${member.model.index}`);
    const owned = this.partitions.filter((one) => this.ownerOf(one) === member);
    for (const partition of owned) partition.moving = null;
    this.memory.kill(member.model.index);
    member.die();
    this.members = this.members.filter((one) => one !== member);
    // What waits for its calls in this process (R6) would not, after a crash.
    for (const { member: of, discard } of this.pending) if (of === member) discard();
    const lives = (one: { member: Member }): boolean => one.member !== member;
    this.letters.forget(member);
    this.kept = this.kept.filter(lives);
    this.pending.splice(0, this.pending.length, ...this.pending.filter(lives));
  }

  forgetOld(): void {
    if (this.kept.length > MAX_KEPT) this.kept.splice(0, this.kept.length - MAX_KEPT);
  }

  /** A rejection is a problem of the run, not of the process. */
  ignore(promise: Promise<unknown>): void {
    promise.catch((error) => {
      this.#problem ??= error;
    });
  }
}
